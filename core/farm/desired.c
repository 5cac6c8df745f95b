// SPDX-License-Identifier: GPL-2.0
/* See desired.h. */

#include <string.h>
#include "desired.h"
#include "desired_guard.h"
#include "desired_private.h"
#include "desired_services.h"
#include "farm_balance.h"
#include "farm_nat.h"
#include "core/base/memory.h"
#include "core/base/name.h"
#include "owners.h"
#include "core/table/table.h"

struct desired *desired_new(void)
{
	return allocate(1, sizeof(struct desired));
}

static void forget_marks(struct pool_state *state)
{
	free(state->held);
	state->held = NULL;
	desired_forget_group(state);
	state->was_grouped = state->grouped;
	state->grouped = false;
}

static void forget_pool(struct pool_state *state)
{
	owners_free(state->owners);
	migration_free(state->migration);
	slots_drop(state->fingerprinted);
	slots_drop(state->adopted_owners);
	slots_drop(state->adopted_previous);
	forget_marks(state);
	*state = (struct pool_state){0};
}

static void forget_pools(struct desired *desired)
{
	for (uint32_t i = 0; i < desired->count; i++)
		forget_pool(&desired->pools[i]);
	free(desired->pools);
	desired->pools = NULL;
	desired->count = 0;
}

void desired_free(struct desired *desired)
{
	if (!desired)
		return;
	forget_pools(desired);
	free(desired);
}

/* Do all running services use the same hash key as this configuration? */
static bool runs_with_our_key(const struct desired *desired, const struct image *running)
{
	bool same = true;
	size_t cursor = 0;
	struct hash_map_entry entry;

	while (hash_map_next(running->maps[IMAGE_SERVICES], &cursor, &entry)) {
		const struct service *service = entry.value;

		same &= !memcmp(service->hash_key, desired->hash_key, sizeof(desired->hash_key));
	}
	return same;
}

static bool matches(const struct desired *desired, const struct farm *farm, const struct image *running)
{
	return desired->count == running->contract.pools && desired->slots == running->contract.slots &&
	       !memcmp(desired->hash_key, farm->config->hash_key, sizeof(desired->hash_key));
}

static void begin(struct desired *desired, const struct farm *farm, const struct image *running)
{
	desired->slots = running->contract.slots;
	memcpy(desired->hash_key, farm->config->hash_key, sizeof(desired->hash_key));
	desired->count = running->contract.pools;
	desired->pools = allocate(desired->count, sizeof(*desired->pools));
	desired->runs_by_key = runs_with_our_key(desired, running);
}

/* The program must find placed calls until they have ended, even if the pool no longer places calls. */
static enum pool_balanced balanced_of(const struct farm_pool *pool, enum pool_balanced before)
{
	if (farm_counts_all_calls(pool))
		return BALANCED_ALL;
	if (farm_places_calls(pool))
		return BALANCED_SOME;
	if (pool->has_placed_calls || (before && pool->may_have_placed_calls))
		return BALANCED_ENDING;
	return BALANCED_NOT;
}

static void balance_pool(struct pool_state *state, const struct farm_pool *pool, uint64_t now)
{
	const enum pool_balanced after = balanced_of(pool, state->balanced);

	if (after > state->balanced)
		state->balanced_since = now / 1000;
	state->balanced = after;
}

static struct pool_state *pool_state(
	struct desired *desired, const struct farm_pool *pool, const struct image *running, uint64_t now)
{
	struct pool_state *state = &desired->pools[pool->id];
	uint32_t id = pool->id;

	if (state->migration && !strcmp(state->name, pool->config->name))
		return state;
	forget_pool(state);
	name_copy(state->name, pool->config->name);
	state->owners = owners_new(desired->slots, desired->hash_key);
	state->migration = migration_new(desired->slots);
	state->finish = !desired->runs_by_key;
	state->starting = !running->pool_names[id].name[0];
	state->begun = now;
	state->balanced = state->starting ? balanced_of(pool, BALANCED_NOT) : running->pools[id].balanced;
	state->balanced_since = running->pools[id].balanced_since;
	if (!state->starting)
		migration_adopt(state->migration, image_owners(running, id), image_previous_slots(running, id), now);
	return state;
}

void desired_inherit(struct desired *desired, const struct farm *farm, const struct image *inherited, uint64_t now)
{
	forget_pools(desired);
	begin(desired, farm, inherited);
	for (size_t i = 0; i < farm->config->pool_count; i++)
		if (inherited->tables[inherited->pools[farm->pools[i].id].table])
			pool_state(desired, &farm->pools[i], inherited, now);
}

/* Returns an array by id, which the caller frees. */
static bool *backends_by_id(
	const struct farm_pool *pool, bool (*has)(const struct farm_pool *pool, const struct farm_backend *backend))
{
	bool *by_id = allocate(UINT16_MAX + 1, sizeof(*by_id));

	for (size_t i = 0; i < pool->count; i++)
		by_id[pool->backends[i].id] = has(pool, &pool->backends[i]);
	return by_id;
}

/* Advances the migration. If no slot has to move, the wanted and the current owners share one array. */
static void move_pool(struct pool_state *state, const struct farm_pool *pool, struct slots *wanted, uint64_t now)
{
	struct migration_rules rules;
	bool *alive, *failing;

	if (state->finish)
		migration_finish(state->migration, wanted);
	state->finish = false;
	state->next = MIGRATION_NEVER;
	desired_compare_group(state, pool, wanted);
	rules = desired_rules(state, pool, NULL);
	if (migration_is_complete(state->migration, wanted, &rules)) {
		owners_share(state->owners, migration_owners(state->migration));
	} else {
		alive = backends_by_id(pool, farm_backend_is_alive);
		failing = backends_by_id(pool, farm_backend_is_failing);
		rules.failing = failing;
		state->next = migration_step(state->migration, wanted, alive, &rules, now);
		free(alive);
		free(failing);
	}
	forget_marks(state);
}

static bool has_pending(const struct farm_pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		if (farm_backend_exists(&pool->backends[i]) && pool->backends[i].record.state == STATE_PENDING)
			return true;
	return false;
}

static bool has_enabled(const struct farm_pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		if (farm_backend_is_enabled(&pool->backends[i]))
			return true;
	return false;
}

static bool has_no_owner(const struct pool_state *state, uint32_t slots)
{
	const uint16_t *owners = migration_owners(state->migration)->ids;

	for (uint32_t slot = 0; slot < slots; slot++)
		if (owners[slot])
			return false;
	return !migration_is_going_on(state->migration);
}

/* Backends become reachable one after the other, in two situations: at the first start, and after an outage of the
 * whole pool. The first reachable backend must not record calls in slots of the other backends: at the first start
 * there are no calls yet, and after an outage the calls are still at their previous backends. During this period,
 * each backend therefore gets its slots at once.
 *
 * At the first start the period ends when every backend has a route. After an outage it does not end early, because
 * a backend may appear reachable too early. A pool without enabled backends has no outage: an operator has emptied it.
 * If this balancer returns to its group, its outage counts no longer: the pool may have been in service at the other
 * members, with calls in all slots. */
#define GRACE_MSEC 10000

static bool moves_at_once(struct pool_state *state, const struct farm_pool *pool, uint32_t slots, uint64_t now)
{
	bool starting = state->starting;

	state->starting = starting && has_pending(pool) && now - state->begun < GRACE_MSEC;
	if (starting)
		return true;
	if (state->grouped && !state->was_grouped)
		state->empty = 0;
	if (!has_no_owner(state, slots))
		state->served = true;
	else if (state->served && state->was_enabled)
		state->empty = now;
	state->was_enabled = has_enabled(pool);
	return state->empty && now - state->empty < GRACE_MSEC;
}

/* Limit for the working memory of tables between changes. All pools stay below it with the default `limits:`. */
#define TABLES_BYTES_MAX (100 << 20)

static bool is_short_of_memory(const struct desired *desired)
{
	return (uint64_t)desired->count * desired->slots * TABLE_SLOT_BYTES > TABLES_BYTES_MAX;
}

/* If owners of the pool's slots change, writes all owners into the pool's unused table. */
static void desire_pool(struct desired *desired, const struct farm_pool *pool, const struct image *running,
	struct image *image, uint64_t now)
{
	struct pool_state *state = pool_state(desired, pool, running, now);
	uint32_t id = pool->id, in_use = running->pools[id].table;
	bool known = running->pool_names[id].name[0];
	struct pool *value = &image->pools[id];

	state->finish |= moves_at_once(state, pool, desired->slots, now);
	if (state->adopted_owners && !state->starting)
		desired_adopt_now(state, owners_wanted(state->owners, pool), now);
	balance_pool(state, pool, now);
	move_pool(state, pool, owners_wanted(state->owners, pool), now);
	if (is_short_of_memory(desired))
		owners_trim(state->owners);
	name_copy(image->pool_names[id].name, pool->config->name);
	slots_replace(&image->wanted[id], owners_wanted(state->owners, pool));
	*value = (struct pool){.table = in_use,
		.migrating = migration_is_going_on(state->migration),
		.balanced = state->balanced,
		.balanced_since = state->balanced_since};
	if (value->migrating && !slots_equal(migration_previous(state->migration), image_previous_slots(running, id)))
		slots_replace(&image->previous_owners[id], migration_previous(state->migration));
	if (known && slots_equal(migration_owners(state->migration), image_owners(running, id)))
		return;
	value->table = 2 * id + (in_use == 2 * id);
	slots_replace(&image->tables[value->table], migration_owners(state->migration));
}

void desired_postpone(struct desired *desired, uint64_t made, uint64_t now)
{
	for (uint32_t i = 0; i < desired->count; i++)
		if (desired->pools[i].migration)
			migration_postpone(desired->pools[i].migration, made, now);
}

void desired_reconfigured(struct desired *desired)
{
	for (uint32_t i = 0; i < desired->count; i++)
		if (desired->pools[i].migration)
			desired->pools[i].next = 0;
}

uint64_t desired_next(const struct desired *desired)
{
	uint64_t next = MIGRATION_NEVER;

	for (uint32_t i = 0; i < desired->count; i++)
		if (desired->pools[i].migration && desired->pools[i].next < next)
			next = desired->pools[i].next;
	return next;
}

void desired_finish_pool(struct desired *desired, uint32_t pool)
{
	if (pool < desired->count)
		desired->pools[pool].finish = true;
}

void desired_hold_slots(struct desired *desired, uint32_t pool, bool *held)
{
	if (pool >= desired->count) {
		free(held);
		return;
	}
	free(desired->pools[pool].held);
	desired->pools[pool].held = held;
}

static void desire_state(const struct farm *farm, struct balancer_state *state)
{
	const struct config *config = farm->config;

	state->away_since = farm->away_since;
	state->is_blind = farm->is_blind;
	state->joining_until = farm->joining_until;
	state->interface_count = config->interface_count;
	for (size_t i = 0; i < config->interface_count; i++)
		strcpy(state->interfaces[i], config->interfaces[i]);
}

static struct image *fill_image(const struct farm *farm, const struct image *running, struct image *image)
{
	uint16_t *guard_of = desire_guards(farm, running, image);

	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const struct farm_pool *pool = &farm->pools[i];

		for (size_t j = 0; j < pool->count; j++) {
			const struct farm_backend *backend = &pool->backends[j];

			image->backends[backend->id] = farm_backend_entry(pool, backend);
			image->records[backend->id] = backend->record;
			image->passive[backend->id] = farm_passive_rule(pool, backend);
			if (backend->added && farm_backend_exists(backend))
				hash_map_put(image->maps[IMAGE_ADDED], &(__u32){backend->id}, &backend->added->value);
		}
	}
	desire_services(farm, guard_of, image);
	desire_nat(farm, image);
	desire_state(farm, &image->state);
	free(guard_of);
	return image;
}

struct image *desired_image(struct desired *desired, const struct farm *farm, const struct image *running, uint64_t now)
{
	struct image *image = image_new(&running->contract);

	/* A different hash key maps every call to a different slot, so the owners change at once. */
	if (!matches(desired, farm, running)) {
		forget_pools(desired);
		begin(desired, farm, running);
	}
	for (size_t i = 0; i < farm->config->pool_count; i++)
		desire_pool(desired, &farm->pools[i], running, image, now);
	for (uint32_t id = 0; id < desired->count; id++)
		if (!image->pool_names[id].name[0])
			forget_pool(&desired->pools[id]);
	return fill_image(farm, running, image);
}

struct image *desired_preview(
	const struct desired *desired, const struct farm *farm, const struct image *running, uint64_t now)
{
	struct image *image = image_new(&running->contract);
	bool same = matches(desired, farm, running);
	struct desired scratch;

	begin(&scratch, farm, running);
	if (same)
		scratch.runs_by_key = desired->runs_by_key;
	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const struct farm_pool *pool = &farm->pools[i];
		const struct pool_state *known = same ? &desired->pools[pool->id] : NULL;
		struct pool_state *state = &scratch.pools[pool->id];

		if (known && known->migration && !strcmp(known->name, pool->config->name)) {
			*state = *known;
			state->migration = migration_copy(known->migration);
			state->held = NULL; /* belongs to `desired` */
			state->group = (struct migration_phases){0};
			state->group_begun = state->group_others = NULL;
			state->fingerprinted = state->adopted_owners = state->adopted_previous = NULL;
		}
		desire_pool(&scratch, pool, running, image, now);
		if (known && state->owners == known->owners)
			state->owners = NULL; /* belongs to `desired` */
		forget_pool(state);
	}
	free(scratch.pools);
	return fill_image(farm, running, image);
}
