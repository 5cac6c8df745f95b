// SPDX-License-Identifier: GPL-2.0
/* Owns the queue of what must be asked of the kernel: which tasks wait, how many go out
 * in one turn of the loop and at what pace, how each step is asked, and what becomes of
 * its answer. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include "neighbour_private.h"

/* Between two neighbours that the kernel is told to resolve. Those that are resolved
 * together are asked again together ever after, and a receive queue takes only so
 * many answers at once: of 10,000 that began within 0.3 s, 7,000 were lost. */
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
	case STEP_ASK:
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
	struct follow *follow = (struct follow *)task;
	struct netlink_route way;
	struct hop *hop;

	follow->error = netlink_read_lookup(error, message, &way);
	follow->type = way.type;
	if (follow->type == RTN_UNICAST)
		follow->way = way;
	hop = neighbour_hop_towards(n, follow);
	if (hop != follow->hop) {
		neighbour_hop_detach(n, follow);
		neighbour_hop_attach(n, follow, hop);
	} else if (hop && hop->state == ROUTE_FAILED) {
		/* Its interface may have come up, and the kernel takes up to 5 s to try again. */
		neighbour_schedule(n, &hop->task, STEP_MANAGE);
	}
	neighbour_derive(n, follow);
}

static void queried(struct neighbours *n, struct task *task, int error, const struct nlmsghdr *message)
{
	struct hop *hop = (struct hop *)task;
	struct netlink_neighbour entry;

	if (!neighbour_hop_is_wanted(hop)) /* to be released */
		return;
	if (!error && netlink_read_neighbour(message, &entry))
		neighbour_hop_learn(n, hop, &entry);
	else if (error == -ENOENT)
		neighbour_hop_forget(hop);
	else
		return neighbour_hop_refused(n, hop, error ?: -EBADMSG);
	if (!hop->fixed && !hop->managed)
		neighbour_schedule(n, &hop->task, STEP_MANAGE);
}

/* The answer comes after STEP_MANAGE. */
static void forgotten(struct neighbours *n, struct task *task, int error, const struct nlmsghdr *message)
{
	struct hop *hop = (struct hop *)task;

	(void)message;
	hop->asking = !error;
	if (neighbour_hop_is_wanted(hop))
		neighbour_schedule(n, task, error ? STEP_QUERY : STEP_MANAGE);
}

/* Whether the kernel does keep it fresh, its own messages will tell. */
static void managed(struct neighbours *n, struct task *task, int error, const struct nlmsghdr *message)
{
	struct hop *hop = (struct hop *)task;

	(void)message;
	if (!error) {
		hop->exists = hop->ours = true;
		hop->asked = !hop->asking;
		hop->asking = false;
		neighbour_hop_set(n, hop, hop->state == ROUTE_UNKNOWN ? ROUTE_PENDING : hop->state, 0, hop->mac);
	} else if (!neighbour_hop_is_wanted(hop)) {
		return;
	} else if (error == -ENOENT || error == -EEXIST) {
		neighbour_schedule(n, &hop->task, STEP_QUERY); /* somebody else was here in between */
	} else {
		neighbour_hop_refused(n, hop, error);
	}
}

static void released(struct neighbours *n, struct task *task, int error, const struct nlmsghdr *message)
{
	struct hop *hop = (struct hop *)task;

	(void)error; /* there was nothing to release */
	(void)message;
	if (!neighbour_hop_is_wanted(hop))
		neighbour_hop_free(n, hop);
	else
		neighbour_schedule(n, &hop->task, STEP_QUERY);
}

static void (*const ANSWERED[])(struct neighbours *, struct task *, int error, const struct nlmsghdr *message) = {
	[STEP_LOOKUP] = looked_up,
	[STEP_QUERY] = queried,
	[STEP_ASK] = forgotten,
	[STEP_MANAGE] = managed,
	[STEP_RELEASE] = released,
};

/* --- a turn of the loop */

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

	if (step == STEP_MANAGE && !neighbour_hop_may_manage(hop))
		return true;
	if (step != STEP_RELEASE || hop->ours)
		return false;
	neighbour_hop_free(n, hop);
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
	if (turn.batch.count && netlink_exchange(&n->requests, &turn.batch, take_answer, &turn) < 0)
		n->tasks_from = n->paced_from = time + RETRY_TIME;
	for (i = 0; i < turn.batch.count; i++)
		if (turn.task[i] && turn.task[i]->step == STEP_NONE)
			neighbour_schedule(n, turn.task[i], turn.step[i]);
	plan_work(n);
	return 0;
}
