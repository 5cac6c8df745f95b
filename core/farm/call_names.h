/* SPDX-License-Identifier: GPL-2.0 */
/* The names of the pools and backends of the maps, as members of a group send them with the changes of calls: hash ->
 * id and id -> hash. Remembers names that were not found, because calls of these backends are missing when the maps
 * have them later. No I/O. */
#pragma once

#include "core/group/group_calls.h"
#include "core/maps/image.h"

/* Names that were not found and are remembered; a broken member must not use up the memory. */
#define CALL_NAMES_MISSED_MAX 1024

/* The ids of a pool and a backend in the maps. */
struct call_ids {
	uint32_t pool, backend; /* backend 0: none */
};

struct call_names;

/* Returns an object without names. All functions of this file abort when memory is exhausted. */
struct call_names *call_names_new(void);
void call_names_free(struct call_names *names);

/* Replaces all names by those of an image. Returns true if one of them was missed before. */
bool call_names_fill(struct call_names *names, const struct image *running);

/* The ids of a pool and a backend of this pool. A name that is not found counts as missed. */
struct call_ids call_names_find(struct call_names *names, const struct group_call_target *target);

/* The names of a pool and a backend. Returns false if one of the ids is free. */
bool call_names_at(const struct call_names *names, uint32_t pool, uint32_t backend, struct group_call_target *out);
