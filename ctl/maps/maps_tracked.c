// SPDX-License-Identifier: GPL-2.0
/* The maps `tracked_calls` and `transactions`: reads entries and deletes stale ones. Only the kernel adds
 * entries. See maps.h. */

#include <errno.h>
#include <stdlib.h>
#include <bpf/bpf.h>
#include "bpf/abi_punt.h"
#include "core/base/memory.h"
#include "maps_private.h"

#define BATCH_SIZE 4096

/* Receives one entry. `tracked` is NULL for an entry of `transactions`. */
typedef void visit_tracked(const struct maps *maps, enum map map, const struct tracked_key *key, uint32_t backend,
	const struct tracked_call *tracked, void *data);

/* Calls `visit` for every entry of one of the two maps. The number of entries, or -errno. */
static int visit_map(const struct maps *maps, enum map map, visit_tracked *visit, void *data)
{
	size_t size = map == MAP_TRACKED_CALLS ? sizeof(struct tracked_call) : sizeof(struct transaction);
	struct tracked_key *keys = allocate(BATCH_SIZE, sizeof(*keys));
	char *values = allocate(BATCH_SIZE, size);
	uint32_t batch, *from = NULL;
	int error, total = 0;

	do {
		uint32_t count = BATCH_SIZE;

		error = bpf_map_lookup_batch(maps->fd[map], from, &batch, keys, values, &count, NULL);
		if (error && error != -ENOENT)
			break;
		from = &batch;
		total += count;
		for (uint32_t i = 0; i < count; i++) {
			const void *value = values + i * size;
			const struct tracked_call *tracked = map == MAP_TRACKED_CALLS ? value : NULL;

			visit(maps, map, &keys[i],
				tracked ? tracked->backend : ((const struct transaction *)value)->backend, tracked,
				data);
		}
	} while (!error);
	free(keys);
	free(values);
	return error == -ENOENT ? total : error;
}

/* Calls `visit` for every entry of both maps. 0 or -errno. */
static int visit_tracked_calls(const struct maps *maps, visit_tracked *visit, void *data)
{
	int error = visit_map(maps, MAP_TRACKED_CALLS, visit, data);

	if (error >= 0)
		error = visit_map(maps, MAP_TRANSACTIONS, visit, data);
	return error < 0 ? error : 0;
}

struct visitor {
	maps_visit_tracked_call *visit;
	void *data;
};

static void visit_call(const struct maps *maps, enum map map, const struct tracked_key *key, uint32_t backend,
	const struct tracked_call *tracked, void *data)
{
	const struct visitor *visitor = data;

	(void)maps, (void)map, (void)backend;
	visitor->visit(key, tracked, visitor->data);
}

int maps_visit_tracked_calls(const struct maps *maps, maps_visit_tracked_call *visit, void *data)
{
	return visit_map(maps, MAP_TRACKED_CALLS, visit_call, &(struct visitor){visit, data});
}

static void forget_reassigned(const struct maps *maps, enum map map, const struct tracked_key *key, uint32_t backend,
	const struct tracked_call *tracked, void *data)
{
	const bool *reassigned = data;

	(void)tracked;
	if (backend <= maps->contract.backends && reassigned[backend])
		bpf_map_delete_elem(maps->fd[map], key);
}

int maps_forget_reassigned(const struct maps *maps, const bool *reassigned)
{
	return visit_tracked_calls(maps, forget_reassigned, (void *)reassigned);
}

/* The previous owners of a pool's slots, before and after a change. */
struct previous_change {
	uint32_t pool;
	bool begins; /* no slot of the pool was migrating before */
	const __u16 *before, *after;
};

/* Deletes stale entries. In a slot that begins to migrate, the calls of an earlier migration may be at other
 * backends now. In a slot that has stopped migrating, the kernel no longer records the end of calls. An entry
 * from a hint is independent of the slot, and stays as long as any slot of the pool migrates. */
static void forget_earlier(const struct maps *maps, enum map map, const struct tracked_key *key, uint32_t backend,
	const struct tracked_call *tracked, void *data)
{
	const struct previous_change *change = data;
	uint32_t slot = key->slot & (maps->contract.slots - 1);
	bool changes = !change->before[slot] != !change->after[slot], hinted = tracked && tracked->hinted;

	(void)backend;
	if (key->pool == change->pool && (change->begins || (changes && !hinted)))
		bpf_map_delete_elem(maps->fd[map], key);
}

int maps_put_previous_owners(const struct maps *maps, uint32_t pool_id, const __u16 *previous)
{
	struct previous_change change = {.pool = pool_id, .after = previous};
	__u16 *before = allocate(maps->contract.slots, sizeof(*before));
	struct pool pool;
	int error = bpf_map_lookup_elem(maps->fd[MAP_POOLS], &pool_id, &pool);

	if (!error && pool.migrating)
		error = bpf_map_lookup_elem(maps->fd[MAP_PREVIOUS_OWNERS], &pool_id, before);
	if (!error) {
		change.begins = !pool.migrating;
		change.before = before;
		error = visit_tracked_calls(maps, forget_earlier, &change);
	}
	if (error >= 0)
		error = bpf_map_update_elem(maps->fd[MAP_PREVIOUS_OWNERS], &pool_id, previous, BPF_ANY);
	free(before);
	return error;
}

int maps_tracked(const struct maps *maps, uint32_t pool, uint64_t hash, uint32_t slot, uint32_t *backend)
{
	const struct tracked_key key = {.hash = hash, .pool = pool, .slot = slot};
	struct transaction transaction;
	struct tracked_call tracked;
	int error = bpf_map_lookup_elem(maps->fd[MAP_TRACKED_CALLS], &key, &tracked);

	*backend = error ? 0 : tracked.backend;
	if (!error)
		return 0;
	error = bpf_map_lookup_elem(maps->fd[MAP_TRANSACTIONS], &key, &transaction);
	*backend = error ? 0 : transaction.backend;
	return error;
}

/* --- the group */

int maps_share_calls(const struct maps *maps, bool active)
{
	uint32_t class = PUNT_CLASS_CALLS;
	struct punt_reader reader;
	int error = bpf_map_lookup_elem(maps->fd[MAP_PUNT_READERS], &class, &reader);

	if (error || reader.active == active)
		return error;
	reader.active = active;
	reader.lease = active; /* long ago: the group has not given its permission yet */
	return bpf_map_update_elem(maps->fd[MAP_PUNT_READERS], &class, &reader, BPF_ANY);
}

uint64_t maps_lost_changes(const struct maps *maps)
{
	uint32_t class = PUNT_CLASS_CALLS;
	struct punt_reader reader;

	return bpf_map_lookup_elem(maps->fd[MAP_PUNT_READERS], &class, &reader) ? 0 : reader.lost;
}
