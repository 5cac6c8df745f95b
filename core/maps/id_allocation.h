/* SPDX-License-Identifier: GPL-2.0 */
/* Allocates the ids of backends, pools and services in the maps. Existing objects keep their ids; each new object
 * gets a free id. No I/O. */
#pragma once

#include "image.h"

/* The running backends, and the ids in use. */
struct backend_ids {
	const struct image *running;
	uint16_t *order;
	size_t count;
	bool *taken; /* [backends + 1]: ids in use */
	bool *kept;  /* [backends + 1]: ids of the running backends that are also in the file */
	uint32_t next;
};

void backend_ids_start(struct backend_ids *ids, const struct image *running);
void backend_ids_end(struct backend_ids *ids);

/* The id of the running backend with this pool and name; 0 if there is none. */
uint16_t backend_ids_find(const struct backend_ids *ids, const struct backend_record *wanted);

/* A free id; 0 if all are in use. Ids of running backends are not free, because packets in flight may still read the
 * old table. */
uint16_t backend_ids_allocate(struct backend_ids *ids);

/* All running backends of a pool: `*count` consecutive ids in `order`. */
const uint16_t *backend_ids_of_pool(const struct backend_ids *ids, const char *pool, size_t *count);

/* Allocates the ids of services, or of pools. A name identifies each of them. */
struct name_ids {
	const struct name *names; /* [limit]: names of the running objects by id; "": the id is free */
	uint32_t limit;
	uint32_t *order; /* running ids, sorted by name */
	size_t count;
	uint32_t next; /* the search for a free id starts here: all lower ids are in use */
};

void name_ids_start(struct name_ids *ids, const struct name *names, uint32_t limit);
void name_ids_end(struct name_ids *ids);

/* The id of the running service or pool with this name, else a free id; `limit` if there is none. Call it once
 * for each name. */
uint32_t name_ids_take(struct name_ids *ids, const char *name);
