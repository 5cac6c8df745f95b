// SPDX-License-Identifier: GPL-2.0
/* Owns the maps of tracked calls, `notes` and `transactions`: reads their entries, and deletes those
 * that count no longer. The daemon adds none. See maps.h. */

#include <errno.h>
#include <stdlib.h>
#include <bpf/bpf.h>
#include "core/base/memory.h"
#include "maps_private.h"

#define NOTES_AT_ONCE 4096

/* One entry of `notes` or `transactions`; `note` is NULL for the latter. */
typedef void visit_tracked(const struct maps *maps, enum map map, const struct note_key *key, uint32_t backend,
	const struct note *note, void *data);

/* Shows every entry of one of the two to `visit`. Returns how many there are, or -errno. */
static int visit_map(const struct maps *maps, enum map map, visit_tracked *visit, void *data)
{
	size_t size = map == MAP_NOTES ? sizeof(struct note) : sizeof(struct transaction);
	struct note_key *keys = allocate(NOTES_AT_ONCE, sizeof(*keys));
	char *values = allocate(NOTES_AT_ONCE, size);
	uint32_t batch, *from = NULL;
	int error, total = 0;

	do {
		uint32_t count = NOTES_AT_ONCE;

		error = bpf_map_lookup_batch(maps->fd[map], from, &batch, keys, values, &count, NULL);
		if (error && error != -ENOENT)
			break;
		from = &batch;
		total += count;
		for (uint32_t i = 0; i < count; i++) {
			const void *value = values + i * size;
			const struct note *note = map == MAP_NOTES ? value : NULL;

			visit(maps, map, &keys[i], note ? note->backend : ((const struct transaction *)value)->backend,
				note, data);
		}
	} while (!error);
	free(keys);
	free(values);
	return error == -ENOENT ? total : error;
}

/* The same for both. 0 or -errno. */
static int visit_tracked_calls(const struct maps *maps, visit_tracked *visit, void *data)
{
	int error = visit_map(maps, MAP_NOTES, visit, data);

	if (error >= 0)
		error = visit_map(maps, MAP_TRANSACTIONS, visit, data);
	return error < 0 ? error : 0;
}

struct visitor {
	maps_visit_note *visit;
	void *data;
};

static void show_note(const struct maps *maps, enum map map, const struct note_key *key, uint32_t backend,
	const struct note *note, void *data)
{
	const struct visitor *visitor = data;

	(void)maps, (void)map, (void)backend;
	visitor->visit(key, note, visitor->data);
}

int maps_visit_notes(const struct maps *maps, maps_visit_note *visit, void *data)
{
	return visit_map(maps, MAP_NOTES, show_note, &(struct visitor){visit, data});
}

static void forget_renamed(const struct maps *maps, enum map map, const struct note_key *key, uint32_t backend,
	const struct note *note, void *data)
{
	const bool *renamed = data;

	(void)note;
	if (backend <= maps->contract.backends && renamed[backend])
		bpf_map_delete_elem(maps->fd[map], key);
}

int maps_forget_renamed(const struct maps *maps, const bool *renamed)
{
	return visit_tracked_calls(maps, forget_renamed, (void *)renamed);
}

/* Previous owners of a pool's slots, and what replaces them. */
struct formers {
	uint32_t pool;
	bool begins; /* nothing in the pool was migrating */
	const __u16 *before, *after;
};

/* Forgets what is of an earlier time: in slots that begin to migrate, calls may have gone elsewhere
 * since; in slots that have ended, nothing is noted any more when a call ends. What a message has
 * noted that names its backend has nothing to do with the slot, and is kept while any migrates. */
static void forget_earlier(const struct maps *maps, enum map map, const struct note_key *key, uint32_t backend,
	const struct note *note, void *data)
{
	const struct formers *formers = data;
	uint32_t slot = key->slot & (maps->contract.slots - 1);
	bool changes = !formers->before[slot] != !formers->after[slot], hinted = note && note->hinted;

	(void)backend;
	if (key->pool == formers->pool && (formers->begins || (changes && !hinted)))
		bpf_map_delete_elem(maps->fd[map], key);
}

int maps_put_former(const struct maps *maps, uint32_t pool_id, const __u16 *former)
{
	struct formers formers = {.pool = pool_id, .after = former};
	__u16 *before = allocate(maps->contract.slots, sizeof(*before));
	struct pool pool;
	int error = bpf_map_lookup_elem(maps->fd[MAP_POOLS], &pool_id, &pool);

	if (!error && pool.in_motion)
		error = bpf_map_lookup_elem(maps->fd[MAP_FORMER], &pool_id, before);
	if (!error) {
		formers.begins = !pool.in_motion;
		formers.before = before;
		error = visit_tracked_calls(maps, forget_earlier, &formers);
	}
	if (error >= 0)
		error = bpf_map_update_elem(maps->fd[MAP_FORMER], &pool_id, former, BPF_ANY);
	free(before);
	return error;
}

int maps_tracked(const struct maps *maps, uint32_t pool, uint64_t hash, uint32_t slot, uint32_t *backend)
{
	const struct note_key key = {.hash = hash, .pool = pool, .slot = slot};
	struct transaction transaction;
	struct note note;
	int error = bpf_map_lookup_elem(maps->fd[MAP_NOTES], &key, &note);

	*backend = error ? 0 : note.backend;
	if (!error)
		return 0;
	error = bpf_map_lookup_elem(maps->fd[MAP_TRANSACTIONS], &key, &transaction);
	*backend = error ? 0 : transaction.backend;
	return error;
}
