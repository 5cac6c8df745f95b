// SPDX-License-Identifier: GPL-2.0
/* See owners.h. */

#include <string.h>
#include "core/base/memory.h"
#include "owners.h"
#include "core/table/table.h"

/* A table and its current members. It is computed again only if the members change. */
struct member_table {
	struct table *table; /* NULL until it is first needed */
	struct owner_member {
		char name[NAME_SIZE];
		uint16_t id;
		uint16_t weight;
	} * members;
	size_t count;
};

struct owners {
	uint32_t slots;
	uint64_t hash_key[2];
	struct member_table able; /* members: the backends that take new calls */
	struct member_table
		with_dead;           /* members: all enabled backends of the priority, dead or not; only with groups */
	struct member_table *groups; /* by group: its backends that take new calls */
	size_t group_count;
	struct slots *combined; /* the owners from all tables combined; NULL without groups */
};

struct owners *owners_new(uint32_t slots, const uint64_t hash_key[2])
{
	struct owners *owners = allocate(1, sizeof(*owners));

	owners->slots = slots;
	memcpy(owners->hash_key, hash_key, sizeof(owners->hash_key));
	return owners;
}

static void forget(struct member_table *table)
{
	table_free(table->table);
	free(table->members);
	*table = (struct member_table){0};
}

static void forget_groups(struct owners *owners)
{
	for (size_t i = 0; i < owners->group_count; i++)
		forget(&owners->groups[i]);
	free(owners->groups);
	forget(&owners->with_dead);
	slots_drop(owners->combined);
	owners->groups = NULL;
	owners->group_count = 0;
	owners->combined = NULL;
}

void owners_free(struct owners *owners)
{
	if (!owners)
		return;
	forget_groups(owners);
	forget(&owners->able);
	free(owners);
}

/* Selects the members of a table. */
struct filter {
	unsigned int priority;
	bool also_dead;
	size_t group; /* 0: all groups */
};

static bool matches(const struct farm_pool *pool, const struct farm_backend *backend, const struct filter *filter)
{
	return backend->priority == filter->priority && (!filter->group || backend->group == filter->group) &&
	       (filter->also_dead ? farm_backend_is_enabled(backend) : farm_backend_takes_new_calls(pool, backend));
}

static size_t select_members(const struct farm_pool *pool, const struct filter *filter, struct owner_member *members)
{
	size_t count = 0;

	for (size_t i = 0; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];

		if (!matches(pool, backend, filter))
			continue;
		members[count] = (struct owner_member){.id = backend->id, .weight = farm_backend_weight(backend)};
		memcpy(members[count++].name, backend->record.name, NAME_SIZE);
	}
	return count;
}

/* Cannot fail: the configuration and the farm guarantee unique names and ids, and valid weights. */
static void set_members(struct table *table, const struct owner_member *from, size_t count)
{
	struct table_member *members = allocate(count, sizeof(*members));

	for (size_t i = 0; i < count; i++)
		members[i] = (struct table_member){.name = from[i].name, .id = from[i].id, .weight = from[i].weight};
	if (table_set_members(table, members, count))
		abort();
	free(members);
}

/* The owners of the slots in a table with the selected backends as its members. */
static struct slots *slots_of(const struct owners *owners, struct member_table *table, const struct farm_pool *pool,
	const struct filter *filter)
{
	struct owner_member *members = allocate(pool->count, sizeof(*members));
	size_t count = select_members(pool, filter, members);

	if (!table->table)
		table->table = table_new(owners->slots, owners->hash_key);
	if (count != table->count || (count && memcmp(members, table->members, count * sizeof(*members))))
		set_members(table->table, members, count);
	free(table->members);
	table->members = members;
	table->count = count;
	return table_owners(table->table);
}

size_t owners_members(const struct farm_pool *pool, const struct farm_backend **members)
{
	const struct filter filter = {.priority = farm_priority_in_charge(pool)};
	size_t count = 0;

	for (size_t i = 0; i < pool->count; i++)
		if (matches(pool, &pool->backends[i], &filter))
			members[count++] = &pool->backends[i];
	return count;
}

/* By id: the group of a backend of this priority that takes no new calls; 0 for all others. */
static uint16_t *groups_of_unable(const struct farm_pool *pool, unsigned int priority)
{
	uint16_t *groups = allocate(UINT16_MAX + 1, sizeof(*groups));

	for (size_t i = 0; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];

		if (backend->priority == priority && !farm_backend_takes_new_calls(pool, backend))
			groups[backend->id] = backend->group;
	}
	return groups;
}

static bool *able_by_id(const struct farm_pool *pool)
{
	bool *able = allocate(UINT16_MAX + 1, sizeof(*able));

	for (size_t i = 0; i < pool->count; i++)
		able[pool->backends[i].id] = farm_backend_takes_new_calls(pool, &pool->backends[i]);
	return able;
}

static struct slots *combine(struct owners *owners, const struct farm_pool *pool, unsigned int priority,
	const struct slots *with_dead, const struct slots *others)
{
	const struct slots **groups =
		allocate(owners->group_count, sizeof(*groups)); /* NULL until it is first needed */
	struct slots *combined = slots_new(owners->slots);
	uint16_t *unable_groups = groups_of_unable(pool, priority);
	bool *able = able_by_id(pool);

	for (uint32_t slot = 0; slot < owners->slots; slot++) {
		uint16_t owner = with_dead->ids[slot], group = unable_groups[owner];

		if (group && !groups[group - 1])
			groups[group - 1] = slots_of(owners, &owners->groups[group - 1], pool,
				&(struct filter){.priority = priority, .group = group});
		if (!able[owner])
			owner = group ? groups[group - 1]->ids[slot] : 0;
		combined->ids[slot] = owner ? owner : others->ids[slot];
	}
	if (!slots_equal(combined, owners->combined))
		slots_replace(&owners->combined, combined);
	slots_drop(combined);
	free(groups);
	free(unable_groups);
	free(able);
	return owners->combined;
}

struct slots *owners_wanted(struct owners *owners, const struct farm_pool *pool)
{
	unsigned int priority = farm_priority_in_charge(pool);
	struct slots *others = slots_of(owners, &owners->able, pool, &(struct filter){.priority = priority});
	struct slots *with_dead;

	if (owners->group_count != pool->config->group_count)
		forget_groups(owners);
	if (!pool->config->group_count)
		return others;
	if (!owners->group_count) {
		owners->group_count = pool->config->group_count;
		owners->groups = allocate(owners->group_count, sizeof(*owners->groups));
	}
	with_dead =
		slots_of(owners, &owners->with_dead, pool, &(struct filter){.priority = priority, .also_dead = true});
	return combine(owners, pool, priority, with_dead, others);
}

void owners_share(struct owners *owners, struct slots *slots)
{
	if (owners->combined)
		slots_replace(&owners->combined, slots);
	else
		table_share(owners->able.table, slots);
}

static void trim(struct member_table *table)
{
	if (table->table)
		table_trim(table->table);
}

void owners_trim(struct owners *owners)
{
	trim(&owners->able);
	trim(&owners->with_dead);
	for (size_t i = 0; i < owners->group_count; i++)
		trim(&owners->groups[i]);
}
