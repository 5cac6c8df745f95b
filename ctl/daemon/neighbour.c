// SPDX-License-Identifier: GPL-2.0
/* The way to each followed address. A follow is one such address with what the routes
 * say of it; a hop is a neighbour that frames go to: the address itself, or a gateway
 * that many share. Whatever must be asked of the kernel is a task in a queue, of which
 * a batch is done in each turn of the loop; the answers are there when it has been sent. */
#define _GNU_SOURCE /* tdestroy */
#include <errno.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include "../core/address.h"
#include "neighbour.h"
#include "netlink.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define MILLISECOND UINT64_C(1000)
#define SETTLE_TIME (50 * MILLISECOND)  /* routes come in bursts, and by pairs of delete and add */
#define REPORT_TIME (50 * MILLISECOND)  /* between two calls of changed() */
#define RETRY_TIME (2000 * MILLISECOND) /* for what the kernel does not retry by itself */

/* Between two neighbours that the kernel is told to resolve. Those that are resolved
 * together are asked again together ever after, and a receive queue takes only so
 * many answers at once: of 10,000 that began within 0.3 s, 7,000 were lost. */
#define PACE (MILLISECOND / 2)

#define EVENTS_BUFFER (16 << 20) /* 10,000 neighbours that change together */
#define ANSWERS_BUFFER (1 << 20) /* a batch */

/* Whose a neighbour entry is, as `ip neigh` shows it: a number that no routing daemon
 * has (/etc/iproute2/rt_protos). */
#define NEIGHBOUR_PROTOCOL 206

#define NUD_USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)
#define NUD_FIXED (NUD_PERMANENT | NUD_NOARP) /* the kernel does not resolve it */

enum step {
	STEP_NONE,
	STEP_LOOKUP,  /* follow: its route */
	STEP_QUERY,   /* hop: its entry as it is now */
	STEP_MANAGE,  /* hop: have the kernel resolve it and keep it fresh */
	STEP_RELEASE, /* hop: no longer */
};

struct task {
	TAILQ_ENTRY(task) entry;
	enum step step; /* not STEP_NONE while it is in the queue */
};

struct follow {
	struct task task; /* first: a task is cast to it */
	struct address address;
	bool stale;                /* its route is to be looked up when things have settled */
	uint8_t type;              /* of its route, RTN_UNICAST ...; RTN_UNSPEC: see `error` */
	int error;                 /* why it could not be looked up */
	struct netlink_route way;  /* the last one that was RTN_UNICAST */
	struct hop *hop;           /* NULL: its packets leave by no neighbour, see judge() */
	LIST_ENTRY(follow) member; /* of the hop's follows */
	struct route route;
};

struct hop_key {
	uint32_t ifindex;
	struct address address;
};

struct hop {
	struct task task; /* first, as above */
	struct hop_key key;
	LIST_HEAD(, follow) follows;
	LIST_ENTRY(hop) member;
	enum route_state state; /* what its answers, or their absence, say */
	struct mac mac;
	int error;    /* why the kernel could not be asked */
	bool stale;   /* its entry is to be asked for when things have settled */
	bool exists;  /* has an entry */
	bool fixed;   /* ... that an operator set */
	bool managed; /* ... that the kernel keeps fresh */
	bool ours;    /* ... because we said so */
	bool asked;   /* by STEP_MANAGE, since it answered last */
};

struct neighbours {
	struct netlink requests;
	struct netlink events;
	sd_event *loop;
	sd_event_source *incoming;
	sd_event_source *work;
	sd_event_source *settle;
	sd_event_source *retry;
	sd_event_source *report;
	uint64_t reported; /* when changed() was last called */
	void (*changed)(void *data);
	void *data;
	struct follow **follows; /* sorted by address */
	size_t count;
	bool stale;       /* all of them */
	bool lost;        /* messages: whatever is known may be wrong */
	void *links;      /* tree of struct netlink_link by ifindex */
	void *hop_by_key; /* tree of the hops */
	LIST_HEAD(, hop) hops;
	TAILQ_HEAD(, task) tasks;
	TAILQ_HEAD(, task) paced; /* STEP_MANAGE only: see PACE */
	uint64_t tasks_from;      /* when the next may be done */
	uint64_t paced_from;
};

/* Without memory there is nothing to be done but to be started again; the data path goes on. */
static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

/* --- finding */

static int compare_links(const void *a, const void *b)
{
	uint32_t left = ((const struct netlink_link *)a)->ifindex, right = ((const struct netlink_link *)b)->ifindex;

	return left < right ? -1 : left > right;
}

static int compare_hops(const void *a, const void *b)
{
	return memcmp(&((const struct hop *)a)->key, &((const struct hop *)b)->key, sizeof(struct hop_key));
}

/* Also that of the addresses as numbers, so that those of a prefix are neighbours. */
static int compare_addresses(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct address));
}

static struct netlink_link *find_link(const struct neighbours *n, uint32_t ifindex)
{
	struct netlink_link key = {.ifindex = ifindex};
	struct netlink_link **found = tfind(&key, &n->links, compare_links);

	return found ? *found : NULL;
}

static struct hop *find_hop(const struct neighbours *n, uint32_t ifindex, const struct address *address)
{
	struct hop key = {.key = {ifindex, *address}};
	struct hop **found = tfind(&key, &n->hop_by_key, compare_hops);

	return found ? *found : NULL;
}

/* The place of the first that is not below `address`. */
static size_t lower_bound(struct follow *const *follows, size_t count, const struct address *address)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_addresses(&follows[middle]->address, address) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct follow *find_follow(struct follow *const *follows, size_t count, const struct address *address)
{
	size_t i = lower_bound(follows, count, address);

	return i < count && address_equal(&follows[i]->address, address) ? follows[i] : NULL;
}

/* --- the queue */

static void unschedule(struct neighbours *n, struct task *task)
{
	if (task->step == STEP_MANAGE)
		TAILQ_REMOVE(&n->paced, task, entry);
	else if (task->step != STEP_NONE)
		TAILQ_REMOVE(&n->tasks, task, entry);
	task->step = STEP_NONE;
}

static void plan_work(struct neighbours *n)
{
	bool none = TAILQ_EMPTY(&n->tasks), none_paced = TAILQ_EMPTY(&n->paced);

	sd_event_source_set_time(n->work, none ? n->paced_from : n->tasks_from);
	sd_event_source_set_enabled(n->work, none && none_paced ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

/* What is decided last is done. */
static void schedule(struct neighbours *n, struct task *task, enum step step)
{
	unschedule(n, task);
	if (step == STEP_MANAGE)
		TAILQ_INSERT_TAIL(&n->paced, task, entry);
	else
		TAILQ_INSERT_TAIL(&n->tasks, task, entry);
	task->step = step;
	plan_work(n);
}

static void start_timer(sd_event_source *timer, uint64_t time)
{
	int enabled;

	if (sd_event_source_get_enabled(timer, &enabled) >= 0 && enabled == SD_EVENT_OFF) {
		sd_event_source_set_time(timer, time);
		sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
	}
}

static uint64_t now(const struct neighbours *n)
{
	uint64_t usec = 0;

	sd_event_now(n->loop, CLOCK_MONOTONIC, &usec);
	return usec;
}

/* --- what a route comes to */

/* Routes that lead to no single host. */
static const struct {
	uint8_t type;
	const char *text;
} DEAD_ENDS[] = {
	{RTN_THROW, "no route"},
	{RTN_UNREACHABLE, "'unreachable' route"},
	{RTN_PROHIBIT, "'prohibit' route"},
	{RTN_BLACKHOLE, "'blackhole' route"},
	{RTN_BROADCAST, "'broadcast' route"},
	{RTN_MULTICAST, "'multicast' route"},
	{RTN_ANYCAST, "'anycast' route"},
};

/* Reasons are cut to their room. */
__attribute__((format(printf, 2, 3))) static void explain(struct route *route, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(route->reason, sizeof(route->reason), format, args);
	va_end(args);
}

static void explain_lookup(struct route *route, const struct follow *follow)
{
	char address[ADDRESS_TEXT_SIZE];
	size_t i;

	address_format(&follow->address, address);
	if (follow->type == RTN_LOCAL)
		explain(route, "%s is an address of this machine", address);
	else
		explain(route, "cannot look up the route to %s: %s", address, strerror(-follow->error));
	for (i = 0; i < COUNT(DEAD_ENDS); i++)
		if (follow->type == DEAD_ENDS[i].type)
			explain(route, "%s to %s (see 'ip route get %s')", DEAD_ENDS[i].text, address, address);
}

static void explain_hop(struct route *route, const struct hop *hop)
{
	const char *role = route->gateway ? "gateway " : "", *interface = route->interface;
	const char *protocol = address_is_ipv4(&hop->key.address) ? "ARP" : "neighbour discovery";
	char address[ADDRESS_TEXT_SIZE];

	address_format(&hop->key.address, address);
	if (hop->state == ROUTE_READY)
		explain(route, "%s", "");
	else if (hop->error)
		explain(route, "cannot resolve %s%s on %s: %s", role, address, interface, strerror(-hop->error));
	else if (hop->state == ROUTE_PENDING)
		explain(route, "%s%s has not answered %s on %s yet", role, address, protocol, interface);
	else
		explain(route, "%s%s does not answer %s on %s (is it up, and in this VLAN?)", role, address, protocol,
			interface);
}

static enum route_state judge(struct route *route, const struct follow *follow, const struct netlink_link *link)
{
	/* Interfaces first, because a route goes when its interface does. */
	if (link && !link->up) {
		explain(route, "interface %s is down", link->name);
	} else if (link && !link->running) {
		explain(route, "interface %s has no carrier", link->name);
	} else if (follow->type != RTN_UNICAST) {
		explain_lookup(route, follow);
	} else if (!follow->hop) {
		explain(route, "interface %s is not Ethernet", link->name);
	} else {
		explain_hop(route, follow->hop);
		return follow->hop->state;
	}
	return ROUTE_FAILED;
}

/* Puts together what is known. Until something is known of a new interface or a new
 * neighbour, what was before stands. */
static void derive(struct neighbours *n, struct follow *follow)
{
	const struct netlink_link *link = find_link(n, follow->way.ifindex);
	const struct hop *hop = follow->hop;
	struct route route;

	if (follow->type == RTN_UNICAST && (!link || (hop && hop->state == ROUTE_UNKNOWN)))
		return;
	memcpy(&route, &follow->route, sizeof(route)); /* compared as bytes */
	if (link) {
		route.ifindex = link->ifindex;
		route.mtu = link->mtu < UINT16_MAX ? link->mtu : UINT16_MAX;
		route.interface_mac = link->mac;
		memcpy(route.interface, link->name, sizeof(route.interface));
		route.source = follow->way.source;
	}
	if (hop) {
		route.gateway = !address_equal(&hop->key.address, &follow->address);
		route.next_hop = mac_is_zero(&hop->mac) ? route.next_hop : hop->mac;
	}
	route.state = judge(&route, follow, link);
	if (memcmp(&route, &follow->route, sizeof(route)) == 0)
		return;
	memcpy(&follow->route, &route, sizeof(route));
	start_timer(n->report, n->reported + REPORT_TIME);
}

/* --- hops */

static struct hop *make_hop(struct neighbours *n, uint32_t ifindex, const struct address *address)
{
	struct hop *hop = must(calloc(1, sizeof(*hop)));

	hop->key = (struct hop_key){ifindex, *address};
	must(tsearch(hop, &n->hop_by_key, compare_hops));
	LIST_INIT(&hop->follows);
	LIST_INSERT_HEAD(&n->hops, hop, member);
	return hop;
}

static void free_hop(struct neighbours *n, struct hop *hop)
{
	unschedule(n, &hop->task);
	LIST_REMOVE(hop, member);
	tdelete(hop, &n->hop_by_key, compare_hops);
	free(hop);
}

static bool is_wanted(const struct hop *hop)
{
	return !LIST_EMPTY(&hop->follows);
}

static void detach(struct neighbours *n, struct follow *follow)
{
	struct hop *hop = follow->hop;

	if (!hop)
		return;
	LIST_REMOVE(follow, member);
	follow->hop = NULL;
	if (!is_wanted(hop))
		schedule(n, &hop->task, STEP_RELEASE);
}

static void attach(struct neighbours *n, struct follow *follow, struct hop *hop)
{
	if (!hop)
		return;
	if (!is_wanted(hop))
		schedule(n, &hop->task, STEP_QUERY);
	LIST_INSERT_HEAD(&hop->follows, follow, member);
	follow->hop = hop;
}

/* Takes what is now known of a hop to all whose way it is on. */
static void set_hop(struct neighbours *n, struct hop *hop, enum route_state state, int error, struct mac mac)
{
	struct follow *follow;

	if (hop->state == state && hop->error == error && memcmp(&hop->mac, &mac, sizeof(mac)) == 0)
		return;
	hop->state = state;
	hop->error = error;
	hop->mac = mac;
	for (follow = LIST_FIRST(&hop->follows); follow; follow = LIST_NEXT(follow, member))
		derive(n, follow);
}

/* What an operator set, or somebody else has the kernel manage, is not ours to touch. */
static bool may_manage(const struct hop *hop)
{
	return !hop->fixed && (!hop->managed || hop->ours);
}

/* An entry that is being resolved again says nothing: what its hop was, it is until
 * the answer comes, or does not. A hop that was READY is asked once more before it is
 * believed to be gone: its calls would move, and one burst of losses can do that. */
static void learn(struct neighbours *n, struct hop *hop, const struct netlink_neighbour *entry)
{
	hop->exists = true;
	hop->fixed = entry->state & NUD_FIXED;
	hop->managed = entry->managed;
	hop->ours = entry->managed && entry->protocol == NEIGHBOUR_PROTOCOL;
	if (entry->state & NUD_USABLE && !mac_is_zero(&entry->mac)) {
		hop->asked = false;
		set_hop(n, hop, ROUTE_READY, 0, entry->mac);
	} else if (entry->state & NUD_FAILED && hop->state == ROUTE_READY && !hop->asked && may_manage(hop)) {
		schedule(n, &hop->task, STEP_MANAGE);
	} else if (entry->state & NUD_FAILED) {
		set_hop(n, hop, ROUTE_FAILED, 0, hop->mac);
	} else if (hop->state == ROUTE_UNKNOWN) {
		set_hop(n, hop, ROUTE_PENDING, 0, hop->mac);
	}
}

static void refused(struct neighbours *n, struct hop *hop, int error)
{
	set_hop(n, hop, hop->state == ROUTE_READY ? ROUTE_READY : ROUTE_FAILED, error, hop->mac);
}

static void forget(struct hop *hop)
{
	hop->exists = hop->fixed = hop->managed = hop->ours = false;
}

/* --- the steps: what is asked, and what becomes of the answer */

static void put_request(struct netlink_batch *batch, const struct task *task, enum step step)
{
	const struct follow *follow = (const struct follow *)task;
	const struct hop *hop = (const struct hop *)task;

	switch (step) {
	case STEP_NONE:
		return;
	case STEP_LOOKUP:
		return netlink_get_route(batch, &follow->address);
	case STEP_QUERY:
		return netlink_get_neighbour(batch, hop->key.ifindex, &hop->key.address);
	case STEP_MANAGE:
		return netlink_manage_neighbour(
			batch, hop->key.ifindex, &hop->key.address, !hop->exists, NEIGHBOUR_PROTOCOL);
	case STEP_RELEASE:
		return netlink_release_neighbour(batch, hop->key.ifindex, &hop->key.address);
	}
}

/* The neighbour that gets the frames for an address. None on an interface that has
 * no MACs, or that is so new that nothing is known of it yet. */
static struct hop *hop_towards(struct neighbours *n, const struct follow *follow)
{
	static const struct address none;
	const struct netlink_link *link = find_link(n, follow->way.ifindex);
	const struct address *address = &follow->way.gateway;

	if (follow->type != RTN_UNICAST || !link || !link->ethernet)
		return NULL;
	if (address_equal(address, &none))
		address = &follow->address;
	return find_hop(n, link->ifindex, address) ?: make_hop(n, link->ifindex, address);
}

static void looked_up(struct neighbours *n, struct task *task, int error, const struct nlmsghdr *message)
{
	struct follow *follow = (struct follow *)task;
	struct netlink_route way;
	struct hop *hop;

	follow->error = netlink_read_lookup(error, message, &way);
	follow->type = way.type;
	if (follow->type == RTN_UNICAST)
		follow->way = way;
	hop = hop_towards(n, follow);
	if (hop != follow->hop) {
		detach(n, follow);
		attach(n, follow, hop);
	} else if (hop && hop->state == ROUTE_FAILED) {
		/* Its interface may have come up, and the kernel takes up to 5 s to try again. */
		schedule(n, &hop->task, STEP_MANAGE);
	}
	derive(n, follow);
}

static void queried(struct neighbours *n, struct task *task, int error, const struct nlmsghdr *message)
{
	struct hop *hop = (struct hop *)task;
	struct netlink_neighbour entry;

	if (!is_wanted(hop)) /* to be released */
		return;
	if (!error && netlink_read_neighbour(message, &entry))
		learn(n, hop, &entry);
	else if (error == -ENOENT)
		forget(hop);
	else
		return refused(n, hop, error ?: -EBADMSG);
	if (!hop->fixed && !hop->managed)
		schedule(n, &hop->task, STEP_MANAGE);
}

/* Whether the kernel does keep it fresh, its own messages will tell. */
static void managed(struct neighbours *n, struct task *task, int error, const struct nlmsghdr *message)
{
	struct hop *hop = (struct hop *)task;

	(void)message;
	if (!error) {
		hop->exists = hop->ours = hop->asked = true;
		set_hop(n, hop, hop->state == ROUTE_UNKNOWN ? ROUTE_PENDING : hop->state, 0, hop->mac);
	} else if (!is_wanted(hop)) {
		return;
	} else if (error == -ENOENT || error == -EEXIST) {
		schedule(n, &hop->task, STEP_QUERY); /* somebody else was here in between */
	} else {
		refused(n, hop, error);
	}
}

static void released(struct neighbours *n, struct task *task, int error, const struct nlmsghdr *message)
{
	struct hop *hop = (struct hop *)task;

	(void)error; /* there was nothing to release */
	(void)message;
	if (!is_wanted(hop))
		free_hop(n, hop);
	else
		schedule(n, &hop->task, STEP_QUERY);
}

static void (*const ANSWERED[])(struct neighbours *, struct task *, int error, const struct nlmsghdr *message) = {
	[STEP_LOOKUP] = looked_up,
	[STEP_QUERY] = queried,
	[STEP_MANAGE] = managed,
	[STEP_RELEASE] = released,
};

/* What one turn of the loop sends. */
struct turn {
	struct neighbours *n;
	struct netlink_batch batch;
	struct task *task[NETLINK_BATCH]; /* NULL once it is answered */
	enum step step[NETLINK_BATCH];
};

static void take_answer(void *data, unsigned index, int error, const struct nlmsghdr *message)
{
	struct turn *turn = data;
	struct task *task = turn->task[index];

	turn->task[index] = NULL;
	if (task)
		ANSWERED[turn->step[index]](turn->n, task, error, message);
}

/* Is there nothing to be asked any more? */
static bool dismiss(struct neighbours *n, struct task *task, enum step step)
{
	struct hop *hop = (struct hop *)task;

	if (step == STEP_MANAGE && !may_manage(hop))
		return true;
	if (step != STEP_RELEASE || hop->ours)
		return false;
	free_hop(n, hop);
	return true;
}

/* The next that may be done at this time, out of its queue. */
static struct task *next_task(struct neighbours *n, uint64_t time, enum step *step)
{
	struct task *task = time < n->tasks_from ? NULL : TAILQ_FIRST(&n->tasks);

	if (!task && time >= n->paced_from)
		task = TAILQ_FIRST(&n->paced);
	if (task) {
		*step = task->step;
		unschedule(n, task);
	}
	return task;
}

static void fill_turn(struct turn *turn, uint64_t time)
{
	struct neighbours *n = turn->n;
	struct task *task;
	enum step step;
	unsigned paced = 0;

	while (turn->batch.count < NETLINK_BATCH && (task = next_task(n, time, &step))) {
		if (dismiss(n, task, step))
			continue;
		turn->task[turn->batch.count] = task;
		turn->step[turn->batch.count] = step;
		put_request(&turn->batch, task, step);
		paced += step == STEP_MANAGE;
	}
	if (paced)
		n->paced_from = time + paced * PACE;
}

static int on_work(sd_event_source *source, uint64_t usec, void *data)
{
	struct neighbours *n = data;
	struct turn turn = {.n = n};
	uint64_t time = now(n);
	unsigned i;

	(void)source;
	(void)usec;
	fill_turn(&turn, time);
	if (turn.batch.count && netlink_exchange(&n->requests, &turn.batch, take_answer, &turn) < 0)
		n->tasks_from = n->paced_from = time + RETRY_TIME;
	for (i = 0; i < turn.batch.count; i++)
		if (turn.task[i] && turn.task[i]->step == STEP_NONE)
			schedule(n, turn.task[i], turn.step[i]);
	plan_work(n);
	return 0;
}

/* --- what the kernel says by itself */

static void settle(struct neighbours *n)
{
	start_timer(n->settle, now(n) + SETTLE_TIME);
}

static void all_stale(struct neighbours *n)
{
	n->stale = true;
	settle(n);
}

static void take_link(void *data, const struct nlmsghdr *message)
{
	struct neighbours *n = data;
	struct netlink_link link, *known;

	if (!netlink_read_link(message, &link))
		return;
	known = find_link(n, link.ifindex);
	if (message->nlmsg_type == RTM_DELLINK) {
		tdelete(&link, &n->links, compare_links);
		free(known);
	} else if (!known) {
		known = must(malloc(sizeof(*known)));
		memcpy(known, &link, sizeof(link));
		must(tsearch(known, &n->links, compare_links));
	} else if (memcmp(known, &link, sizeof(link)) != 0) {
		memcpy(known, &link, sizeof(link));
	} else {
		return;
	}
	all_stale(n);
}

static void take_neighbour(struct neighbours *n, const struct nlmsghdr *message)
{
	struct netlink_neighbour entry;
	struct hop *hop;

	if (!netlink_read_neighbour(message, &entry))
		return;
	hop = find_hop(n, entry.ifindex, &entry.address);
	if (!hop || !is_wanted(hop))
		return;
	/* An entry that is being deleted is first said to be FAILED, and not managed any
	 * more: better ask. But not at once, or `ip neigh flush` would find it there again
	 * and never end. */
	if (message->nlmsg_type == RTM_NEWNEIGH && (entry.managed || entry.state & NUD_USABLE)) {
		learn(n, hop, &entry);
	} else {
		hop->stale = true;
		settle(n);
	}
}

/* The routes of the addresses in its prefix may be others now. */
static void take_route(struct neighbours *n, const struct nlmsghdr *message)
{
	struct netlink_route route;
	size_t i;

	if (!netlink_read_route(message, &route))
		return;
	i = lower_bound(n->follows, n->count, &route.prefix);
	for (; i < n->count && netlink_route_covers(&route, &n->follows[i]->address); i++) {
		n->follows[i]->stale = true;
		settle(n);
	}
}

static void take_message(void *data, const struct nlmsghdr *message)
{
	struct neighbours *n = data;

	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return take_link(n, message);
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return take_neighbour(n, message);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return take_route(n, message);
	default: /* an address, a rule, a next hop object: nobody says which routes go with it */
		return all_stale(n);
	}
}

static int on_incoming(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct neighbours *n = data;

	(void)source;
	(void)fd;
	(void)events;
	if (netlink_receive(&n->events, take_message, n) == 0)
		return 0;
	n->lost = true;
	settle(n);
	return 0;
}

/* --- timers */

static void load_links(struct neighbours *n)
{
	tdestroy(n->links, free);
	n->links = NULL;
	n->lost = netlink_dump_links(&n->requests, take_link, n) < 0;
}

static int on_settle(sd_event_source *source, uint64_t usec, void *data)
{
	struct neighbours *n = data;
	bool lost = n->lost, all = n->stale || lost;
	struct hop *hop;
	size_t i;

	(void)source;
	(void)usec;
	n->stale = false;
	if (lost)
		load_links(n);
	for (i = 0; i < n->count; i++) {
		if (all || n->follows[i]->stale)
			schedule(n, &n->follows[i]->task, STEP_LOOKUP);
		n->follows[i]->stale = false;
	}
	for (hop = LIST_FIRST(&n->hops); hop; hop = LIST_NEXT(hop, member)) {
		if (is_wanted(hop) && (lost || hop->stale))
			schedule(n, &hop->task, STEP_QUERY);
		hop->stale = false;
	}
	return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *data)
{
	struct neighbours *n = data;
	struct hop *hop;
	size_t i;

	for (hop = LIST_FIRST(&n->hops); hop; hop = LIST_NEXT(hop, member))
		if (is_wanted(hop) && (hop->error || (!hop->fixed && !hop->managed)))
			schedule(n, &hop->task, STEP_QUERY);
	for (i = 0; i < n->count; i++)
		if (n->follows[i]->error)
			schedule(n, &n->follows[i]->task, STEP_LOOKUP);
	if (n->lost)
		settle(n);
	sd_event_source_set_time(source, usec + RETRY_TIME);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_report(sd_event_source *source, uint64_t usec, void *data)
{
	struct neighbours *n = data;

	(void)source;
	(void)usec;
	n->reported = now(n);
	n->changed(n->data);
	return 0;
}

/* --- what others call */

static const int GROUPS[] = {
	RTNLGRP_LINK,
	RTNLGRP_NEIGH,
	RTNLGRP_IPV4_IFADDR,
	RTNLGRP_IPV6_IFADDR,
	RTNLGRP_IPV4_ROUTE,
	RTNLGRP_IPV6_ROUTE,
	RTNLGRP_IPV4_RULE,
	RTNLGRP_IPV6_RULE,
	RTNLGRP_NEXTHOP,
};

/* Takes over an entry that a daemon before this one had the kernel manage. It is
 * released by the first neighbours_follow() that leads to nobody behind it. */
static void adopt(void *data, const struct nlmsghdr *message)
{
	struct neighbours *n = data;
	struct netlink_neighbour entry;

	if (!netlink_read_neighbour(message, &entry) || !entry.managed || entry.protocol != NEIGHBOUR_PROTOCOL)
		return;
	if (!find_hop(n, entry.ifindex, &entry.address))
		learn(n, make_hop(n, entry.ifindex, &entry.address), &entry);
}

static int open_sockets(struct neighbours *n)
{
	int error = netlink_open(&n->requests, ANSWERS_BUFFER) ?: netlink_open(&n->events, EVENTS_BUFFER);
	size_t i;

	for (i = 0; i < COUNT(GROUPS) && !error; i++)
		error = netlink_join(&n->events, GROUPS[i]);
	return error;
}

static int add_timer(struct neighbours *n, sd_event_source **source, sd_event_time_handler_t handler)
{
	int error = sd_event_add_time(n->loop, source, CLOCK_MONOTONIC, 0, MILLISECOND, handler, n);

	return error < 0 ? error : sd_event_source_set_enabled(*source, SD_EVENT_OFF);
}

static int join_loop(struct neighbours *n)
{
	int fd = mnl_socket_get_fd(n->events.socket), error;

	error = sd_event_add_io(n->loop, &n->incoming, fd, EPOLLIN, on_incoming, n);
	error = error < 0 ? error : add_timer(n, &n->work, on_work);
	error = error < 0 ? error : add_timer(n, &n->settle, on_settle);
	error = error < 0 ? error : add_timer(n, &n->retry, on_retry);
	error = error < 0 ? error : add_timer(n, &n->report, on_report);
	if (error >= 0)
		start_timer(n->retry, now(n) + RETRY_TIME);
	return error < 0 ? error : 0;
}

int neighbours_new(struct neighbours **out, sd_event *event, void (*changed)(void *data), void *data)
{
	struct neighbours *n = calloc(1, sizeof(*n));
	int error;

	if (!n)
		return -ENOMEM;
	n->loop = sd_event_ref(event);
	n->changed = changed;
	n->data = data;
	LIST_INIT(&n->hops);
	TAILQ_INIT(&n->tasks);
	TAILQ_INIT(&n->paced);
	/* The groups are joined before the first question, so that no change falls between. */
	error = open_sockets(n) ?: join_loop(n);
	if (!error) {
		load_links(n);
		netlink_dump_neighbours(&n->requests, adopt, n);
		*out = n;
	} else {
		neighbours_free(n);
	}
	return error;
}

static void drop(struct neighbours *n, struct follow *follow)
{
	detach(n, follow);
	unschedule(n, &follow->task);
	free(follow);
}

void neighbours_free(struct neighbours *n)
{
	size_t i;

	if (!n)
		return;
	for (i = 0; i < n->count; i++)
		drop(n, n->follows[i]);
	free(n->follows);
	while (!LIST_EMPTY(&n->hops))
		free_hop(n, LIST_FIRST(&n->hops));
	tdestroy(n->links, free);
	sd_event_source_disable_unref(n->incoming);
	sd_event_source_disable_unref(n->work);
	sd_event_source_disable_unref(n->settle);
	sd_event_source_disable_unref(n->retry);
	sd_event_source_disable_unref(n->report);
	netlink_close(&n->events);
	netlink_close(&n->requests);
	sd_event_unref(n->loop);
	free(n);
}

static struct follow *make_follow(struct neighbours *n, const struct address *address)
{
	struct follow *follow = must(calloc(1, sizeof(*follow)));

	follow->address = *address;
	schedule(n, &follow->task, STEP_LOOKUP);
	return follow;
}

int neighbours_follow(struct neighbours *n, const struct address *addresses, size_t count)
{
	struct address *sorted = must(calloc(count + 1, sizeof(*sorted)));
	struct follow **follows = must(calloc(count + 1, sizeof(*follows)));
	struct hop *hop;
	size_t i, kept = 0;

	if (count)
		memcpy(sorted, addresses, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_addresses);
	for (i = 0; i < count; i++)
		if (i == 0 || !address_equal(&sorted[i], &sorted[i - 1]))
			follows[kept++] = find_follow(n->follows, n->count, &sorted[i]) ?: make_follow(n, &sorted[i]);
	for (i = 0; i < n->count; i++)
		if (!find_follow(follows, kept, &n->follows[i]->address))
			drop(n, n->follows[i]);
	free(n->follows);
	free(sorted);
	n->follows = follows;
	n->count = kept;
	/* Those that adopt() found: behind the lookups, which may lead to them. */
	for (hop = LIST_FIRST(&n->hops); hop; hop = LIST_NEXT(hop, member))
		if (!is_wanted(hop))
			schedule(n, &hop->task, STEP_RELEASE);
	return 0;
}

const struct route *neighbours_route(const struct neighbours *n, const struct address *address)
{
	static const struct route unknown;
	const struct follow *follow = find_follow(n->follows, n->count, address);

	return follow ? &follow->route : &unknown;
}

static void take_locality(void *data, unsigned index, int error, const struct nlmsghdr *message)
{
	struct netlink_route way;

	(void)index;
	error = netlink_read_lookup(error, message, &way);
	*(int *)data = error ?: way.type == RTN_LOCAL;
}

int neighbours_is_local(struct neighbours *n, const struct address *address)
{
	struct netlink_batch batch = {};
	int local = 0, error;

	netlink_get_route(&batch, address);
	error = netlink_exchange(&n->requests, &batch, take_locality, &local);
	return error ?: local;
}
