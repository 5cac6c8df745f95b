// SPDX-License-Identifier: GPL-2.0
/* The migrations of a pool in a group of balancers. See desired.h. */

#include <string.h>
#include "desired_private.h"
#include "core/base/memory.h"
#include "core/group/group_slots.h"

/* Owners by name: ids differ between balancers. */
static uint64_t fingerprint_slots(const struct slots *slots, const uint64_t *names)
{
	uint64_t hash = 0;

	for (uint32_t slot = 0; slot < slots->count; slot++)
		hash = (hash ^ names[slots->ids[slot]]) * UINT64_C(0x100000001b3) ^ hash >> 29;
	return hash;
}

static uint64_t hash_names(const struct farm_pool *pool)
{
	uint64_t hash = GROUP_HASH_BEGIN;

	for (size_t i = 0; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];
		const uint64_t name = farm_group_key(backend).backend;

		hash = group_hash(group_hash(hash, &backend->id, sizeof(backend->id)), &name, sizeof(name));
	}
	return hash;
}

/* The fingerprint of the wanted owners. Computes it only if owners or names have changed. */
static uint64_t fingerprint(struct pool_state *state, const struct farm_pool *pool, struct slots *wanted)
{
	const uint64_t hash = hash_names(pool);
	uint64_t *names;

	if (state->fingerprinted == wanted && state->names == hash)
		return state->fingerprint;
	names = allocate(UINT16_MAX + 1, sizeof(*names));
	for (size_t i = 0; i < pool->count; i++)
		names[pool->backends[i].id] = farm_group_key(&pool->backends[i]).backend;
	state->fingerprint = fingerprint_slots(wanted, names);
	slots_replace(&state->fingerprinted, wanted);
	state->names = hash;
	free(names);
	return state->fingerprint;
}

/* If the members want different owners than this balancer, some may not have begun to record a slot. */
void desired_compare_group(struct pool_state *state, const struct farm_pool *pool, struct slots *wanted)
{
	if (!state->group.recording || fingerprint(state, pool, wanted) == state->group_wants)
		return;
	free(state->group_others);
	state->group_others = NULL;
	for (uint32_t i = 0; i < MIGRATION_WORDS(wanted->count); i++)
		state->group.recording[i] |= ~state->group_begun[i];
}

/* A member that has not begun to record may begin later than this one by the time of its restart. */
#define GROUP_PATIENCE_MSEC 10000

/* The others forget a silent member after this time (GROUP_SILENCE), and calls fail meanwhile. */
#define GROUP_FAILING_MSEC 3000

struct migration_rules desired_rules(const struct pool_state *state, const struct farm_pool *pool, const bool *failing)
{
	return (struct migration_rules){.record_time = pool->config->record_time,
		.drain_timeout = pool->config->drain_timeout,
		.held = state->held,
		.failing = failing,
		.begun = state->group_begun,
		.others = state->group_others,
		.others_agree = state->others_agree,
		.failing_patience = GROUP_FAILING_MSEC,
		.moving_until = state->moving_until,
		.group = state->group.recording ? &state->group : NULL,
		.patience = pool->config->record_time + GROUP_PATIENCE_MSEC};
}

/* --- the phases at all members */

void desired_forget_group(struct pool_state *state)
{
	migration_phases_free(&state->group);
	free(state->group_begun);
	free(state->group_others);
	state->group_begun = state->group_others = NULL;
}

static bool has_failing(const struct farm_pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		if (farm_backend_is_failing(pool, &pool->backends[i]))
			return true;
	return false;
}

static bool has_missed(const struct pool_state *state)
{
	return state->migration && migration_has_missed(state->migration);
}

void desired_read_group(
	struct desired *desired, const struct farm *farm, const struct image *running, const struct group *group)
{
	const size_t words = MIGRATION_WORDS(running->contract.slots);

	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const struct farm_pool *pool = &farm->pools[i];
		struct pool_state *state = pool->id < desired->count ? &desired->pools[pool->id] : NULL;

		if (!state)
			continue;
		state->grouped = true;
		if (!running->pools[pool->id].migrating && !has_failing(pool) && !has_missed(state))
			continue;
		desired_forget_group(state);
		state->group = migration_phases_new(words);
		state->group_begun = allocate(words, sizeof(uint64_t));
		state->group_others = allocate(words, sizeof(uint64_t));
		state->others_agree = group_phases_of_others(group, farm_pool_key(pool), words, state->group_others);
		state->group_wants = group_phases(group, farm_pool_key(pool), words, &state->group, state->group_begun);
	}
}

void desired_keep_moving(struct desired *desired, uint64_t until)
{
	for (uint32_t i = 0; i < desired->count; i++)
		desired->pools[i].moving_until = until;
}

void desired_missed(struct desired *desired)
{
	for (uint32_t i = 0; i < desired->count; i++)
		if (desired->pools[i].migration)
			migration_missed(desired->pools[i].migration);
}

bool desired_phases(struct desired *desired, const struct farm_pool *pool, uint64_t now,
	const struct migration_phases *out, struct desired_progress *progress)
{
	struct pool_state *state = pool->id < desired->count ? &desired->pools[pool->id] : NULL;
	struct migration_rules rules;

	if (!state || !state->migration)
		return false;
	rules = desired_rules(state, pool, NULL);
	if (migration_is_going_on(state->migration))
		migration_phases(state->migration, &rules, now, out);
	*progress = (struct desired_progress){.is_migrating = migration_is_going_on(state->migration),
		.wanted = fingerprint(state, pool, owners_wanted(state->owners, pool)),
		.waits = migration_waits(state->migration)};
	return true;
}

/* --- migrations of other members */

/* Every slot that does not migrate at the other members has its wanted owner there. */
void desired_adopt_now(struct pool_state *state, struct slots *wanted, uint64_t now)
{
	struct slots *owners = slots_copy(wanted->ids, wanted->count);

	for (uint32_t slot = 0; slot < wanted->count; slot++)
		if (state->adopted_previous->ids[slot])
			owners->ids[slot] = state->adopted_owners->ids[slot];
	migration_finish(state->migration, wanted);
	migration_adopt(state->migration, owners, state->adopted_previous, now);
	slots_drop(owners);
	slots_replace(&state->adopted_owners, NULL);
	slots_replace(&state->adopted_previous, NULL);
	state->finish = false;
}

void desired_adopt(struct desired *desired, uint32_t pool, struct slots *owners, struct slots *previous)
{
	if (pool >= desired->count || owners->count != desired->slots)
		return;
	slots_replace(&desired->pools[pool].adopted_owners, owners);
	slots_replace(&desired->pools[pool].adopted_previous, previous);
}

void desired_slots(const struct desired *desired, uint32_t pool, struct slots **owners, struct slots **previous)
{
	const struct migration *migration = pool < desired->count ? desired->pools[pool].migration : NULL;

	*owners = migration ? migration_owners(migration) : NULL;
	*previous = migration ? migration_previous(migration) : NULL;
}
