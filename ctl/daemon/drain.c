// SPDX-License-Identifier: GPL-2.0
/* See drain.h. */

#include <string.h>
#include "core/base/memory.h"
#include "core/base/name.h"
#include "counted_calls.h"
#include "tracked_calls.h"
#include "ctl/maps/clock.h"
#include "drain.h"
#include "ctl/daemon/group/call_lease.h"
#include "ctl/daemon/group/group_drains.h"
#include "ctl/daemon/group/group_watch.h"
#include "log.h"

#define QUIET_SECONDS 32

/* The group removes a backend without a member that does not agree to it so long after the last time at which this
 * balancer would remove it alone, plus `record_time`. The other members may have lost their slots later. */
#define OVERDUE_MSEC 10000

/* A backend, by id. */
struct leaving {
	bool known;              /* it was leaving when this was last noted */
	uint64_t removal;        /* number of the change of the group that made it leave; 0: none */
	uint32_t slotless_since; /* when it lost its last slot, seconds of CLOCK_MONOTONIC; 0: it has a slot */
	uint32_t called; /* when it may last have received new calls as the previous owner of a slot; 0: never */
};

struct drain {
	struct leaving *leaving; /* by backend id */
	uint32_t limit;          /* the largest backend id */
	uint64_t change;         /* number of the change of the group that is being applied; 0: none */
};

struct drain *drain_new(void)
{
	return allocate(1, sizeof(struct drain));
}

void drain_free(struct drain *drain)
{
	if (!drain)
		return;
	free(drain->leaving);
	free(drain);
}

static void make_room(struct drain *drain, uint32_t limit)
{
	if (drain->leaving && drain->limit >= limit)
		return;
	drain->leaving = reallocate(drain->leaving, limit + 1, sizeof(*drain->leaving));
	for (uint32_t id = drain->limit + (drain->limit != 0); id <= limit; id++)
		drain->leaving[id] = (struct leaving){0};
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

static bool has_calls(const struct daemon *daemon, uint16_t id)
{
	const struct call_counts counts = tracked_calls_of(daemon->calls, daemon, id);

	return counts.calls || counts.connections || counted_calls_placed(daemon, id).calls ||
	       !tracked_calls_are_known(daemon->calls, daemon) ||
	       !counted_calls_are_known(daemon->counted_calls, daemon);
}

bool *drain_has_calls(const struct daemon *daemon)
{
	const uint32_t limit = daemon->running->contract.backends;
	bool *by_id = allocate(limit + 1, sizeof(*by_id));

	for (uint32_t id = 1; id <= limit; id++)
		by_id[id] = daemon->running->records[id].name[0] && has_calls(daemon, id);
	return by_id;
}

/* Can calls send packets to this backend? They can if the backend is the previous owner of a migrating slot, if a
 * tracked call of such a slot is at this backend, or if a placed call is there. */
static bool may_have_calls(const struct daemon *daemon, uint32_t pool, uint16_t id)
{
	return is_among(daemon, image_previous_owners(daemon->running, pool), id) || has_calls(daemon, id);
}

/* When a backend lost its last slot, or may last have received new calls; 0: it has a slot. */
static uint32_t slotless_since(const struct drain *drain, uint16_t id)
{
	const struct leaving *leaving = &drain->leaving[id];

	return leaving->slotless_since && leaving->slotless_since < leaving->called ? leaving->called
										    : leaving->slotless_since;
}

/* Can a leaving backend be removed? It can be removed once no slot sends packets to it, and at the latest drain_timeout
 * after slotless_since(). Moves of other slots do not extend this time. */
static bool is_removable(const struct drain *drain, const struct daemon *daemon, const struct farm_pool *pool,
	const struct farm_backend *backend)
{
	const uint32_t since = slotless_since(drain, backend->id);

	return since && ((clock_seconds() - since) * UINT64_C(1000) > pool->config->drain_timeout ||
				!may_have_calls(daemon, pool->id, backend->id));
}

static bool is_overdue(const struct drain *drain, const struct farm_pool *pool, uint16_t id)
{
	const uint32_t since = slotless_since(drain, id);

	return since && (clock_seconds() - since) * UINT64_C(1000) >
				(uint64_t)pool->config->drain_timeout + pool->config->record_time + OVERDUE_MSEC;
}

/* --- which backends are leaving */

static void note_backend(
	struct drain *drain, const struct daemon *daemon, uint32_t pool, const struct farm_backend *backend)
{
	struct leaving *leaving = &drain->leaving[backend->id];

	if (!is_leaving(backend)) {
		*leaving = (struct leaving){0};
		return;
	}
	if (!leaving->known)
		leaving->removal = drain->change;
	leaving->known = true;
	if (has_slots(daemon, pool, backend->id))
		leaving->slotless_since = 0;
	else if (!leaving->slotless_since)
		leaving->slotless_since = clock_seconds();
	if (is_among(daemon, image_previous_owners(daemon->running, pool), backend->id))
		leaving->called = call_lease_lacked(group_watch_lease(daemon->group_watch)) / 1000;
}

static void note(struct drain *drain, const struct daemon *daemon)
{
	make_room(drain, daemon->running->contract.backends);
	for (size_t i = 0; i < daemon->farm->config->pool_count; i++) {
		const struct farm_pool *pool = &daemon->farm->pools[i];

		for (size_t j = 0; j < pool->count; j++)
			if (pool->backends[j].id <= drain->limit)
				note_backend(drain, daemon, pool->id, &pool->backends[j]);
	}
}

void drain_begin_change(struct drain *drain, const struct daemon *daemon, uint64_t number)
{
	note(drain, daemon);
	drain->change = number;
}

void drain_end_change(struct drain *drain, const struct daemon *daemon)
{
	note(drain, daemon);
	drain->change = 0;
}

/* Leaving backends; `removable`: only those that can be removed. */
static struct drained *list_leaving(struct drain *drain, const struct daemon *daemon, bool removable, size_t *count)
{
	struct drained *list = NULL;

	*count = 0;
	note(drain, daemon);
	for (size_t i = 0; i < daemon->farm->config->pool_count; i++) {
		const struct farm_pool *pool = &daemon->farm->pools[i];

		for (size_t j = 0; j < pool->count; j++) {
			const struct farm_backend *backend = &pool->backends[j];
			struct drained *drained;

			if (!is_leaving(backend) || backend->id > drain->limit ||
				(removable && !is_removable(drain, daemon, pool, backend)))
				continue;
			list = reallocate(list, *count + 1, sizeof(*list));
			drained = &list[(*count)++];
			*drained = (struct drained){.address = backend->record.address,
				.drained = {farm_group_key(backend), drain->leaving[backend->id].removal},
				.is_overdue = is_overdue(drain, pool, backend->id)};
			name_copy(drained->pool, pool->config->name);
			name_copy(drained->name, backend->record.name);
		}
	}
	return list;
}

struct drained *drain_leaving(struct drain *drain, const struct daemon *daemon, size_t *count)
{
	return list_leaving(drain, daemon, false, count);
}

/* --- the shared state of a group */

static struct leaving *find_leaving(struct drain *drain, const struct daemon *daemon, const json_t *item)
{
	const char *pool = json_string_value(json_object_get(item, "pool"));
	const char *name = json_string_value(json_object_get(item, "name"));
	struct farm_pool *found = pool ? farm_find_pool(daemon->farm, pool) : NULL;
	const struct farm_backend *backend = found && name ? farm_find_backend(found, name) : NULL;

	return backend && is_leaving(backend) && backend->id <= drain->limit ? &drain->leaving[backend->id] : NULL;
}

void drain_write_removals(struct drain *drain, const struct daemon *daemon, json_t *list)
{
	json_t *item;
	size_t i;

	note(drain, daemon);
	json_array_foreach(list, i, item)
	{
		const struct leaving *leaving = find_leaving(drain, daemon, item);

		if (leaving)
			json_object_set_new(item, "removal", json_integer((json_int_t)leaving->removal));
	}
}

void drain_take_removals(struct drain *drain, const struct daemon *daemon, const json_t *list)
{
	const json_t *item;
	size_t i;

	note(drain, daemon);
	json_array_foreach(list, i, item)
	{
		struct leaving *leaving = find_leaving(drain, daemon, item);

		if (leaving)
			leaving->removal = json_integer_value(json_object_get(item, "removal"));
	}
}

/* --- removal */

void drain_log_end(const char *pool, const char *name)
{
	log_event(LOG_INFO, LOG_FIELDS({"event", "drained"}, {"pool", pool}, {"backend", name}),
		"backend %s/%s is removed: its drain has ended", pool, name);
}

bool drain_remove_empty(struct drain *drain, struct daemon *daemon)
{
	char error[FARM_ERROR_SIZE];
	size_t count;
	struct drained *list = list_leaving(drain, daemon, true, &count);
	bool own = !group_drains_decide(daemon, list, count);

	for (size_t i = 0; own && i < count; i++) {
		drain_log_end(list[i].pool, list[i].name);
		farm_remove_backend(daemon->farm, list[i].pool, list[i].name, error);
	}
	free(list);
	return own && count;
}
