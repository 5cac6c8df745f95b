// SPDX-License-Identifier: GPL-2.0
/* Owns the hops and the queue of requests to the kernel: which hops exist, the state of their neighbour entries, the
 * waiting requests, the rate at which they are sent, and the meaning of each answer. */
#include <errno.h>
#include <search.h>
#include <string.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include "core/base/memory.h"
#include "ctl/daemon/listening_clock.h"
#include "neighbour_private.h"

#define NUD_FIXED (NUD_PERMANENT | NUD_NOARP) /* states of entries that the kernel does not resolve */

/* The minimum time between the starts of two resolutions. If the kernel resolves many neighbours at the same time, it
 * also refreshes them at the same time, and their replies can overflow a receive queue: when 10,000 resolutions started
 * within 0.3 s, 7,000 neighbours were lost. */
#define PACE (MILLISECOND / 2)

/* --- the queue */

void neighbour_unschedule(struct neighbours *n, struct task *task)
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

void neighbour_schedule(struct neighbours *n, struct task *task, enum step step)
{
	neighbour_unschedule(n, task);
	if (step == STEP_MANAGE)
		TAILQ_INSERT_TAIL(&n->paced, task, entry);
	else
		TAILQ_INSERT_TAIL(&n->tasks, task, entry);
	task->step = step;
	plan_work(n);
}

/* --- hops */

static int compare_hops(const void *a, const void *b)
{
	return memcmp(&((const struct hop *)a)->key, &((const struct hop *)b)->key, sizeof(struct hop_key));
}

struct hop *neighbour_hop_find(const struct neighbours *n, uint32_t ifindex, const struct address *address)
{
	struct hop key = {.key = {ifindex, *address}};
	struct hop **found = tfind(&key, &n->hop_by_key, compare_hops);

	return found ? *found : NULL;
}

struct hop *neighbour_hop_make(struct neighbours *n, uint32_t ifindex, const struct address *address)
{
	struct hop *hop = allocate(1, sizeof(*hop));

	hop->key = (struct hop_key){ifindex, *address};
	if (!tsearch(hop, &n->hop_by_key, compare_hops))
		abort(); /* as allocate() does */
	LIST_INIT(&hop->watches);
	LIST_INSERT_HEAD(&n->hops, hop, member);
	return hop;
}

void neighbour_hop_free(struct neighbours *n, struct hop *hop)
{
	neighbour_unschedule(n, &hop->task);
	LIST_REMOVE(hop, member);
	tdelete(hop, &n->hop_by_key, compare_hops);
	free(hop);
}

static struct hop *hop_for(struct neighbours *n, const struct watch *watch)
{
	static const struct address none;
	const struct netlink_link *link = neighbour_link_find(n, watch->unicast.ifindex);
	const struct address *address = &watch->unicast.gateway;

	if (watch->type != RTN_UNICAST || !link || !link->ethernet)
		return NULL;
	if (address_equal(address, &none))
		address = &watch->address;
	return neighbour_hop_find(n, link->ifindex, address) ?: neighbour_hop_make(n, link->ifindex, address);
}

bool neighbour_hop_is_wanted(const struct hop *hop)
{
	return !LIST_EMPTY(&hop->watches);
}

void neighbour_hop_detach(struct neighbours *n, struct watch *watch)
{
	struct hop *hop = watch->hop;

	if (!hop)
		return;
	LIST_REMOVE(watch, member);
	watch->hop = NULL;
	if (!neighbour_hop_is_wanted(hop))
		neighbour_schedule(n, &hop->task, STEP_RELEASE);
}

static void hop_attach(struct neighbours *n, struct watch *watch, struct hop *hop)
{
	if (!hop)
		return;
	if (!neighbour_hop_is_wanted(hop))
		neighbour_schedule(n, &hop->task, STEP_QUERY);
	LIST_INSERT_HEAD(&hop->watches, watch, member);
	watch->hop = hop;
}

static void hop_set(struct neighbours *n, struct hop *hop, enum route_state state, int error, struct mac mac)
{
	struct watch *watch;

	if (hop->state == state && hop->error == error && memcmp(&hop->mac, &mac, sizeof(mac)) == 0)
		return;
	hop->state = state;
	hop->error = error;
	hop->mac = mac;
	for (watch = LIST_FIRST(&hop->watches); watch; watch = LIST_NEXT(watch, member))
		neighbour_update_route(n, watch);
}

static bool hop_may_manage(const struct hop *hop)
{
	return !hop->fixed && (!hop->managed || hop->ours);
}

/* STEP_MANAGE has started a round of requests. The kernel sends none if the entry was usable already. */
static void begin_round(struct neighbours *n, struct hop *hop)
{
	if (!hop->rechecking && !hop->replies.began)
		return;
	hop->replies.asked = listening_clock_now();
	neighbour_report(n);
}

static void end_round(struct neighbours *n, struct hop *hop, bool answered)
{
	struct neighbour_replies *replies = &hop->replies;
	const struct neighbour_replies before = *replies;

	if (answered) {
		replies->answered = before.asked ?: before.answered;
		replies->began = replies->failed = 0;
	} else {
		replies->began = before.began ?: before.asked ?: listening_clock_now();
		replies->failed = before.asked ?: before.failed;
	}
	replies->asked = 0;
	if (memcmp(replies, &before, sizeof(before)) != 0)
		neighbour_report(n);
}

/* An entry that is being resolved again gives no new information: the hop keeps its state until a reply arrives or the
 * requests fail. Before a READY hop fails, the kernel resolves it once more: the cause can be a single burst of packet
 * loss, and a failed hop moves calls. */
void neighbour_hop_learn(struct neighbours *n, struct hop *hop, const struct netlink_neighbour *entry)
{
	hop->exists = true;
	hop->fixed = entry->state & NUD_FIXED;
	hop->managed = entry->managed;
	hop->ours = entry->managed && entry->protocol == NEIGHBOUR_PROTOCOL;
	if (entry->state & NUD_FAILED)
		end_round(n, hop, false);
	if (entry->state & NUD_USABLE && !mac_is_zero(&entry->mac)) {
		hop->retried = false;
		end_round(n, hop, true);
		hop_set(n, hop, ROUTE_READY, 0, entry->mac);
	} else if (entry->state & NUD_FAILED && hop->state == ROUTE_READY && !hop->retried && hop_may_manage(hop)) {
		neighbour_schedule(n, &hop->task, STEP_MANAGE);
	} else if (entry->state & NUD_FAILED) {
		hop_set(n, hop, ROUTE_FAILED, 0, hop->mac);
	} else if (hop->state == ROUTE_UNKNOWN) {
		hop_set(n, hop, ROUTE_PENDING, 0, hop->mac);
	}
}

static void hop_refused(struct neighbours *n, struct hop *hop, int error)
{
	hop_set(n, hop, hop->state == ROUTE_READY ? ROUTE_READY : ROUTE_FAILED, error, hop->mac);
}

static void hop_forget(struct hop *hop)
{
	hop->exists = hop->fixed = hop->managed = hop->ours = false;
}

/* --- the steps: each request and its answer */

static void put_request(struct netlink_batch *batch, const struct task *task, enum step step)
{
	const struct watch *watch = (const struct watch *)task;
	const struct hop *hop = (const struct hop *)task;

	switch (step) {
	case STEP_NONE:
		return;
	case STEP_LOOKUP:
		return netlink_get_route(batch, &watch->address);
	case STEP_QUERY:
		return netlink_get_neighbour(batch, hop->key.ifindex, &hop->key.address);
	case STEP_RECHECK:
		return netlink_forget_neighbour(batch, hop->key.ifindex, &hop->key.address);
	case STEP_MANAGE:
		return netlink_manage_neighbour(
			batch, hop->key.ifindex, &hop->key.address, !hop->exists, NEIGHBOUR_PROTOCOL);
	case STEP_RELEASE:
		return netlink_release_neighbour(batch, hop->key.ifindex, &hop->key.address);
	}
}

static void looked_up(struct neighbours *n, struct task *task, int error, const struct nlmsghdr *message)
{
	struct watch *watch = (struct watch *)task;
	struct netlink_route found;
	struct hop *hop;

	watch->error = netlink_read_lookup(error, message, &found);
	watch->type = found.type;
	if (watch->type == RTN_UNICAST)
		watch->unicast = found;
	hop = hop_for(n, watch);
	if (hop != watch->hop) {
		neighbour_hop_detach(n, watch);
		hop_attach(n, watch, hop);
	} else if (hop && hop->state == ROUTE_FAILED) {
		/* The interface may be up now. Without this request, the kernel would retry only after up to 5 s. */
		neighbour_schedule(n, &hop->task, STEP_MANAGE);
	}
	neighbour_update_route(n, watch);
}

static void queried(struct neighbours *n, struct task *task, int error, const struct nlmsghdr *message)
{
	struct hop *hop = (struct hop *)task;
	struct netlink_neighbour entry;

	if (!neighbour_hop_is_wanted(hop)) /* its release is scheduled */
		return;
	if (!error && netlink_read_neighbour(message, &entry))
		neighbour_hop_learn(n, hop, &entry);
	else if (error == -ENOENT)
		hop_forget(hop);
	else
		return hop_refused(n, hop, error ?: -EBADMSG);
	if (!hop->fixed && !hop->managed)
		neighbour_schedule(n, &hop->task, STEP_MANAGE);
}

/* The recheck gets its reply after STEP_MANAGE. */
static void forgotten(struct neighbours *n, struct task *task, int error, const struct nlmsghdr *message)
{
	struct hop *hop = (struct hop *)task;

	(void)message;
	hop->rechecking = !error;
	if (neighbour_hop_is_wanted(hop))
		neighbour_schedule(n, task, error ? STEP_QUERY : STEP_MANAGE);
}

/* A later notification of the kernel confirms that it keeps the entry fresh. */
static void managed(struct neighbours *n, struct task *task, int error, const struct nlmsghdr *message)
{
	struct hop *hop = (struct hop *)task;

	(void)message;
	if (!error) {
		hop->exists = hop->ours = true;
		hop->retried = !hop->rechecking;
		begin_round(n, hop);
		hop->rechecking = false;
		hop_set(n, hop, hop->state == ROUTE_UNKNOWN ? ROUTE_PENDING : hop->state, 0, hop->mac);
	} else if (!neighbour_hop_is_wanted(hop)) {
		return;
	} else if (error == -ENOENT || error == -EEXIST) {
		neighbour_schedule(
			n, &hop->task, STEP_QUERY); /* another program has changed the entry in the meantime */
	} else {
		hop_refused(n, hop, error);
	}
}

static void released(struct neighbours *n, struct task *task, int error, const struct nlmsghdr *message)
{
	struct hop *hop = (struct hop *)task;

	(void)error; /* nothing to release */
	(void)message;
	if (!neighbour_hop_is_wanted(hop))
		neighbour_hop_free(n, hop);
	else
		neighbour_schedule(n, &hop->task, STEP_QUERY);
}

static void (*const ANSWERED[])(struct neighbours *, struct task *, int error, const struct nlmsghdr *message) = {
	[STEP_LOOKUP] = looked_up,
	[STEP_QUERY] = queried,
	[STEP_RECHECK] = forgotten,
	[STEP_MANAGE] = managed,
	[STEP_RELEASE] = released,
};

/* --- a turn of the loop */

/* The requests of one turn of the loop. */
struct turn {
	struct neighbours *n;
	struct netlink_batch batch;
	struct task *task[NETLINK_BATCH]; /* NULL: answered */
	enum step step[NETLINK_BATCH];
};

static void handle_answer(void *data, unsigned index, int error, const struct nlmsghdr *message)
{
	struct turn *turn = data;
	struct task *task = turn->task[index];

	turn->task[index] = NULL;
	if (task)
		ANSWERED[turn->step[index]](turn->n, task, error, message);
}

/* Is the request no longer needed? */
static bool dismiss(struct neighbours *n, struct task *task, enum step step)
{
	struct hop *hop = (struct hop *)task;

	if (step == STEP_MANAGE && !hop_may_manage(hop))
		return true;
	if (step != STEP_RELEASE || hop->ours)
		return false;
	neighbour_hop_free(n, hop);
	return true;
}

/* Removes and returns the next task that is due at this time. */
static struct task *next_task(struct neighbours *n, uint64_t time, enum step *step)
{
	struct task *task = time < n->tasks_from ? NULL : TAILQ_FIRST(&n->tasks);

	if (!task && time >= n->paced_from)
		task = TAILQ_FIRST(&n->paced);
	if (task) {
		*step = task->step;
		neighbour_unschedule(n, task);
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

int neighbour_on_work(sd_event_source *source, uint64_t usec, void *data)
{
	struct neighbours *n = data;
	struct turn turn = {.n = n};
	uint64_t time = neighbour_now(n);
	unsigned i;

	(void)source;
	(void)usec;
	fill_turn(&turn, time);
	if (turn.batch.count && netlink_exchange(&n->requests, &turn.batch, handle_answer, &turn) < 0)
		n->tasks_from = n->paced_from = time + RETRY_TIME;
	for (i = 0; i < turn.batch.count; i++)
		if (turn.task[i] && turn.task[i]->step == STEP_NONE)
			neighbour_schedule(n, turn.task[i], turn.step[i]);
	plan_work(n);
	return 0;
}
