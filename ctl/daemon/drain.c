// SPDX-License-Identifier: GPL-2.0
/* See drain.h. */

#include <string.h>
#include "core/base/memory.h"
#include "counted_calls.h"
#include "tracked_calls.h"
#include "ctl/maps/clock.h"
#include "drain.h"
#include "log.h"

#define QUIET_SECONDS 32

struct drain {
	uint32_t *slotless_since; /* by backend id: when a leaving backend lost its last slot, seconds of
				     CLOCK_MONOTONIC; 0: the backend has a slot or is not leaving */
	uint32_t limit;           /* the largest backend id */
};

struct drain *drain_new(void)
{
	return allocate(1, sizeof(struct drain));
}

void drain_free(struct drain *drain)
{
	if (!drain)
		return;
	free(drain->slotless_since);
	free(drain);
}

static void make_room(struct drain *drain, uint32_t limit)
{
	if (drain->limit == limit)
		return;
	free(drain->slotless_since);
	drain->slotless_since = allocate(limit + 1, sizeof(*drain->slotless_since));
	drain->limit = limit;
}

static bool is_among(const struct daemon *daemon, const __u16 *owners, uint16_t id)
{
	for (uint32_t slot = 0; slot < daemon->running->contract.slots; slot++)
		if (owners[slot] == id)
			return true;
	return false;
}

static bool has_slots(const struct daemon *daemon, uint32_t pool, uint16_t id)
{
	return is_among(daemon, image_slots(daemon->running, pool), id);
}

static bool is_leaving(const struct farm_backend *backend)
{
	return farm_backend_exists(backend) && (backend->record.overrides & OVERRIDE_LEAVING);
}

static bool is_quiet(uint32_t heard)
{
	return !heard || clock_seconds() - heard >= QUIET_SECONDS;
}

bool drain_is_empty(const struct daemon *daemon, const struct farm_backend *backend)
{
	const struct farm_pool *pool = farm_find_pool(daemon->farm, backend->record.pool);
	const struct call_counts counts = tracked_calls_of(daemon->calls, daemon, backend->id);
	const struct placed_calls placed = counted_calls_placed(daemon, backend->id);

	return farm_record_is_draining(&backend->record) && tracked_calls_are_known(daemon->calls, daemon) &&
	       counted_calls_are_known(daemon->counted_calls, daemon) && !counts.calls && !placed.calls &&
	       is_quiet(counts.heard) && is_quiet(placed.heard) && !has_slots(daemon, pool->id, backend->id);
}

/* Can calls send packets to this backend? They can if the backend is the previous owner of a migrating slot, if a
 * tracked call of such a slot is at this backend, or if a placed call is there. */
static bool may_have_calls(const struct daemon *daemon, uint32_t pool, uint16_t id)
{
	const struct call_counts counts = tracked_calls_of(daemon->calls, daemon, id);

	return is_among(daemon, image_previous_owners(daemon->running, pool), id) || counts.calls ||
	       counts.connections || counted_calls_placed(daemon, id).calls ||
	       !tracked_calls_are_known(daemon->calls, daemon) ||
	       !counted_calls_are_known(daemon->counted_calls, daemon);
}

/* Can a leaving backend be removed? It can be removed once no slot sends packets to it, and at the latest drain_timeout
 * after it lost its last slot. Moves of other slots do not extend this time. */
static bool is_removable(struct drain *drain, const struct daemon *daemon, const struct farm_pool *pool,
	const struct farm_backend *backend)
{
	uint32_t *since = &drain->slotless_since[backend->id], now = clock_seconds();

	if (!is_leaving(backend) || has_slots(daemon, pool->id, backend->id)) {
		*since = 0;
		return false;
	}
	*since = *since ? *since : now;
	return (now - *since) * UINT64_C(1000) > pool->config->drain_timeout ||
	       !may_have_calls(daemon, pool->id, backend->id);
}

bool drain_remove_empty(struct drain *drain, struct daemon *daemon)
{
	bool changed = false;

	make_room(drain, daemon->running->contract.backends);
	for (size_t i = 0; i < daemon->farm->config->pool_count; i++) {
		struct farm_pool *pool = &daemon->farm->pools[i];

		for (size_t j = pool->count; j-- > 0;) {
			const struct farm_backend *backend = &pool->backends[j];
			char name[NAME_SIZE], error[FARM_ERROR_SIZE];

			if (!is_removable(drain, daemon, pool, backend))
				continue;
			memcpy(name, backend->record.name, sizeof(name));
			log_event(LOG_INFO,
				LOG_FIELDS({"event", "drained"}, {"pool", pool->config->name}, {"backend", name}),
				"backend %s/%s is removed: its drain has ended", pool->config->name, name);
			farm_remove_backend(daemon->farm, pool->config->name, name, error);
			changed = true;
		}
	}
	return changed;
}
