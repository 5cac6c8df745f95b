// SPDX-License-Identifier: GPL-2.0
/* See owners.h. */

#include <string.h>
#include "core/base/memory.h"
#include "owners.h"
#include "core/table/table.h"

/* A table and who is in it, so that nothing is done while nobody comes or goes. */
struct deck {
	struct table *table; /* NULL: not needed yet */
	struct dealt {
		char name[NAME_SIZE];
		uint16_t id;
		uint16_t weight;
	} * dealt;
	size_t count;
};

struct owners {
	uint32_t slots;
	uint64_t hash_key[2];
	struct deck able;    /* of those who may have new calls */
	struct deck whole;   /* of them and those who would if they were alive; where there are groups */
	struct deck *groups; /* likewise of a group's able ones */
	size_t group_count;
	struct slots *mixed; /* what the tables give together; NULL where there are no groups */
};

struct owners *owners_new(uint32_t slots, const uint64_t hash_key[2])
{
	struct owners *owners = allocate(1, sizeof(*owners));

	owners->slots = slots;
	memcpy(owners->hash_key, hash_key, sizeof(owners->hash_key));
	return owners;
}

static void forget(struct deck *deck)
{
	table_free(deck->table);
	free(deck->dealt);
	*deck = (struct deck){0};
}

static void forget_groups(struct owners *owners)
{
	for (size_t i = 0; i < owners->group_count; i++)
		forget(&owners->groups[i]);
	free(owners->groups);
	forget(&owners->whole);
	slots_drop(owners->mixed);
	owners->groups = NULL;
	owners->group_count = 0;
	owners->mixed = NULL;
}

void owners_free(struct owners *owners)
{
	if (!owners)
		return;
	forget_groups(owners);
	forget(&owners->able);
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
	       (choice->also_dead ? farm_backend_is_enabled(backend) : farm_backend_takes_new_calls(pool, backend));
}

static size_t choose(const struct farm_pool *pool, const struct choice *choice, struct dealt *dealt)
{
	size_t count = 0;

	for (size_t i = 0; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];

		if (!is_chosen(pool, backend, choice))
			continue;
		dealt[count] = (struct dealt){.id = backend->id, .weight = farm_backend_weight(backend)};
		memcpy(dealt[count++].name, backend->record.name, NAME_SIZE);
	}
	return count;
}

/* Names and ids are unique and weights in range: config and farm have seen to it. */
static void deal(struct table *table, const struct dealt *dealt, size_t count)
{
	struct table_member *members = allocate(count, sizeof(*members));

	for (size_t i = 0; i < count; i++)
		members[i] = (struct table_member){.name = dealt[i].name, .id = dealt[i].id, .weight = dealt[i].weight};
	if (table_set_members(table, members, count))
		abort();
	free(members);
}

/* The owners when these are in the deck. */
static struct slots *slots_of(
	const struct owners *owners, struct deck *deck, const struct farm_pool *pool, const struct choice *choice)
{
	struct dealt *dealt = allocate(pool->count, sizeof(*dealt));
	size_t count = choose(pool, choice, dealt);

	if (!deck->table)
		deck->table = table_new(owners->slots, owners->hash_key);
	if (count != deck->count || (count && memcmp(dealt, deck->dealt, count * sizeof(*dealt))))
		deal(deck->table, dealt, count);
	free(deck->dealt);
	deck->dealt = dealt;
	deck->count = count;
	return table_owners(deck->table);
}

/* Those of a higher number wait until none of the lower is left. */
static unsigned int priority_in_charge(const struct farm_pool *pool)
{
	unsigned int priority = MAX_PRIORITY;

	for (size_t i = 0; i < pool->count; i++)
		if (farm_backend_takes_new_calls(pool, &pool->backends[i]) && pool->backends[i].priority < priority)
			priority = pool->backends[i].priority;
	return priority;
}

/* By id: the group of those who would be in charge and are not able; 0 for all others. */
static uint16_t *groups_of_missing(const struct farm_pool *pool, unsigned int priority)
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

static struct slots *mix(struct owners *owners, const struct farm_pool *pool, unsigned int priority,
	const struct slots *whole, const struct slots *rest)
{
	const struct slots **groups = allocate(owners->group_count, sizeof(*groups)); /* NULL: not asked for yet */
	struct slots *mixed = slots_new(owners->slots);
	uint16_t *missing = groups_of_missing(pool, priority);
	bool *able = able_by_id(pool);

	for (uint32_t slot = 0; slot < owners->slots; slot++) {
		uint16_t owner = whole->ids[slot], group = missing[owner];

		if (group && !groups[group - 1])
			groups[group - 1] = slots_of(owners, &owners->groups[group - 1], pool,
				&(struct choice){.priority = priority, .group = group});
		if (!able[owner])
			owner = group ? groups[group - 1]->ids[slot] : 0;
		mixed->ids[slot] = owner ? owner : rest->ids[slot];
	}
	if (!slots_equal(mixed, owners->mixed))
		slots_replace(&owners->mixed, mixed);
	slots_drop(mixed);
	free(groups);
	free(missing);
	free(able);
	return owners->mixed;
}

struct slots *owners_wanted(struct owners *owners, const struct farm_pool *pool)
{
	unsigned int priority = priority_in_charge(pool);
	struct slots *rest = slots_of(owners, &owners->able, pool, &(struct choice){.priority = priority});
	struct slots *whole;

	if (owners->group_count != pool->config->group_count)
		forget_groups(owners);
	if (!pool->config->group_count)
		return rest;
	if (!owners->group_count) {
		owners->group_count = pool->config->group_count;
		owners->groups = allocate(owners->group_count, sizeof(*owners->groups));
	}
	whole = slots_of(owners, &owners->whole, pool, &(struct choice){.priority = priority, .also_dead = true});
	return mix(owners, pool, priority, whole, rest);
}

void owners_share(struct owners *owners, struct slots *slots)
{
	if (owners->mixed)
		slots_replace(&owners->mixed, slots);
	else
		table_share(owners->able.table, slots);
}

static void rest(struct deck *deck)
{
	if (deck->table)
		table_trim(deck->table);
}

void owners_trim(struct owners *owners)
{
	rest(&owners->able);
	rest(&owners->whole);
	for (size_t i = 0; i < owners->group_count; i++)
		rest(&owners->groups[i]);
}
