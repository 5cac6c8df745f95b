// SPDX-License-Identifier: GPL-2.0
/* See owners.h. */

#include <string.h>
#include "memory.h"
#include "owners.h"
#include "table.h"

struct owners {
	uint32_t slots;
	uint64_t hash_key[2];
	struct table *able;    /* of those who may have new calls */
	struct table *whole;   /* of them and those who would if they were alive; NULL without groups */
	struct table **groups; /* likewise of a group's able ones; NULL: not needed yet */
	size_t group_count;
	uint16_t *mixed; /* what the tables give together, where there are groups */
};

struct owners *owners_new(uint32_t slots, const uint64_t hash_key[2])
{
	struct owners *owners = allocate(1, sizeof(*owners));

	owners->slots = slots;
	memcpy(owners->hash_key, hash_key, sizeof(owners->hash_key));
	owners->able = table_new(slots, hash_key);
	return owners;
}

static void forget_groups(struct owners *owners)
{
	for (size_t i = 0; i < owners->group_count; i++)
		table_free(owners->groups[i]);
	free(owners->groups);
	table_free(owners->whole);
	free(owners->mixed);
	owners->groups = NULL;
	owners->group_count = 0;
	owners->whole = NULL;
	owners->mixed = NULL;
}

void owners_free(struct owners *owners)
{
	if (!owners)
		return;
	forget_groups(owners);
	table_free(owners->able);
	free(owners);
}

/* Who counts for a table. */
struct choice {
	unsigned int priority;
	bool also_dead;
	size_t group; /* 0: whatever the group */
};

static bool is_chosen(const struct farm_pool *pool, const struct farm_backend *backend, const struct choice *choice)
{
	return backend->priority == choice->priority && (!choice->group || backend->group == choice->group) &&
	       (choice->also_dead ? farm_backend_is_wanted(backend) : farm_backend_is_able(pool, backend));
}

/* Names and ids are unique and weights in range: config and farm have seen to it. */
static void fill(struct table *table, const struct farm_pool *pool, const struct choice *choice)
{
	struct table_member *members = allocate(pool->count, sizeof(*members));
	size_t count = 0;

	for (size_t i = 0; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];

		if (is_chosen(pool, backend, choice))
			members[count++] = (struct table_member){.name = backend->record.name,
				.id = backend->id,
				.weight = farm_backend_weight(backend)};
	}
	if (table_set_members(table, members, count))
		abort();
	free(members);
}

/* Those of a higher number wait until none of the lower is left. */
static unsigned int priority_in_charge(const struct farm_pool *pool)
{
	unsigned int priority = MAX_PRIORITY;

	for (size_t i = 0; i < pool->count; i++)
		if (farm_backend_is_able(pool, &pool->backends[i]) && pool->backends[i].priority < priority)
			priority = pool->backends[i].priority;
	return priority;
}

/* By id: the group of those who would be in charge and are not able; 0 for all others. */
static uint16_t *groups_of_missing(const struct farm_pool *pool, unsigned int priority)
{
	uint16_t *groups = allocate(UINT16_MAX + 1, sizeof(*groups));

	for (size_t i = 0; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];

		if (backend->priority == priority && !farm_backend_is_able(pool, backend))
			groups[backend->id] = backend->group;
	}
	return groups;
}

static bool *able_by_id(const struct farm_pool *pool)
{
	bool *able = allocate(UINT16_MAX + 1, sizeof(*able));

	for (size_t i = 0; i < pool->count; i++)
		able[pool->backends[i].id] = farm_backend_is_able(pool, &pool->backends[i]);
	return able;
}

/* Of the able ones of a group; 0 where it has none. */
static uint16_t owner_in_group(struct owners *owners, const struct farm_pool *pool, size_t group, uint32_t slot,
	unsigned int priority, bool *filled)
{
	struct table **table = &owners->groups[group - 1];

	if (!filled[group - 1]) {
		if (!*table)
			*table = table_new(owners->slots, owners->hash_key);
		fill(*table, pool, &(struct choice){.priority = priority, .group = group});
		filled[group - 1] = true;
	}
	return table_slots(*table)[slot];
}

static const uint16_t *mix(struct owners *owners, const struct farm_pool *pool, unsigned int priority)
{
	uint16_t *missing = groups_of_missing(pool, priority);
	bool *filled = allocate(owners->group_count, sizeof(*filled)), *able = able_by_id(pool);
	const uint16_t *whole = table_slots(owners->whole), *rest = table_slots(owners->able);

	for (uint32_t slot = 0; slot < owners->slots; slot++) {
		uint16_t owner = whole[slot];

		if (!able[owner])
			owner = missing[owner] ? owner_in_group(owners, pool, missing[owner], slot, priority, filled)
					       : 0;
		owners->mixed[slot] = owner ? owner : rest[slot];
	}
	free(missing);
	free(filled);
	free(able);
	return owners->mixed;
}

const uint16_t *owners_wanted(struct owners *owners, const struct farm_pool *pool)
{
	unsigned int priority = priority_in_charge(pool);

	fill(owners->able, pool, &(struct choice){.priority = priority});
	if (owners->group_count != pool->config->group_count)
		forget_groups(owners);
	if (!pool->config->group_count)
		return table_slots(owners->able);
	if (!owners->whole) {
		owners->group_count = pool->config->group_count;
		owners->groups = allocate(owners->group_count, sizeof(*owners->groups));
		owners->whole = table_new(owners->slots, owners->hash_key);
		owners->mixed = allocate(owners->slots, sizeof(*owners->mixed));
	}
	fill(owners->whole, pool, &(struct choice){.priority = priority, .also_dead = true});
	return mix(owners, pool, priority);
}
