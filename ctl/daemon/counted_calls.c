// SPDX-License-Identifier: GPL-2.0
/* See counted_calls.h. */

#include <stdlib.h>
#include <string.h>
#include "bpf/call.h"
#include "core/base/memory.h"
#include "counted_calls.h"
#include "ctl/maps/clock.h"
#include "tracked_calls.h"

/* The longest duration of a transaction (RFC 3261, timers B and F): until then retransmissions may arrive. */
#define ENDED_SECONDS 32

/* The entry of a placed call is the only record of its backend. Therefore the entry of a call with a dialog is kept for
 * this time without messages, although the call no longer counts, unless the map is nearly full. A call with a pending
 * INVITE may wait in a queue: its entry is kept for MIGRATION_CALL_SECONDS. */
#define FORGOTTEN_SECONDS (24 * 3600)

/* The live entries of a backend, and its silent ones: placed calls that do not count, but have not ended. */
struct tally {
	int32_t sampled, placed;
	uint32_t silent;
};

struct counted_calls {
	uint32_t maps;         /* id of the maps; a reading does not continue in other maps */
	uint32_t limit;        /* the largest backend id */
	uint64_t cursor;       /* position in the map; 0: a new reading begins */
	uint32_t entries;      /* found by the current reading */
	uint32_t last_entries; /* found by the last complete reading */
	bool complete;         /* these maps have been read completely */
	struct tally *found;   /* by backend id: found by the current reading */
	struct tally *before;  /* by backend id: what backend_loads had when the reading began */
	uint32_t *heard;       /* by backend id: time of the last message of a placed call */
	struct tally *drift;   /* by backend id: what the last reading could not explain */
	uint32_t *silent;      /* by backend id: silent placed calls, found by the last complete reading */
	struct tracked_key keys[COUNTED_BATCH];
	struct tracked_call calls[COUNTED_BATCH];
};

struct counted_calls *counted_calls_new(void)
{
	return allocate(1, sizeof(struct counted_calls));
}

static void forget(struct counted_calls *calls)
{
	free(calls->found);
	free(calls->before);
	free(calls->drift);
	free(calls->heard);
	free(calls->silent);
}

void counted_calls_free(struct counted_calls *calls)
{
	if (!calls)
		return;
	forget(calls);
	free(calls);
}

static void follow_maps(struct counted_calls *calls, const struct maps *maps)
{
	uint32_t limit = maps_contract(maps)->backends;

	if (calls->maps == maps_id(maps))
		return;
	forget(calls);
	calls->maps = maps_id(maps);
	calls->limit = limit;
	calls->cursor = 0;
	calls->complete = false;
	calls->found = allocate(limit + 1, sizeof(*calls->found));
	calls->before = allocate(limit + 1, sizeof(*calls->before));
	calls->drift = allocate(limit + 1, sizeof(*calls->drift));
	calls->heard = allocate(limit + 1, sizeof(*calls->heard));
	calls->silent = allocate(limit + 1, sizeof(*calls->silent));
}

static bool have_room(const struct counted_calls *calls, const struct maps *maps)
{
	return calls->last_entries < 0.9 * maps_contract(maps)->counted_calls;
}

/* --- entries */

struct moment {
	uint32_t now; /* seconds of CLOCK_MONOTONIC */
	bool is_full; /* the map is nearly full */
};

/* For how long the entry of a call that no longer counts is kept without messages */
static int64_t kept_seconds(const struct tracked_call *call, const struct moment *moment)
{
	if (!call->placed || moment->is_full)
		return ENDED_SECONDS;
	if (tracked_call_has_dialog(call))
		return FORGOTTEN_SECONDS;
	return call->dialogs.pending || call->dialogs.overflow ? MIGRATION_CALL_SECONDS : ENDED_SECONDS;
}

static enum counted_fate fate_of(const struct tracked_call *call, const void *data)
{
	const struct moment *moment = data;
	int64_t silent = (int64_t)moment->now - call->seen;

	if (!call->ended && tracked_call_is_live(call, moment->now))
		return COUNTED_STAYS;
	if (silent >= kept_seconds(call, moment))
		return COUNTED_OVER;
	return call->ended ? COUNTED_STAYS : COUNTED_SILENT;
}

static void count(struct counted_calls *calls, const struct tracked_call *call, enum counted_fate fate)
{
	calls->entries++;
	if (call->backend > calls->limit)
		return;
	if (call->placed && call->seen > calls->heard[call->backend])
		calls->heard[call->backend] = call->seen;
	if (call->ended || fate == COUNTED_SILENT) {
		calls->found[call->backend].silent += call->placed && call_is_live(&call->dialogs);
		return;
	}
	calls->found[call->backend].placed += call->placed;
	calls->found[call->backend].sampled += !call->placed;
}

static void take(struct counted_calls *calls, const struct maps *maps, int length)
{
	const struct moment moment = {clock_seconds(), !have_room(calls, maps)};

	for (int i = 0; i < length; i++) {
		enum counted_fate fate = fate_of(&calls->calls[i], &moment);

		if (fate != COUNTED_STAYS)
			maps_settle_counted_call(maps, &calls->keys[i], fate_of, &moment);
		if (fate != COUNTED_OVER)
			count(calls, &calls->calls[i], fate);
	}
}

/* --- the numbers in backend_loads */

static struct tally read_load(const struct maps *maps, uint32_t id)
{
	const struct maps_load load = maps_load(maps, id);

	return (struct tally){.sampled = load.sampled, .placed = load.placed};
}

static void begin(struct counted_calls *calls, const struct maps *maps)
{
	calls->entries = 0;
	memset(calls->found, 0, (calls->limit + 1) * sizeof(*calls->found));
	for (uint32_t id = 1; id <= calls->limit; id++)
		calls->before[id] = read_load(maps, id);
}

/* The correction for a number that was `before` when a reading began and is `after` at its end. Calls that begin or end
 * during the reading explain a small difference. Only a difference that two consecutive readings find in the same
 * direction is an error. */
static int32_t correction(int32_t found, int32_t before, int32_t after, int32_t *drift, bool at_once)
{
	int32_t last = *drift;

	*drift = found - ((int64_t)before + after) / 2;
	if (at_once)
		return *drift;
	if (*drift > 0 && last > 0)
		return *drift < last ? *drift : last;
	if (*drift < 0 && last < 0)
		return *drift > last ? *drift : last;
	return 0;
}

/* The numbers of new maps, for example after an upgrade, may be wrong by the calls that changed while the loader copied
 * them. Therefore the first reading corrects them at once. */
static void finish(struct counted_calls *calls, const struct maps *maps)
{
	for (uint32_t id = 1; id <= calls->limit; id++) {
		struct tally after = read_load(maps, id), *drift = &calls->drift[id];
		const struct tally *before = &calls->before[id], *found = &calls->found[id];
		int32_t sampled, placed;

		sampled = correction(found->sampled, before->sampled, after.sampled, &drift->sampled, !calls->complete);
		placed = correction(found->placed, before->placed, after.placed, &drift->placed, !calls->complete);
		if (sampled || placed)
			maps_add_load(maps, id, sampled, placed);
		drift->sampled -= sampled;
		drift->placed -= placed;
		calls->silent[id] = found->silent;
	}
	calls->last_entries = calls->entries;
	calls->complete = true;
}

/* Runs without the lock: only the worker changes the data that this function uses. */
static void sweep(struct counted_calls *calls, const struct maps *maps)
{
	uint32_t parts = 1 + maps_contract(maps)->counted_calls / COUNTED_BATCH / COUNTED_ROUND_SECONDS;
	int count = 0;

	follow_maps(calls, maps);
	if (!calls->complete)
		parts = UINT32_MAX;
	if (!calls->cursor)
		begin(calls, maps);
	while (parts--) {
		count = maps_next_counted_calls(maps, &calls->cursor, calls->keys, calls->calls);
		take(calls, maps, count);
		if (count >= 0 && !calls->cursor)
			finish(calls, maps);
		if (!calls->cursor)
			return;
	}
}

/* The loader copies calls to the next maps. The first reading must come after that. */
void counted_calls_sweep(struct counted_calls *calls, struct daemon *daemon)
{
	const struct maps *maps = daemon->maps;

	if (daemon->using_next_maps)
		return;
	worker_unlock(daemon->worker);
	sweep(calls, maps);
	worker_lock(daemon->worker);
}

bool counted_calls_are_known(const struct counted_calls *calls, const struct daemon *daemon)
{
	return calls->complete && calls->maps == maps_id(daemon->maps);
}

uint32_t counted_calls_entries(const struct counted_calls *calls)
{
	return calls->last_entries;
}

bool counted_calls_have_room(const struct counted_calls *calls, const struct daemon *daemon)
{
	return have_room(calls, daemon->maps);
}

/* --- placed calls */

/* Has the backend placed calls that have not ended? Only their entries know their backend, also while they are silent.
 */
static bool has_placed_calls(const struct daemon *daemon, uint16_t id)
{
	const struct counted_calls *calls = daemon->counted_calls;

	if (maps_load(daemon->maps, id).placed)
		return true;
	return id <= calls->limit && (calls->silent[id] || calls->found[id].silent);
}

void counted_calls_report(const struct daemon *daemon, struct farm *farm)
{
	for (size_t i = 0; i < farm->config->pool_count; i++) {
		struct farm_pool *pool = &farm->pools[i];

		pool->has_placed_calls = false;
		for (size_t j = 0; j < pool->count; j++)
			pool->has_placed_calls |= has_placed_calls(daemon, pool->backends[j].id);
		pool->may_have_placed_calls =
			pool->has_placed_calls || !counted_calls_are_known(daemon->counted_calls, daemon);
	}
}

struct placed_calls counted_calls_placed(const struct daemon *daemon, uint16_t id)
{
	const struct counted_calls *calls = daemon->counted_calls;

	return (struct placed_calls){
		.calls = maps_load(daemon->maps, id).placed,
		.heard = calls->complete && id <= calls->limit ? calls->heard[id] : 0,
	};
}

/* --- numbers for operators */

/* Does the program count every live call of the pool? After a reload it does so only for new calls. */
static bool counts_all(const struct daemon *daemon, const struct farm_pool *pool)
{
	const struct pool *running = &daemon->running->pools[pool->id];

	return running->balanced == BALANCED_ALL &&
	       (!running->balanced_since || clock_seconds() - running->balanced_since > FORGOTTEN_SECONDS);
}

static struct call_estimate estimate(
	const struct daemon *daemon, const struct farm_pool *pool, const struct maps_load *load)
{
	if (!config_pool_is_counted(daemon->farm->config, pool - daemon->farm->pools))
		return (struct call_estimate){0};
	return call_estimate(load->sampled, load->placed, counts_all(daemon, pool));
}

/* While a backend drains, its calls are also tracked one by one. A call is tracked with its next packet, so this number
 * is right only if it is not far below the estimate. */
struct call_estimate counted_calls_of(
	const struct daemon *daemon, const struct farm_pool *pool, const struct farm_backend *backend)
{
	const struct maps_load load = maps_load(daemon->maps, backend->id);
	const struct call_estimate calls = estimate(daemon, pool, &load);
	uint64_t tracked = tracked_calls_of(daemon->calls, daemon, backend->id).calls + load.placed;

	if (farm_record_is_draining(&backend->record) && tracked + calls.error >= calls.calls)
		return (struct call_estimate){.known = true, .calls = tracked};
	return calls;
}
