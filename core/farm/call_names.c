// SPDX-License-Identifier: GPL-2.0
/* See call_names.h. */

#include "core/base/memory.h"
#include "call_names.h"
#include "farm.h"

struct call_names {
	struct hash_map *ids;               /* struct group_call_target -> struct call_ids */
	uint64_t *pools;                    /* by id; 0: the id is free */
	struct group_call_target *backends; /* by id; 0: the same */
	size_t pool_count, backend_count;
	struct hash_map *missed; /* struct group_call_target -> bool */
};

static struct hash_map *new_missed(void)
{
	return hash_map_new(sizeof(struct group_call_target), sizeof(bool));
}

struct call_names *call_names_new(void)
{
	struct call_names *names = allocate(1, sizeof(*names));

	names->missed = new_missed();
	return names;
}

static void forget(struct call_names *names)
{
	hash_map_free(names->ids);
	free(names->pools);
	free(names->backends);
}

void call_names_free(struct call_names *names)
{
	if (!names)
		return;
	forget(names);
	hash_map_free(names->missed);
	free(names);
}

/* Returns a map from the names of the pools to uint32_t ids. */
static struct hash_map *fill_pools(struct call_names *names, const struct image *running)
{
	struct hash_map *ids = hash_map_new(sizeof(uint64_t), sizeof(uint32_t));

	for (uint32_t id = 0; id < names->pool_count; id++) {
		if (!*running->pool_names[id].name)
			continue;
		names->pools[id] = farm_pool_name_key(running->pool_names[id].name);
		hash_map_put(ids, &names->pools[id], &id);
	}
	return ids;
}

/* A call must not go to a backend of a different pool, whatever a message says. A backend is therefore found only
 * together with its pool. */
static void fill_backends(struct call_names *names, const struct image *running, const struct hash_map *pools)
{
	for (uint32_t id = 1; id < names->backend_count; id++) {
		const struct backend_record *record = &running->records[id];
		const uint32_t *pool;
		struct group_key key;

		if (!*record->name)
			continue;
		key = farm_record_key(record);
		pool = hash_map_find(pools, &key.pool);
		names->backends[id] = (struct group_call_target){key.pool, key.backend};
		if (pool)
			hash_map_put(names->ids, &names->backends[id], &(struct call_ids){*pool, id});
	}
}

/* Returns true if the maps have a name that was missed. */
static bool forget_found(struct call_names *names)
{
	struct hash_map *missed = new_missed();
	struct hash_map_entry entry;
	bool found = false;
	size_t cursor = 0;

	while (hash_map_next(names->missed, &cursor, &entry))
		if (hash_map_find(names->ids, entry.key))
			found = true;
		else
			hash_map_put(missed, entry.key, entry.value);
	hash_map_free(names->missed);
	names->missed = missed;
	return found;
}

bool call_names_fill(struct call_names *names, const struct image *running)
{
	struct hash_map *pools;

	forget(names);
	names->pool_count = running->contract.pools;
	names->backend_count = running->contract.backends + 1;
	names->pools = allocate(names->pool_count, sizeof(*names->pools));
	names->backends = allocate(names->backend_count, sizeof(*names->backends));
	names->ids = hash_map_new(sizeof(struct group_call_target), sizeof(struct call_ids));
	pools = fill_pools(names, running);
	fill_backends(names, running, pools);
	hash_map_free(pools);
	return forget_found(names);
}

static void miss(struct call_names *names, const struct group_call_target *target)
{
	if (hash_map_count(names->missed) >= CALL_NAMES_MISSED_MAX) {
		hash_map_free(names->missed);
		names->missed = new_missed();
	}
	hash_map_put(names->missed, target, &(bool){true});
}

struct call_ids call_names_find(struct call_names *names, const struct group_call_target *target)
{
	const struct call_ids *ids = names->ids ? hash_map_find(names->ids, target) : NULL;

	if (!ids)
		miss(names, target);
	return ids ? *ids : (struct call_ids){0};
}

bool call_names_at(const struct call_names *names, uint32_t pool, uint32_t backend, struct group_call_target *out)
{
	*out = (struct group_call_target){pool < names->pool_count ? names->pools[pool] : 0,
		backend < names->backend_count ? names->backends[backend].backend : 0};
	return out->pool && out->backend;
}
