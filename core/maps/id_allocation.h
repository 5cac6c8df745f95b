/* SPDX-License-Identifier: GPL-2.0 */
/* The ids by which the maps know things: whoever runs keeps its own, whoever is new
 * gets one that nobody has. Pure. */
#pragma once

#include "image.h"

/* The running backends in the order of (pool, name), and which ids are taken. */
struct backend_ids {
	const struct image *running;
	uint16_t *order;
	size_t count;
	bool *taken; /* [backends + 1] */
	bool *kept;  /* [backends + 1]: running ones that the file has, too */
	uint32_t next;
};

void backend_ids_start(struct backend_ids *ids, const struct image *running);
void backend_ids_end(struct backend_ids *ids);

/* The id of the running backend of this pool and name; 0 if it does not run. */
uint16_t backend_ids_find(const struct backend_ids *ids, const struct backend_record *wanted);

/* An id that is free, also in what runs: packets on their way may still read the old
 * table. 0 when there is none. */
uint16_t backend_ids_allocate(struct backend_ids *ids);

/* All running backends of a pool: `count` ids that follow one another in `order`. */
const uint16_t *backend_ids_of_pool(const struct backend_ids *ids, const char *pool, size_t *count);

/* The same for services and pools, which have a name and nothing else. */
struct name_ids {
	const struct name *names; /* [limit]: those that run */
	uint32_t limit;
	uint32_t *order; /* ids of those that run, by name */
	size_t count;
	uint32_t next; /* no lower id is free */
};

void name_ids_start(struct name_ids *ids, const struct name *names, uint32_t limit);
void name_ids_end(struct name_ids *ids);

/* The id of the one that runs, else one that is free and not given to another; `limit` if
 * there is none. To be asked for each name once. */
uint32_t name_ids_take(struct name_ids *ids, const char *name);
