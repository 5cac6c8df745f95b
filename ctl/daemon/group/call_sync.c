// SPDX-License-Identifier: GPL-2.0
/* See call_sync.h. The order of messages makes this complete: this member applies every change that comes after its
 * question, and the member that answers has applied every change before it. */

#include "core/base/memory.h"
#include "core/group/group.h"
#include "ctl/daemon/listening_clock.h"
#include "ctl/daemon/log.h"
#include "ctl/maps/clock.h"
#include "call_sync.h"
#include "group_watch.h"
#include "transfer_watch.h"

#define PART_USEC 5000   /* between two parts of an answer */
#define WAIT_USEC 50000  /* while messages wait for corosync, or the maps change */
#define ANSWER_MSEC 5000 /* until the next member is asked */

struct call_sync {
	struct daemon *daemon;
	struct call_exchange *exchange;
	bool reconciled; /* since this balancer agrees with the group, its maps have the migrating slots of the group */
	bool began;      /* it has asked */
	bool done;       /* all calls have arrived, or no member has answered */
	struct group_id asked;
	uint64_t asked_at; /* ms */

	struct group_id
		queue[GROUP_MEMBERS_MAX]; /* members that have asked; node 0: the calls are sent without a question */
	size_t queued;
	uint64_t cursor; /* of maps_next_tracked_calls() */
	uint16_t flags;  /* of the next message */
	sd_event_source *timer;
	struct tracked_key keys[COUNTED_BATCH];
	struct tracked_call calls[COUNTED_BATCH];
	struct group_calls_batch batch;
};

static void send_batch(struct call_sync *sync, uint16_t flags)
{
	uint8_t message[GROUP_MESSAGE_SIZE];

	sync->batch.scope = call_exchange_scope(sync->exchange);
	group_watch_send(
		sync->daemon->group_watch, message, group_encode_calls(&sync->batch, flags, clock_seconds(), message));
	sync->batch.target_count = sync->batch.call_count = 0;
}

/* --- giving */

static void send_part_of_set(struct call_sync *sync, uint16_t more)
{
	sync->batch.to = *sync->queue;
	send_batch(sync, sync->flags | more);
	sync->flags = 0;
}

static void add_call(struct call_sync *sync, const struct tracked_key *key, const struct tracked_call *call)
{
	const struct call_copy copy = {*key, *call};
	struct group_call_target target;

	if (!call_exchange_name(sync->exchange, key->pool, call->backend, &target) ||
		group_calls_batch_add(&sync->batch, &target, &copy))
		return;
	send_part_of_set(sync, 0);
	group_calls_batch_add(&sync->batch, &target, &copy);
}

/* Sends the next part of the map. If it cannot be read, the answer is incomplete, but the member that has asked does
 * not wait for it. */
static void send_part(struct call_sync *sync)
{
	const struct image *running = sync->daemon->running;
	int count = 0;

	if (image_is_migrating(running))
		count = maps_next_tracked_calls(sync->daemon->maps, &sync->cursor, sync->keys, sync->calls);
	else
		sync->cursor = 0;
	for (int i = 0; i < count; i++)
		if (sync->keys[i].pool < running->contract.pools && running->pools[sync->keys[i].pool].migrating)
			add_call(sync, &sync->keys[i], &sync->calls[i]);
	if (count < 0)
		log_error("group: cannot read the map tracked_calls: %s", strerror(-count));
	if (sync->cursor)
		return;
	send_part_of_set(sync, GROUP_LAST);
	memmove(sync->queue, sync->queue + 1, --sync->queued * sizeof(*sync->queue));
	sync->flags = GROUP_FIRST;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct call_sync *sync = data;
	bool waits = sync->daemon->using_next_maps || call_exchange_is_backed_up(sync->exchange);

	(void)usec;
	if (sync->queued && !waits)
		send_part(sync);
	if (!sync->queued)
		return 0;
	sd_event_source_set_time_relative(source, waits ? WAIT_USEC : PART_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void answer(struct call_sync *sync, struct group_id to)
{
	for (size_t i = 0; i < sync->queued; i++)
		if (group_id_equal(sync->queue[i], to) && (i || !sync->cursor))
			return;
	if (sync->queued == GROUP_MEMBERS_MAX)
		return;
	if (!sync->queued) {
		sync->cursor = 0;
		sync->flags = GROUP_FIRST;
	}
	sync->queue[sync->queued++] = to;
	if (!sync->timer && sd_event_add_time_relative(
				    sync->daemon->event, &sync->timer, CLOCK_MONOTONIC, 0, 1, on_timer, sync) < 0)
		return;
	sd_event_source_set_time_relative(sync->timer, 0);
	sd_event_source_set_enabled(sync->timer, SD_EVENT_ONESHOT);
}

/* --- asking */

static void finish(struct call_sync *sync)
{
	sync->done = true;
	call_exchange_keep_ended(sync->exchange, false);
	daemon_on_changed(sync->daemon);
}

static void ask_next(struct call_sync *sync, const struct group *group)
{
	const struct group_member *member = group_member_after(group, sync->asked);

	if (!member) {
		finish(sync);
		return;
	}
	sync->asked = member->id;
	sync->asked_at = listening_clock_now();
	call_exchange_keep_ended(sync->exchange, true);
	sync->batch.to = member->id;
	send_batch(sync, GROUP_ASK);
}

void call_sync_reconciled(struct call_sync *sync)
{
	const struct group *group = group_watch_group(sync->daemon->group_watch);

	sync->reconciled |= group && group_state(group, listening_clock_now()) == GROUP_AGREEING &&
			    !transfer_watch_is_waiting(sync->daemon->transfer_watch);
}

void call_sync_update(struct call_sync *sync)
{
	const struct group *group = group_watch_group(sync->daemon->group_watch);
	uint64_t now = listening_clock_now();

	if (!group || group_state(group, now) != GROUP_AGREEING) {
		sync->reconciled = sync->began = sync->done = false;
		return;
	}
	if (!sync->reconciled || sync->done || !call_exchange_is_open(sync->exchange) || sync->batch.call_count)
		return;
	if (!sync->began) {
		sync->began = true;
		sync->asked = (struct group_id){0};
		answer(sync, sync->asked);
		ask_next(sync, group);
	} else if (now >= sync->asked_at + ANSWER_MSEC) {
		ask_next(sync, group);
	}
}

void call_sync_take(struct call_sync *sync, struct group_id from, const struct group_message *message)
{
	const struct group_id self = group_self(group_watch_group(sync->daemon->group_watch));
	struct group_calls calls;

	if (group_decode_calls(message, &calls))
		return;
	if (message->flags & GROUP_ASK) {
		if (group_id_equal(calls.to, self))
			answer(sync, from);
		return;
	}
	call_exchange_receive_calls(sync->exchange, &calls);
	if (message->flags & GROUP_LAST && group_id_equal(calls.to, self) && group_id_equal(from, sync->asked) &&
		!sync->done)
		finish(sync);
}

bool call_sync_is_waiting(const struct call_sync *sync)
{
	return !sync->done;
}

/* --- start and end */

struct call_sync *call_sync_new(struct daemon *daemon, struct call_exchange *exchange)
{
	struct call_sync *sync = allocate(1, sizeof(*sync));

	sync->daemon = daemon;
	sync->exchange = exchange;
	return sync;
}

void call_sync_free(struct call_sync *sync)
{
	if (!sync)
		return;
	sd_event_source_disable_unref(sync->timer);
	free(sync);
}
