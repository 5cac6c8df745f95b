// SPDX-License-Identifier: GPL-2.0
/* See call_lease.h. */

#include "call_lease.h"
#include "core/base/memory.h"
#include "ctl/daemon/listening_clock.h"
#include "ctl/daemon/log.h"
#include "ctl/maps/clock.h"
#include "group_watch.h"

#define BEAT_MSEC 50   /* between two messages that must return */
#define LEASE_MSEC 250 /* the permission that a message gives, from its sending */

struct call_lease {
	struct daemon *daemon;
	struct call_exchange *exchange;
	sd_event_source *timer;
	uint32_t maps;    /* id of the maps that have the permission */
	uint64_t sent;    /* the last beat: ms of listening_clock_now(), which the message contains */
	uint64_t sent_at; /* the same, clock_msec() */
	uint64_t end;     /* of the permission: clock_msec(); UINT64_MAX: never */
	uint64_t lacked;  /* when there was last none, clock_msec(); 0: never */
	bool runs;        /* slots migrate or calls are placed, and the timer is on */
	bool had_ended;   /* what was last logged */
};

static bool is_needed(const struct call_lease *lease)
{
	const struct image *running = lease->daemon->running;

	return group_watch_group(lease->daemon->group_watch) && call_exchange_maps(lease->exchange) &&
	       (image_is_migrating(running) || image_places_calls(running));
}

bool call_lease_has_ended(const struct call_lease *lease)
{
	return lease->runs && clock_msec() >= lease->end;
}

uint64_t call_lease_lacked(const struct call_lease *lease)
{
	return lease->lacked;
}

static void log_end(struct call_lease *lease)
{
	const char *name = group_watch_membership(lease->daemon->group_watch)->name;
	bool ended = call_lease_has_ended(lease);

	if (ended != lease->had_ended)
		log_event(LOG_INFO, LOG_FIELDS({"event", "group_placement"}, {"group", name}), "group %s: %s", name,
			ended ? CALL_LEASE_ENDED : CALL_LEASE_RETURNED);
	lease->had_ended = ended;
}

static void renew(struct call_lease *lease, uint64_t end)
{
	if (end <= lease->end)
		return;
	lease->end = end;
	call_exchange_renew(lease->exchange, end == UINT64_MAX ? end : end * 1000000);
}

static void withdraw(struct call_lease *lease)
{
	if (lease->end && lease->end <= clock_msec())
		return;
	lease->end = 0;
	renew(lease, clock_msec());
}

/* Maps that have had no permission from here may have one that does not end: from a daemon that was alone. */
static void follow_maps(struct call_lease *lease)
{
	if (lease->maps == call_exchange_maps(lease->exchange))
		return;
	lease->maps = call_exchange_maps(lease->exchange);
	lease->end = 0;
	withdraw(lease);
}

/* Sends the next beat when the last one has returned. */
static void beat(struct call_lease *lease, struct group *group)
{
	uint64_t now = listening_clock_now();
	enum group_placement placement = group_placement(group, now);
	bool returned = group_echo(group) >= lease->sent;

	if (placement == GROUP_PLACES_NOT || (lease->end == UINT64_MAX && placement != GROUP_PLACES))
		withdraw(lease);
	if (placement == GROUP_PLACES)
		renew(lease, UINT64_MAX);
	else if (placement == GROUP_PLACES_IF_ECHOED && returned && lease->sent)
		renew(lease, lease->sent_at + LEASE_MSEC);
	if (!returned && now < lease->sent + LEASE_MSEC)
		return;
	lease->sent = now;
	lease->sent_at = clock_msec();
	group_beat(group, now);
}

static int on_time(sd_event_source *source, uint64_t usec, void *data)
{
	struct call_lease *lease = data;

	(void)usec;
	lease->runs = is_needed(lease);
	if (!lease->runs)
		return 0;
	follow_maps(lease);
	if (call_lease_has_ended(lease))
		lease->lacked = clock_msec();
	beat(lease, group_watch_sender(lease->daemon->group_watch));
	log_end(lease);
	sd_event_source_set_time_relative(source, UINT64_C(1000) * BEAT_MSEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* A message has arrived: corosync works at the moment, at all members. A beat now costs less than one later. */
static void beat_with_others(struct call_lease *lease)
{
	if (listening_clock_now() >= lease->sent + BEAT_MSEC / 2)
		on_time(lease->timer, 0, lease);
}

void call_lease_update(struct call_lease *lease)
{
	if (lease->runs)
		beat_with_others(lease);
	if (lease->runs || !is_needed(lease))
		return;
	lease->runs = true;
	lease->maps = 0;
	lease->end = lease->sent = 0;
	renew(lease, 1); /* none before the first message has returned */
	if (!lease->timer && sd_event_add_time_relative(
				     lease->daemon->event, &lease->timer, CLOCK_MONOTONIC, 0, 1, on_time, lease) < 0)
		return;
	sd_event_source_set_time_relative(lease->timer, 0);
	sd_event_source_set_enabled(lease->timer, SD_EVENT_ONESHOT);
}

struct call_lease *call_lease_new(struct daemon *daemon, struct call_exchange *exchange)
{
	struct call_lease *lease = allocate(1, sizeof(*lease));

	lease->daemon = daemon;
	lease->exchange = exchange;
	return lease;
}

void call_lease_free(struct call_lease *lease)
{
	if (!lease)
		return;
	sd_event_source_disable_unref(lease->timer);
	free(lease);
}
