// SPDX-License-Identifier: GPL-2.0
/* Owns the maps of tracked calls, `tracked_calls` and `transactions`: reads their entries, and deletes those
 * that count no longer. The daemon adds none. See maps.h. */

#include <errno.h>
#include <stdlib.h>
#include <bpf/bpf.h>
#include "core/base/memory.h"
#include "maps_private.h"

#define TRACKED_AT_ONCE 4096

/* One entry of `tracked_calls` or `transactions`; `note` is NULL for the latter. */
typedef void visit_tracked(const struct maps *maps, enum map map, const struct tracked_key *key, uint32_t backend,
	const struct tracked_call *tracked, void *data);

/* Shows every entry of one of the two to `visit`. Returns how many there are, or -errno. */
static int visit_map(const struct maps *maps, enum map map, visit_tracked *visit, void *data)
{
	size_t size = map == MAP_TRACKED_CALLS ? sizeof(struct tracked_call) : sizeof(struct transaction);
	struct tracked_key *keys = allocate(TRACKED_AT_ONCE, sizeof(*keys));
	char *values = allocate(TRACKED_AT_ONCE, size);
	uint32_t batch, *from = NULL;
	int error, total = 0;

	do {
		uint32_t count = TRACKED_AT_ONCE;

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

/* The same for both. 0 or -errno. */
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

static void show_tracked_call(const struct maps *maps, enum map map, const struct tracked_key *key, uint32_t backend,
	const struct tracked_call *tracked, void *data)
{
	const struct visitor *visitor = data;

	(void)maps, (void)map, (void)backend;
	visitor->visit(key, tracked, visitor->data);
}

int maps_visit_tracked_calls(const struct maps *maps, maps_visit_tracked_call *visit, void *data)
{
	return visit_map(maps, MAP_TRACKED_CALLS, show_tracked_call, &(struct visitor){visit, data});
}

static void forget_renamed(const struct maps *maps, enum map map, const struct tracked_key *key, uint32_t backend,
	const struct tracked_call *tracked, void *data)
{
	const bool *renamed = data;

	(void)tracked;
	if (backend <= maps->contract.backends && renamed[backend])
		bpf_map_delete_elem(maps->fd[map], key);
}

int maps_forget_renamed(const struct maps *maps, const bool *renamed)
{
	return visit_tracked_calls(maps, forget_renamed, (void *)renamed);
}

/* Previous owners of a pool's slots, and what replaces them. */
struct previous_change {
	uint32_t pool;
	bool begins; /* nothing in the pool was migrating */
	const __u16 *before, *after;
};

/* Forgets what is of an earlier time: in slots that begin to migrate, calls may have gone elsewhere
 * since; in slots that have ended, nothing is noted any more when a call ends. What a message has
 * noted that names its backend has nothing to do with the slot, and is kept while any migrates. */
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
