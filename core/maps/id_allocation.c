// SPDX-License-Identifier: GPL-2.0
/* See id_allocation.h. */

#include <string.h>
#include "id_allocation.h"
#include "core/base/memory.h"

static int compare_records(const struct backend_record *a, const struct backend_record *b)
{
	int pools = strcmp(a->pool, b->pool);

	return pools ? pools : strcmp(a->name, b->name);
}

static int compare_ids(const void *a, const void *b, void *data)
{
	const struct backend_record *records = data;

	return compare_records(&records[*(const uint16_t *)a], &records[*(const uint16_t *)b]);
}

void backend_ids_start(struct backend_ids *ids, const struct image *running)
{
	uint32_t limit = running->contract.backends;

	*ids = (struct backend_ids){.running = running, .next = 1};
	ids->order = allocate(limit, sizeof(*ids->order));
	ids->taken = allocate(limit + 1, sizeof(*ids->taken));
	ids->kept = allocate(limit + 1, sizeof(*ids->kept));
	for (uint32_t id = 1; id <= limit; id++) {
		if (!running->records[id].name[0])
			continue;
		ids->order[ids->count++] = id;
		ids->taken[id] = true;
	}
	qsort_r(ids->order, ids->count, sizeof(*ids->order), compare_ids, running->records);
}

void backend_ids_end(struct backend_ids *ids)
{
	free(ids->order);
	free(ids->taken);
	free(ids->kept);
}

uint16_t backend_ids_find(const struct backend_ids *ids, const struct backend_record *wanted)
{
	size_t low = 0, high = ids->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare_records(wanted, &ids->running->records[ids->order[middle]]);

		if (order == 0)
			return ids->order[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return 0;
}

uint16_t backend_ids_allocate(struct backend_ids *ids)
{
	while (ids->next <= ids->running->contract.backends && ids->taken[ids->next])
		ids->next++;
	if (ids->next > ids->running->contract.backends)
		return 0;
	ids->taken[ids->next] = true;
	return ids->next;
}

/* Binary search for a pool in `order`. Returns the first index of the pool, or with `behind` the first index after the
 * pool. */
static size_t bound_of_pool(const struct backend_ids *ids, const char *pool, bool behind)
{
	size_t low = 0, high = ids->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(ids->running->records[ids->order[middle]].pool, pool);

		if (order < 0 || (behind && order == 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const uint16_t *backend_ids_of_pool(const struct backend_ids *ids, const char *pool, size_t *count)
{
	size_t first = bound_of_pool(ids, pool, false);

	*count = bound_of_pool(ids, pool, true) - first;
	return ids->order + first;
}

/* --- Services and pools */

static int compare_names(const void *a, const void *b, void *data)
{
	const struct name *names = data;

	return strcmp(names[*(const uint32_t *)a].name, names[*(const uint32_t *)b].name);
}

void name_ids_start(struct name_ids *ids, const struct name *names, uint32_t limit)
{
	*ids = (struct name_ids){.names = names, .limit = limit, .order = allocate(limit, sizeof(*ids->order))};
	for (uint32_t id = 0; id < limit; id++)
		if (names[id].name[0])
			ids->order[ids->count++] = id;
	qsort_r(ids->order, ids->count, sizeof(*ids->order), compare_names, (void *)names);
}

void name_ids_end(struct name_ids *ids)
{
	free(ids->order);
}

uint32_t name_ids_take(struct name_ids *ids, const char *name)
{
	size_t low = 0, high = ids->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(name, ids->names[ids->order[middle]].name);

		if (order == 0)
			return ids->order[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	while (ids->next < ids->limit && ids->names[ids->next].name[0])
		ids->next++;
	return ids->next < ids->limit ? ids->next++ : ids->limit;
}
