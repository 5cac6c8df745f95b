// SPDX-License-Identifier: GPL-2.0
/* See call_exchange.h. */

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include "core/base/memory.h"
#include "core/farm/call_names.h"
#include "core/group/group_calls.h"
#include "ctl/daemon/log.h"
#include "ctl/maps/clock.h"
#include "ctl/maps/ring.h"
#include "call_exchange.h"
#include "call_writer.h"

/* Changes are collected for this time. A member therefore sends at most 50,000 changes a second: further ones wait in
 * the ring buffer, and the program counts those for which it has no room. */
#define COLLECT_USEC 20000
#define CHANGES_AT_A_TIME 1000

/* While so many bytes wait for corosync, changes stay in the ring buffer. */
#define BACKLOG_MAX (1 << 20)

#define LOST_MSEC 600000 /* how long status warns of lost changes */

/* The members begin to record a slot up to 90 ms apart. A change that arrives before is applied again later. */
#define HELD_MSEC 300
#define HELD_MAX CALL_BATCH

/* A change of a slot that does not migrate here. */
struct held_change {
	uint64_t until; /* ms */
	struct group_call_target target;
	struct call_change change;
};

struct call_exchange {
	struct daemon *daemon;
	struct group_link *link; /* NULL: not connected */
	uint32_t maps;           /* id of the maps of the members below; 0: they are not open */
	uint32_t slots;          /* of these maps */
	struct ring_buffer *ring;
	struct call_writer *writer;
	sd_event_source *readable;
	sd_event_source *timer; /* the end of COLLECT_USEC */
	size_t turn_count;      /* changes read in this turn */
	struct group_call_batch batch;
	struct held_change held[HELD_MAX]; /* in the order of their arrival */
	size_t held_count;
	struct call_names *names; /* of these maps */
	uint64_t renames;         /* of the daemon, when they were read */
	bool missed;              /* call_exchange_has_missed() */
	int error;                /* the last error logged */
	struct call_exchange_counts counts;
	uint64_t lost_before; /* `lost` of the maps when they were opened */
	uint64_t lost_last;   /* `lost` of the counts at the last update */
	uint64_t lost_at;     /* ms: when it last rose; 0: never */
};

/* --- names */

/* While the loader switches to new maps, packets still use the previous ones, and the daemon fills the new ones. */
static bool has_current_maps(const struct call_exchange *exchange)
{
	return exchange->maps && exchange->maps == maps_id(exchange->daemon->maps);
}

/* The names in the maps that are open here. */
static struct call_names *open_names(struct call_exchange *exchange)
{
	const struct daemon *daemon = exchange->daemon;

	if (has_current_maps(exchange) && exchange->renames != daemon->renames) {
		exchange->missed |= call_names_fill(exchange->names, daemon->running);
		exchange->renames = daemon->renames;
	}
	return exchange->names;
}

static uint64_t scope_of(const struct call_exchange *exchange)
{
	const struct daemon *daemon = exchange->daemon;

	return group_call_scope(
		daemon->farm->config->hash_key, exchange->maps ? exchange->slots : daemon->running->contract.slots);
}

/* --- changes of this balancer */

static void send_batch(struct call_exchange *exchange)
{
	struct group_call_batch *batch = &exchange->batch;
	uint8_t message[GROUP_MESSAGE_SIZE];

	if (!batch->change_count)
		return;
	batch->scope = scope_of(exchange);
	if (group_link_send(exchange->link, message, group_encode_call_changes(batch, message)))
		exchange->counts.lost += batch->change_count;
	else
		exchange->counts.sent += batch->change_count;
	batch->target_count = batch->change_count = 0;
}

/* Returning an error ends the turn. libbpf has consumed the record by then. */
static int on_change(void *data, void *record, size_t size)
{
	struct call_exchange *exchange = data;
	const struct call_change *change = record;
	struct group_call_target target;

	(void)size;
	if (!call_names_at(open_names(exchange), change->key.pool, change->backend, &target)) {
		exchange->counts.lost++;
	} else if (!group_call_batch_add(&exchange->batch, &target, change)) {
		send_batch(exchange);
		group_call_batch_add(&exchange->batch, &target, change);
	}
	return ++exchange->turn_count < CHANGES_AT_A_TIME ? 0 : -EAGAIN;
}

/* Reads what has been collected, and collects for a further COLLECT_USEC. If there was nothing, waits for the next
 * change. */
static int on_collected(sd_event_source *source, uint64_t usec, void *data)
{
	struct call_exchange *exchange = data;
	bool may_read = exchange->link && group_link_backlog(exchange->link) < BACKLOG_MAX;

	(void)usec;
	exchange->turn_count = 0;
	if (may_read) {
		ring_buffer__consume(exchange->ring);
		send_batch(exchange);
	}
	if (may_read && !exchange->turn_count) {
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		return sd_event_source_set_enabled(exchange->readable, SD_EVENT_ON);
	}
	sd_event_source_set_time_relative(source, COLLECT_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Corosync works for a while after each message. If all members send at the same time, it works once for all of them.
 * A member therefore sends with the others when half of its time has passed. */
static void collect_with_others(struct call_exchange *exchange)
{
	uint64_t now, end;

	if (sd_event_source_get_enabled(exchange->timer, NULL) > 0 &&
		sd_event_source_get_time(exchange->timer, &end) >= 0 &&
		sd_event_now(exchange->daemon->event, CLOCK_MONOTONIC, &now) >= 0 && end < now + COLLECT_USEC / 2)
		on_collected(exchange->timer, now, exchange);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct call_exchange *exchange = data;

	(void)fd, (void)events;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	sd_event_source_set_time_relative(exchange->timer, COLLECT_USEC);
	return sd_event_source_set_enabled(exchange->timer, SD_EVENT_ONESHOT);
}

/* --- from other members */

static void find_all(struct call_exchange *exchange, const struct group_call_changes *list, struct call_ids *ids)
{
	struct call_names *names = open_names(exchange);

	for (size_t i = 0; i < list->target_count; i++) {
		const struct group_call_target target = group_call_target_at(list, i);

		ids[i] = call_names_find(names, &target);
	}
}

static void run_writer(struct call_exchange *exchange)
{
	struct call_batch *batch = call_writer_batch(exchange->writer);

	if (call_writer_run(exchange->writer))
		exchange->counts.failed++;
	else
		exchange->counts.applied += batch->applied;
	if (batch->unsearched)
		daemon_on_changed(exchange->daemon); /* the next plan sets pool.balanced */
	batch->change_count = batch->copy_count = 0;
}

/* Adds a change to the batch of call_writer. */
static void put_change(struct call_exchange *exchange, const struct call_change *change, const struct call_ids *ids)
{
	struct call_batch *batch = call_writer_batch(exchange->writer);
	struct call_change *put = &batch->changes[batch->change_count++];

	*put = *change;
	put->key.pool = ids->pool;
	put->backend = ids->backend;
	put->flags &= ~CALL_CHANGE_IGNORED;
}

/* Was the change with this index in the last batch ignored? */
static bool is_ignored(const struct call_exchange *exchange, size_t index)
{
	return call_writer_batch(exchange->writer)->changes[index].flags & CALL_CHANGE_IGNORED;
}

/* Applies the held changes again, and keeps those that are ignored again. Call it before later changes are applied: an
 * end must not precede its beginning. */
static void apply_held(struct call_exchange *exchange)
{
	const uint64_t now = clock_msec();
	struct held_change *held = exchange->held;
	struct call_names *names = open_names(exchange);
	size_t count = 0, kept = 0;
	struct call_ids ids;

	for (size_t i = 0; i < exchange->held_count; i++) {
		if (now >= held[i].until)
			continue;
		ids = call_names_find(names, &held[i].target);
		if (!ids.backend)
			continue;
		put_change(exchange, &held[i].change, &ids);
		held[count++] = held[i];
	}
	if (count)
		run_writer(exchange);
	for (size_t i = 0; i < count; i++)
		if (is_ignored(exchange, i))
			held[kept++] = held[i];
	exchange->held_count = kept;
}

static void hold(
	struct call_exchange *exchange, const struct group_call_target *target, const struct call_change *change)
{
	if (exchange->held_count < HELD_MAX)
		exchange->held[exchange->held_count++] =
			(struct held_change){clock_msec() + HELD_MSEC, *target, *change};
}

static void apply(struct call_exchange *exchange, const struct group_call_changes *changes, const struct call_ids *ids)
{
	size_t target, put = 0;

	for (size_t i = 0; i < changes->change_count; i++) {
		const struct call_change change = group_call_change_at(changes, i, &target);

		if (ids[target].backend)
			put_change(exchange, &change, &ids[target]);
		else
			exchange->counts.unknown++;
	}
	run_writer(exchange);
	for (size_t i = 0; i < changes->change_count; i++) {
		const struct call_change change = group_call_change_at(changes, i, &target);
		const struct group_call_target name = group_call_target_at(changes, target);

		if (ids[target].backend && is_ignored(exchange, put++))
			hold(exchange, &name, &change);
	}
}

/* Can this balancer use what a member with this scope sends? */
static bool is_usable(struct call_exchange *exchange, uint64_t scope)
{
	exchange->counts.foreign += scope != scope_of(exchange);
	return exchange->writer && scope == scope_of(exchange);
}

void call_exchange_receive(struct call_exchange *exchange, const struct group_message *message)
{
	struct call_ids ids[GROUP_CALL_TARGETS_MAX] = {0};
	struct group_call_changes changes;

	if (group_decode_call_changes(message, &changes)) {
		exchange->counts.invalid++;
		return;
	}
	exchange->counts.received += changes.change_count;
	if (!is_usable(exchange, changes.scope))
		return;
	apply_held(exchange);
	find_all(exchange, &changes, ids);
	apply(exchange, &changes, ids);
	collect_with_others(exchange);
}

void call_exchange_receive_calls(struct call_exchange *exchange, const struct group_calls *calls)
{
	struct call_ids ids[GROUP_CALL_TARGETS_MAX] = {0};
	struct call_batch *batch;
	size_t target;

	if (!is_usable(exchange, calls->list.scope))
		return;
	find_all(exchange, &calls->list, ids);
	batch = call_writer_batch(exchange->writer);
	for (size_t i = 0; i < calls->list.change_count; i++) {
		struct call_copy copy = group_call_at(calls, i, clock_seconds(), &target);

		if (!ids[target].backend) {
			exchange->counts.unknown++;
			continue;
		}
		copy.key.pool = ids[target].pool;
		copy.call.backend = ids[target].backend;
		batch->copies[batch->copy_count++] = copy;
	}
	run_writer(exchange);
}

void call_exchange_keep_ended(struct call_exchange *exchange, bool keep)
{
	if (exchange->writer)
		call_writer_batch(exchange->writer)->keeps_ended = keep;
}

uint32_t call_exchange_maps(const struct call_exchange *exchange)
{
	return exchange->maps;
}

/* The program also counts changes in the element that contains the lease, so a program in the kernel writes it. */
void call_exchange_renew(struct call_exchange *exchange, uint64_t lease)
{
	struct call_batch *batch = call_writer_batch(exchange->writer);

	apply_held(exchange);
	batch->lease = lease;
	batch->change_count = batch->copy_count = 0;
	run_writer(exchange);
	batch->lease = 0;
}

bool call_exchange_has_missed(struct call_exchange *exchange)
{
	open_names(exchange);
	return exchange->missed && has_current_maps(exchange);
}

void call_exchange_forget_missed(struct call_exchange *exchange)
{
	exchange->missed = false;
}

bool call_exchange_name(struct call_exchange *exchange, uint32_t pool, uint32_t backend, struct group_call_target *out)
{
	return call_names_at(open_names(exchange), pool, backend, out);
}

uint64_t call_exchange_scope(const struct call_exchange *exchange)
{
	return scope_of(exchange);
}

bool call_exchange_is_open(const struct call_exchange *exchange)
{
	return has_current_maps(exchange) && exchange->link;
}

bool call_exchange_is_backed_up(const struct call_exchange *exchange)
{
	return !exchange->link || group_link_backlog(exchange->link) >= BACKLOG_MAX;
}

struct call_exchange_counts call_exchange_counts(const struct call_exchange *exchange)
{
	struct call_exchange_counts counts = exchange->counts;

	if (has_current_maps(exchange))
		counts.lost += maps_lost_changes(exchange->daemon->maps) - exchange->lost_before;
	return counts;
}

/* --- start and end */

static void close_maps(struct call_exchange *exchange)
{
	sd_event_source_disable_unref(exchange->readable);
	sd_event_source_disable_unref(exchange->timer);
	ring_buffer__free(exchange->ring);
	call_writer_free(exchange->writer);
	exchange->readable = exchange->timer = NULL;
	exchange->ring = NULL;
	exchange->writer = NULL;
	exchange->held_count = 0;
	exchange->maps = 0;
}

static int open_maps(struct call_exchange *exchange)
{
	struct daemon *daemon = exchange->daemon;
	int error = call_writer_new(&exchange->writer, daemon->pin_directory);

	if (!error)
		error = ring_open(&exchange->ring, daemon->pin_directory, "call_changes", on_change, exchange);
	if (!error)
		error = sd_event_add_io(daemon->event, &exchange->readable, ring_buffer__epoll_fd(exchange->ring),
			EPOLLIN, on_readable, exchange);
	if (error >= 0)
		error = sd_event_add_time_relative(
			daemon->event, &exchange->timer, CLOCK_MONOTONIC, 0, 1, on_collected, exchange);
	if (error < 0)
		return error;
	exchange->maps = maps_id(daemon->maps);
	exchange->slots = daemon->running->contract.slots;
	exchange->missed = true; /* changes that arrived while packets used these maps and the exchange did not */
	exchange->lost_before = maps_lost_changes(daemon->maps);
	return 0;
}

/* While the loader switches to new maps, packets use the previous ones, whose ring buffer stays open. The program must
 * collect changes from its first packet on. */
static void follow_maps(struct call_exchange *exchange, bool in_group)
{
	struct daemon *daemon = exchange->daemon;
	int error = maps_share_calls(daemon->maps, in_group);

	if (error)
		log_error("cannot write the map punt_readers: %s; trying again every second", strerror(-error));
	if (daemon->using_next_maps || (in_group && has_current_maps(exchange)))
		return;
	if (exchange->maps)
		on_collected(exchange->timer, 0, exchange); /* the last changes that packets have written there */
	close_maps(exchange);
	if (!in_group)
		return;
	error = open_maps(exchange);
	if (error)
		close_maps(exchange);
	if (error && error != exchange->error)
		log_error(
			"cannot share the calls with the other balancers of the group: %s%s; trying again every second",
			strerror(-error),
			error == -ENOENT ? " (the kernel has refused the program " PIN_CALL_WRITER
					   ", see 'sipxdp-loader upgrade')"
					 : "");
	exchange->error = error;
}

void call_exchange_update(struct call_exchange *exchange, bool in_group, struct group_link *link)
{
	uint64_t lost;

	exchange->link = link;
	follow_maps(exchange, in_group);
	lost = call_exchange_counts(exchange).lost;
	if (lost > exchange->lost_last)
		exchange->lost_at = clock_msec();
	exchange->lost_last = lost;
}

bool call_exchange_loses(const struct call_exchange *exchange)
{
	return exchange->lost_at && clock_msec() < exchange->lost_at + LOST_MSEC;
}

struct call_exchange *call_exchange_new(struct daemon *daemon)
{
	struct call_exchange *exchange = allocate(1, sizeof(*exchange));

	exchange->daemon = daemon;
	exchange->names = call_names_new();
	return exchange;
}

void call_exchange_free(struct call_exchange *exchange)
{
	if (!exchange)
		return;
	close_maps(exchange);
	call_names_free(exchange->names);
	free(exchange);
}
