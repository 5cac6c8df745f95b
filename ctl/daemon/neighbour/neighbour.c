// SPDX-License-Identifier: GPL-2.0
/* The route to each watched address. A watch is one address and the result of its route lookup. A hop
 * is the neighbour that receives the frames: the address itself, or a gateway that many addresses
 * share. Each request to the kernel is a task in a queue. Each turn of the loop sends one batch of
 * tasks; the kernel answers before the send returns.
 *
 * This file owns the public functions (neighbour.h), the sockets and timers, and the watches. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include "core/base/memory.h"
#include "ctl/daemon/listening_clock.h"
#include "neighbour_private.h"

#define REPORT_TIME (50 * MILLISECOND) /* between two calls of changed() */

#define EVENTS_BUFFER (16 << 20) /* room for 10,000 neighbours that change together */
#define ANSWERS_BUFFER (1 << 20) /* room for the answers to a batch */

/* --- time */

uint64_t neighbour_now(const struct neighbours *n)
{
	uint64_t usec = 0;

	sd_event_now(n->loop, CLOCK_MONOTONIC, &usec);
	return usec;
}

void neighbour_start_timer(sd_event_source *timer, uint64_t time)
{
	int enabled;

	if (sd_event_source_get_enabled(timer, &enabled) >= 0 && enabled == SD_EVENT_OFF) {
		sd_event_source_set_time(timer, time);
		sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
	}
}

static int on_report(sd_event_source *source, uint64_t usec, void *data)
{
	struct neighbours *n = data;

	(void)source;
	(void)usec;
	n->reported = neighbour_now(n);
	n->changed(n->data);
	return 0;
}

void neighbour_report(struct neighbours *n)
{
	neighbour_start_timer(n->report, n->reported + REPORT_TIME);
}

/* --- setup and cleanup */

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
	RTNLGRP_IPV4_NETCONF, /* whether the kernel forwards packets */
	RTNLGRP_IPV6_NETCONF,
};

/* Takes over a neighbour entry that the kernel manages at the request of a previous daemon. The first
 * neighbours_watch() releases the entry if no watch uses it. */
static void adopt(void *data, const struct nlmsghdr *message)
{
	struct neighbours *n = data;
	struct netlink_neighbour entry;

	if (!netlink_read_neighbour(message, &entry) || !entry.managed || entry.protocol != NEIGHBOUR_PROTOCOL)
		return;
	if (!neighbour_hop_find(n, entry.ifindex, &entry.address))
		neighbour_hop_learn(n, neighbour_hop_make(n, entry.ifindex, &entry.address), &entry);
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

	error = sd_event_add_io(n->loop, &n->incoming, fd, EPOLLIN, neighbour_on_incoming, n);
	error = error < 0 ? error : add_timer(n, &n->work, neighbour_on_work);
	error = error < 0 ? error : add_timer(n, &n->quiet, neighbour_on_quiet);
	error = error < 0 ? error : add_timer(n, &n->retry, neighbour_on_retry);
	error = error < 0 ? error : add_timer(n, &n->report, on_report);
	if (error >= 0)
		neighbour_start_timer(n->retry, neighbour_now(n) + RETRY_TIME);
	return error < 0 ? error : 0;
}

int neighbours_new(
	struct neighbours **out, sd_event *event, void (*changed)(void *data), void (*rerouted)(void *data), void *data)
{
	struct neighbours *n = calloc(1, sizeof(*n));
	int error;

	if (!n)
		return -ENOMEM;
	n->loop = sd_event_ref(event);
	n->changed = changed;
	n->rerouted = rerouted;
	n->data = data;
	LIST_INIT(&n->hops);
	TAILQ_INIT(&n->tasks);
	TAILQ_INIT(&n->paced);
	/* Joins the groups before the first request, so that the daemon does not miss a change between these steps. */
	error = open_sockets(n) ?: join_loop(n) ?: neighbour_path_open(n);
	if (!error) {
		neighbour_links_load(n);
		netlink_dump_neighbours(&n->requests, adopt, n);
		*out = n;
	} else {
		neighbours_free(n);
	}
	return error;
}

static void drop(struct neighbours *n, struct watch *watch)
{
	neighbour_hop_detach(n, watch);
	neighbour_unschedule(n, &watch->task);
	free(watch);
}

void neighbours_free(struct neighbours *n)
{
	size_t i;

	if (!n)
		return;
	for (i = 0; i < n->count; i++)
		drop(n, n->watches[i]);
	free(n->watches);
	while (!LIST_EMPTY(&n->hops))
		neighbour_hop_free(n, LIST_FIRST(&n->hops));
	neighbour_links_free(n);
	neighbour_known_free(n);
	neighbour_path_close(n);
	sd_event_source_disable_unref(n->incoming);
	sd_event_source_disable_unref(n->work);
	sd_event_source_disable_unref(n->quiet);
	sd_event_source_disable_unref(n->retry);
	sd_event_source_disable_unref(n->report);
	netlink_close(&n->events);
	netlink_close(&n->requests);
	sd_event_unref(n->loop);
	free(n);
}

/* --- watches */

/* The order of the addresses as big-endian numbers: the addresses of a prefix are adjacent. */
static int compare_addresses(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct address));
}

size_t neighbour_lower_bound(struct watch *const *watches, size_t count, const struct address *address)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_addresses(&watches[middle]->address, address) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct watch *find_watch(struct watch *const *watches, size_t count, const struct address *address)
{
	size_t i = neighbour_lower_bound(watches, count, address);

	return i < count && address_equal(&watches[i]->address, address) ? watches[i] : NULL;
}

struct watch *neighbour_watch_find(const struct neighbours *n, const struct address *address)
{
	return find_watch(n->watches, n->count, address);
}

static struct watch *make_watch(struct neighbours *n, const struct address *address)
{
	struct watch *watch = allocate(1, sizeof(*watch));

	watch->address = *address;
	neighbour_schedule(n, &watch->task, STEP_LOOKUP);
	return watch;
}

int neighbours_watch(struct neighbours *n, const struct address *addresses, size_t count)
{
	struct address *sorted = allocate(count, sizeof(*sorted));
	struct watch **watches = allocate(count, sizeof(*watches));
	struct hop *hop;
	size_t i, kept = 0;

	if (count)
		memcpy(sorted, addresses, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_addresses);
	for (i = 0; i < count; i++)
		if (i == 0 || !address_equal(&sorted[i], &sorted[i - 1]))
			watches[kept++] = find_watch(n->watches, n->count, &sorted[i]) ?: make_watch(n, &sorted[i]);
	for (i = 0; i < n->count; i++)
		if (!find_watch(watches, kept, &n->watches[i]->address))
			drop(n, n->watches[i]);
	free(n->watches);
	free(sorted);
	n->watches = watches;
	n->count = kept;
	/* Releases unused hops that adopt() has found. The lookups precede this task in the queue, and may still use
	 * these hops. */
	for (hop = LIST_FIRST(&n->hops); hop; hop = LIST_NEXT(hop, member))
		if (!neighbour_hop_is_wanted(hop))
			neighbour_schedule(n, &hop->task, STEP_RELEASE);
	return 0;
}

const struct route *neighbours_route(const struct neighbours *n, const struct address *address)
{
	static const struct route unknown;
	const struct watch *watch = neighbour_watch_find(n, address);

	return watch ? &watch->route : &unknown;
}

/* The minimum time from one recheck to the next, ms. */
static uint64_t recheck_pause(const struct hop *hop)
{
	if (hop->state == ROUTE_FAILED)
		return RECHECK_ROUND;
	return hop->replies.answered >= hop->recheck_at ? RECHECK_PAUSE : RECHECK_TIME;
}

void neighbours_recheck(struct neighbours *n, const struct address *address)
{
	const struct watch *watch = find_watch(n->watches, n->count, address);
	struct hop *hop = watch ? watch->hop : NULL;

	if (!hop || !hop->ours || hop->task.step != STEP_NONE)
		return;
	if (hop->state != ROUTE_FAILED && (hop->state != ROUTE_READY || hop->replies.began))
		return; /* it is being resolved for the first time, or once more before it fails */
	if (hop->recheck_at && listening_clock_now() < hop->recheck_at + recheck_pause(hop))
		return;
	hop->recheck_at = listening_clock_now();
	neighbour_schedule(n, &hop->task, STEP_RECHECK);
}

struct neighbour_replies neighbours_replies(const struct neighbours *n, const struct address *address)
{
	const struct watch *watch = find_watch(n->watches, n->count, address);

	return watch && watch->hop ? watch->hop->replies : (struct neighbour_replies){0};
}

/* --- this machine */

static void take_locality(void *data, unsigned index, int error, const struct nlmsghdr *message)
{
	struct netlink_route found;

	(void)index;
	error = netlink_read_lookup(error, message, &found);
	*(int *)data = error ?: found.type == RTN_LOCAL;
}

uint32_t neighbours_interface_mtu(const struct neighbours *n, const char *name)
{
	const struct netlink_link *link = neighbour_link_find(n, if_nametoindex(name));

	return link ? link->mtu : 0;
}

int neighbours_is_local(struct neighbours *n, const struct address *address)
{
	struct netlink_batch batch = {};
	int local = 0, error;

	netlink_get_route(&batch, address);
	error = netlink_exchange(&n->requests, &batch, take_locality, &local);
	return error ?: local;
}
