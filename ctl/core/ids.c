// SPDX-License-Identifier: GPL-2.0
/* See ids.h. */

#include <string.h>
#include "ids.h"
#include "memory.h"

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

void ids_start(struct ids *ids, const struct image *running)
{
	uint32_t limit = running->contract.backends;

	*ids = (struct ids){.running = running, .next = 1};
	ids->order = allocate(limit, sizeof(*ids->order));
	ids->taken = allocate(limit + 1, sizeof(*ids->taken));
	for (uint32_t id = 1; id <= limit; id++) {
		if (!running->records[id].name[0])
			continue;
		ids->order[ids->count++] = id;
		ids->taken[id] = true;
	}
	qsort_r(ids->order, ids->count, sizeof(*ids->order), compare_ids, running->records);
}

void ids_end(struct ids *ids)
{
	free(ids->order);
	free(ids->taken);
}

uint16_t ids_find(const struct ids *ids, const struct backend_record *wanted)
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

uint16_t ids_allocate(struct ids *ids)
{
	while (ids->next <= ids->running->contract.backends && ids->taken[ids->next])
		ids->next++;
	if (ids->next > ids->running->contract.backends)
		return 0;
	ids->taken[ids->next] = true;
	return ids->next;
}

uint32_t ids_of_name(const struct name *names, uint32_t limit, bool *taken, const char *name)
{
	uint32_t unused = limit;

	for (uint32_t i = 0; i < limit; i++) {
		if (!strcmp(names[i].name, name)) {
			taken[i] = true;
			return i;
		}
		if (unused == limit && !names[i].name[0] && !taken[i])
			unused = i;
	}
	if (unused < limit)
		taken[unused] = true;
	return unused;
}
