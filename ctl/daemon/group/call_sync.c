// SPDX-License-Identifier: GPL-2.0
/* See call_sync.h. The order of messages makes this complete: this member applies every change that comes after its
 * question, and the member that answers has applied every change before it. */

#include "core/base/memory.h"
#include "core/group/group_asking.h"
#include "ctl/daemon/listening_clock.h"
#include "ctl/daemon/log.h"
#include "ctl/maps/clock.h"
#include "call_sync.h"
#include "group_watch.h"
#include "transfer_watch.h"

#define PART_USEC 5000  /* between two parts of an answer */
#define WAIT_USEC 50000 /* while messages wait for corosync, or the maps change */

struct call_sync {
	struct daemon *daemon;
	struct call_exchange *exchange;
	bool reconciled; /* since this balancer agrees with the group, its maps have the migrating slots of the group */
	bool began;      /* it has asked */
	bool done;       /* all calls have arrived once, or no member has answered */
	struct group_asking asking;

	struct group_id
		queue[GROUP_MEMBERS_MAX]; /* members that have asked; node 0: the calls are sent without a question */
	size_t queued;
	uint64_t cursor; /* of maps_next_tracked_calls() or maps_next_counted_calls() */
	bool counted;    /* the cursor is in counted_calls */
	uint16_t flags;  /* of the next message */
	sd_event_source *timer;
	struct tracked_key keys[COUNTED_BATCH];
	struct tracked_call calls[COUNTED_BATCH];
	struct group_calls_batch batch;
};

static void send_calls(struct call_sync *sync, struct group_calls_batch *batch, uint16_t flags)
{
	uint8_t message[GROUP_MESSAGE_SIZE];

	batch->scope = call_exchange_scope(sync->exchange);
	group_watch_send(
		sync->daemon->group_watch, message, group_encode_calls(batch, flags, clock_seconds(), message));
	batch->target_count = batch->call_count = 0;
}

/* Sends a message without calls. */
static void send_flags(struct call_sync *sync, struct group_id to, uint16_t flags)
{
	struct group_calls_batch none = {.to = to};

	send_calls(sync, &none, flags);
}

/* --- giving */

static void send_part_of_set(struct call_sync *sync, uint16_t more)
{
	sync->batch.to = *sync->queue;
	send_calls(sync, &sync->batch, sync->flags | more);
	sync->flags = 0;
}

static void add_call(
	struct call_sync *sync, const struct tracked_key *key, const struct tracked_call *call, uint32_t flags)
{
	const struct call_copy copy = {.key = *key, .call = *call, .flags = flags};
	struct group_call_target target;

	if (!call_exchange_name(sync->exchange, key->pool, call->backend, &target) ||
		group_calls_batch_add(&sync->batch, &target, &copy))
		return;
	send_part_of_set(sync, 0);
	group_calls_batch_add(&sync->batch, &target, &copy);
}

/* Reads the next part of a map. The cursor is 0 if nothing follows. */
static void read_part(struct call_sync *sync)
{
	const struct daemon *daemon = sync->daemon;
	const struct image *running = daemon->running;
	int count = 0;

	if (sync->counted)
		count = maps_next_counted_calls(daemon->maps, &sync->cursor, sync->keys, sync->calls);
	else if (image_is_migrating(running))
		count = maps_next_tracked_calls(daemon->maps, &sync->cursor, sync->keys, sync->calls);
	else
		sync->cursor = 0;
	for (int i = 0; i < count; i++)
		if (sync->keys[i].pool < running->contract.pools &&
			(sync->counted || running->pools[sync->keys[i].pool].migrating))
			add_call(sync, &sync->keys[i], &sync->calls[i], sync->counted ? CALL_CHANGE_COUNTED : 0);
	if (count < 0)
		log_error("group: cannot read the map %s: %s", sync->counted ? "counted_calls" : "tracked_calls",
			strerror(-count));
}

/* Sends the next part of the two maps. If one cannot be read, the answer is incomplete, but the member that has asked
 * does not wait for it. */
static void send_part(struct call_sync *sync)
{
	read_part(sync);
	if (sync->cursor)
		return;
	sync->counted = !sync->counted;
	if (sync->counted)
		return;
	send_part_of_set(sync, GROUP_LAST);
	memmove(sync->queue, sync->queue + 1, --sync->queued * sizeof(*sync->queue));
	sync->flags = GROUP_FIRST;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct call_sync *sync = data;
	bool waits = !call_exchange_is_open(sync->exchange) || call_exchange_is_backed_up(sync->exchange);

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
		if (group_id_equal(sync->queue[i], to) && (i || !(sync->cursor || sync->counted)))
			return;
	if (sync->queued == GROUP_MEMBERS_MAX)
		return;
	if (!sync->queued) {
		sync->cursor = 0;
		sync->counted = false;
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
	if (!sync->done)
		daemon_on_changed(sync->daemon);
	sync->done = true;
	call_exchange_keep_ended(sync->exchange, false);
}

static void ask_next(struct call_sync *sync, const struct group *group)
{
	if (!group_asking_next(&sync->asking, group, listening_clock_now())) {
		finish(sync);
		return;
	}
	call_exchange_keep_ended(sync->exchange, true);
	send_flags(sync, sync->asking.asked, sync->asking.flags);
}

static void ask(struct call_sync *sync, const struct group *group)
{
	call_exchange_forget_missed(sync->exchange);
	group_asking_begin(&sync->asking, !maps_are_filled(sync->daemon->maps));
	ask_next(sync, group);
}

void call_sync_reconciled(struct call_sync *sync)
{
	const struct group *group = group_watch_group(sync->daemon->group_watch);

	sync->reconciled |= group && group_state(group, listening_clock_now()) == GROUP_AGREEING &&
			    !transfer_watch_is_waiting(sync->daemon->transfer_watch);
}

static void forget(struct call_sync *sync)
{
	sync->reconciled = sync->began = sync->asking.waits = sync->done = false;
}

/* Members that wait for an answer ask the next one: a rest from the new maps would seem to complete it. */
void call_sync_restart(struct call_sync *sync)
{
	forget(sync);
	sync->queued = 0;
}

void call_sync_update(struct call_sync *sync)
{
	const struct group *group = group_watch_group(sync->daemon->group_watch);
	uint64_t now = listening_clock_now();

	if (!group || group_state(group, now) != GROUP_AGREEING) {
		forget(sync);
		return;
	}
	if (!sync->reconciled || !call_exchange_is_open(sync->exchange))
		return;
	if (!sync->began) {
		sync->began = true;
		answer(sync, (struct group_id){0});
		ask(sync, group);
	} else if (!group_asking_has_paused(&sync->asking, now)) {
		return;
	} else if (sync->asking.waits) {
		ask_next(sync, group);
	} else if (call_exchange_has_missed(sync->exchange)) {
		ask(sync, group);
	}
}

static void take_question(struct call_sync *sync, struct group_id from, uint16_t flags)
{
	if (group_asking_may_answer(flags, sync->done, maps_are_filled(sync->daemon->maps)))
		answer(sync, from);
	else
		send_flags(sync, from, GROUP_LAST | GROUP_NONE);
}

void call_sync_take(struct call_sync *sync, struct group_id from, const struct group_message *message)
{
	const struct group *group = group_watch_group(sync->daemon->group_watch);
	struct group_calls calls;
	bool is_for_us;

	if (group_decode_calls(message, &calls))
		return;
	is_for_us = group_id_equal(calls.to, group_self(group));
	if (message->flags & GROUP_ASK) {
		if (is_for_us)
			take_question(sync, from, message->flags);
		return;
	}
	call_exchange_receive_calls(sync->exchange, &calls);
	switch (group_asking_take(&sync->asking, from, message->flags, is_for_us, listening_clock_now())) {
	case GROUP_ASKING_REFUSED:
		ask_next(sync, group);
		break;
	case GROUP_ASKING_COMPLETE:
		finish(sync);
		break;
	case GROUP_ASKING_WAITS:
		break;
	}
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
