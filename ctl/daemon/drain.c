// SPDX-License-Identifier: GPL-2.0
/* See drain.h. */

#include <string.h>
#include "../core/memory.h"
#include "clock.h"
#include "drain.h"
#include "log.h"

#define QUIET_SECONDS 32

struct quiet {
	uint64_t packets; /* that were sent to it when it was looked at last */
	uint32_t since;   /* nothing more; 0: it was not looked at */
	uint32_t without; /* since when it has had no slot; 0: it has, or is not leaving */
};

struct drain {
	struct quiet *quiet; /* by backend id */
	uint32_t *calls;     /* likewise */
	int notes;           /* of calls, altogether; < 0: they could not be counted */
	uint32_t limit;      /* ids there are */
	uint32_t counted;    /* when calls were counted; seconds of CLOCK_MONOTONIC, as all here */
};

struct drain *drain_new(void)
{
	return allocate(1, sizeof(struct drain));
}

static void forget(struct drain *drain)
{
	free(drain->quiet);
	free(drain->calls);
}

void drain_free(struct drain *drain)
{
	if (!drain)
		return;
	forget(drain);
	free(drain);
}

static void make_room(struct drain *drain, uint32_t limit)
{
	if (drain->limit == limit)
		return;
	forget(drain);
	drain->quiet = allocate(limit + 1, sizeof(*drain->quiet));
	drain->calls = allocate(limit + 1, sizeof(*drain->calls));
	drain->limit = limit;
	drain->counted = 0;
}

/* Counts calls, if that was not done in this second. */
static void count_calls(struct drain *drain, const struct daemon *daemon)
{
	uint32_t now = clock_seconds();

	make_room(drain, daemon->running->contract.backends);
	if (drain->counted == now)
		return;
	memset(drain->calls, 0, (drain->limit + 1) * sizeof(*drain->calls));
	drain->notes = 0;
	if (image_is_in_motion(daemon->running))
		drain->notes = maps_count_calls(daemon->maps, daemon->running, now, drain->calls);
	drain->counted = now;
}

uint32_t drain_calls(struct drain *drain, const struct daemon *daemon, uint16_t id)
{
	count_calls(drain, daemon);
	return drain->calls[id];
}

bool drain_has_room(struct drain *drain, const struct daemon *daemon)
{
	count_calls(drain, daemon);
	return drain->notes < 0 || drain->notes < 0.9 * daemon->running->contract.notes;
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

static void look_at_traffic(struct drain *drain, const struct daemon *daemon, const struct farm_backend *backend)
{
	struct quiet *quiet = &drain->quiet[backend->id];
	struct traffic traffic;

	if (!farm_record_drains(&backend->record)) {
		quiet->since = 0;
		return;
	}
	if (maps_backend_traffic(daemon->maps, backend->id, &traffic) ||
		(quiet->since && traffic.packets == quiet->packets))
		return;
	quiet->packets = traffic.packets;
	quiet->since = clock_seconds();
}

bool drain_is_empty(struct drain *drain, const struct daemon *daemon, const struct farm_backend *backend)
{
	const struct farm_pool *pool = farm_find_pool(daemon->farm, backend->record.pool);
	uint32_t calls = drain_calls(drain, daemon, backend->id);
	uint32_t since = drain->quiet[backend->id].since;

	return farm_record_drains(&backend->record) && drain->notes >= 0 && !calls && since &&
	       clock_seconds() - since >= QUIET_SECONDS && !has_slots(daemon, pool->id, backend->id);
}

/* Might a slot in motion send something to it? One that was its own does; of others it may
 * have calls all the same, by notes. */
static bool may_have_calls(struct drain *drain, const struct daemon *daemon, uint32_t pool, uint16_t id)
{
	return is_among(daemon, image_former(daemon->running, pool), id) || drain_calls(drain, daemon, id) ||
	       drain->notes < 0;
}

/* Has it nothing to do any more? Slots that move again and again do not hold it for longer
 * than once. */
static bool has_left(struct drain *drain, const struct daemon *daemon, const struct farm_pool *pool,
	const struct farm_backend *backend)
{
	uint32_t *without = &drain->quiet[backend->id].without, now = clock_seconds();

	if (!is_leaving(backend) || has_slots(daemon, pool->id, backend->id)) {
		*without = 0;
		return false;
	}
	*without = *without ? *without : now;
	return (now - *without) * UINT64_C(1000) > pool->config->drain_timeout ||
	       !may_have_calls(drain, daemon, pool->id, backend->id);
}

bool drain_look(struct drain *drain, struct daemon *daemon)
{
	bool changed = false;

	make_room(drain, daemon->running->contract.backends);
	for (size_t i = 0; i < daemon->farm->config->pool_count; i++) {
		struct farm_pool *pool = &daemon->farm->pools[i];

		for (size_t j = pool->count; j-- > 0;) {
			const struct farm_backend *backend = &pool->backends[j];
			char name[NAME_SIZE], error[FARM_ERROR_SIZE];

			look_at_traffic(drain, daemon, backend);
			if (!has_left(drain, daemon, pool, backend))
				continue;
			memcpy(name, backend->record.name, sizeof(name));
			log_info("backend %s/%s has left", pool->config->name, name);
			farm_remove_backend(daemon->farm, pool->config->name, name, error);
			changed = true;
		}
	}
	return changed;
}
