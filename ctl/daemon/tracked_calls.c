// SPDX-License-Identifier: GPL-2.0
/* See tracked_calls.h. */

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "core/net/address.h"
#include "core/base/memory.h"
#include "core/control/protocol.h"
#include "tracked_calls.h"
#include "ctl/maps/clock.h"

#define LIST_MAX 10000 /* maximum lines of one list; limits the time that the daemon spends on it */

struct tracked_calls {
	struct call_counts *counts; /* by backend id */
	uint32_t limit;             /* the largest backend id */
	int tracked;                /* number of entries in the map; < 0: the map cannot be read */
	uint32_t read;              /* time of the last read; seconds of CLOCK_MONOTONIC */
};

struct tracked_calls *tracked_calls_new(void)
{
	return allocate(1, sizeof(struct tracked_calls));
}

void tracked_calls_free(struct tracked_calls *calls)
{
	if (!calls)
		return;
	free(calls->counts);
	free(calls);
}

/* --- counting */

struct reading {
	const struct image *running;
	struct call_counts *counts;
	uint32_t now;
};

static bool is_migrating(const struct image *running, uint32_t pool)
{
	return pool < running->contract.pools && running->pools[pool].migrating;
}

static void count(const struct tracked_key *key, const struct tracked_call *tracked, void *data)
{
	const struct reading *reading = data;
	struct call_counts *counts;

	if (!is_migrating(reading->running, key->pool) || tracked->backend > reading->running->contract.backends)
		return;
	counts = &reading->counts[tracked->backend];
	if (tracked->kind == CALL_IS_CONNECTION)
		counts->connections += tracked_call_is_live(tracked, reading->now);
	else
		counts->calls += tracked_call_is_live(tracked, reading->now);
	if ((tracked->kind == CALL_IS_INVITE || tracked->kind == CALL_IS_SUBSCRIPTION) && tracked->seen > counts->heard)
		counts->heard = tracked->seen;
}

/* Reads the map unless it was read in this second. */
static void refresh(struct tracked_calls *calls, const struct daemon *daemon)
{
	const uint32_t limit = daemon->running->contract.backends;
	struct reading reading = {.running = daemon->running, .now = clock_seconds()};

	if (calls->limit != limit) {
		free(calls->counts);
		calls->counts = allocate(limit + 1, sizeof(*calls->counts));
		calls->limit = limit;
		calls->read = 0;
	}
	if (calls->read == reading.now)
		return;
	memset(calls->counts, 0, (limit + 1) * sizeof(*calls->counts));
	reading.counts = calls->counts;
	calls->tracked = 0;
	if (image_is_migrating(daemon->running))
		calls->tracked = maps_visit_tracked_calls(daemon->maps, count, &reading);
	calls->read = reading.now;
}

struct call_counts tracked_calls_of(struct tracked_calls *calls, const struct daemon *daemon, uint16_t id)
{
	refresh(calls, daemon);
	return calls->counts[id];
}

bool tracked_calls_are_known(struct tracked_calls *calls, const struct daemon *daemon)
{
	refresh(calls, daemon);
	return calls->tracked >= 0;
}

bool tracked_calls_have_room(struct tracked_calls *calls, const struct daemon *daemon)
{
	refresh(calls, daemon);
	return calls->tracked < 0 || calls->tracked < 0.9 * daemon->running->contract.tracked_calls;
}

/* --- slots that must continue to migrate */

struct holding {
	const struct image *running;
	bool **held; /* by pool id; NULL: the pool is not migrating */
	uint32_t now;
};

static void hold(const struct tracked_key *key, const struct tracked_call *tracked, void *data)
{
	const struct holding *holding = data;
	const struct image *running = holding->running;
	uint32_t slot = key->slot & (running->contract.slots - 1);

	if (key->pool >= running->contract.pools || !holding->held[key->pool] || tracked->hinted ||
		tracked->backend > running->contract.backends || !running->backends[tracked->backend].alive ||
		tracked->backend == image_slots(running, key->pool)[slot])
		return;
	if (tracked_call_is_live(tracked, holding->now))
		holding->held[key->pool][slot] = true;
}

/* If the map cannot be read, every slot may have calls. */
void tracked_calls_hold_slots(const struct daemon *daemon)
{
	const struct image *running = daemon->running;
	bool **held = allocate(running->contract.pools, sizeof(*held));
	int error;

	for (uint32_t pool = 0; pool < running->contract.pools; pool++)
		if (is_migrating(running, pool))
			held[pool] = allocate(running->contract.slots, sizeof(**held));
	error = maps_visit_tracked_calls(daemon->maps, hold, &(struct holding){running, held, clock_seconds()});
	for (uint32_t pool = 0; pool < running->contract.pools; pool++) {
		if (held[pool] && error < 0)
			memset(held[pool], true, running->contract.slots);
		if (held[pool])
			desired_hold_slots(daemon->desired, pool, held[pool]);
	}
	free(held);
}

/* --- listing */

struct list {
	json_t *lines;
	uint32_t pool, id, now;
	bool placed_only; /* of counted_calls */
};

static const char *kind_name(const struct tracked_call *tracked)
{
	switch (tracked->kind) {
	case CALL_IS_CONNECTION:
		return "connection";
	case CALL_IS_SUBSCRIPTION:
		return "subscription";
	default:
		return "call";
	}
}

/* The stored Call-ID ends at white space. A Call-ID longer than CALL_TEXT_SIZE is truncated. */
static json_t *call_id(const struct tracked_call *tracked)
{
	char text[CALL_TEXT_SIZE + 1] = {0};
	size_t length = 0;

	while (length < CALL_TEXT_SIZE && (unsigned char)tracked->call_id[length] > ' ') {
		text[length] = tracked->call_id[length];
		length++;
	}
	return protocol_text(text);
}

static json_t *source(const struct tracked_call *tracked)
{
	char text[ADDRESS_TEXT_SIZE];

	return json_sprintf(strchr(address_format(&tracked->source.address, text), ':') ? "[%s]:%u" : "%s:%u", text,
		ntohs(tracked->source.port));
}

static void list_tracked_call(const struct tracked_key *key, const struct tracked_call *tracked, void *data)
{
	const struct list *list = data;

	if (key->pool != list->pool || (list->placed_only && !tracked->placed) || tracked->backend != list->id ||
		!tracked_call_is_live(tracked, list->now) || json_array_size(list->lines) >= LIST_MAX)
		return;
	json_array_append_new(list->lines,
		json_pack("{s:s, s:I, s:I, s:o}", "kind", kind_name(tracked), "age",
			(json_int_t)list->now - tracked->began, "silent", (json_int_t)list->now - tracked->seen, "call",
			tracked->kind == CALL_IS_CONNECTION ? source(tracked) : call_id(tracked)));
}

json_t *tracked_calls_list(const struct daemon *daemon, const struct farm_pool *pool, uint16_t id)
{
	struct list list = {json_array(), pool->id, id, clock_seconds(), false};

	if (is_migrating(daemon->running, pool->id) &&
		maps_visit_tracked_calls(daemon->maps, list_tracked_call, &list) < 0) {
		json_decref(list.lines);
		return NULL;
	}
	list.placed_only = true;
	if (maps_load(daemon->maps, id).placed &&
		maps_visit_counted_calls(daemon->maps, list_tracked_call, &list) < 0) {
		json_decref(list.lines);
		return NULL;
	}
	return list.lines;
}
