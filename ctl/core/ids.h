/* SPDX-License-Identifier: GPL-2.0 */
/* The ids by which the maps know things: whoever runs keeps its own, whoever is new
 * gets one that nobody has. Pure. */
#pragma once

#include "image.h"

/* The running backends in the order of (pool, name), and which ids are taken. */
struct ids {
	const struct image *running;
	uint16_t *order;
	size_t count;
	bool *taken; /* [backends + 1] */
	uint32_t next;
};

void ids_start(struct ids *ids, const struct image *running);
void ids_end(struct ids *ids);

/* The id of the running backend of this pool and name; 0 if it does not run. */
uint16_t ids_find(const struct ids *ids, const struct backend_record *wanted);

/* An id that is free, also in what runs: packets on their way may still read the old
 * table. 0 when there is none. */
uint16_t ids_allocate(struct ids *ids);

/* The same for the few named things: the id of `name`, else one that is free and not in
 * `taken`, which it joins; `limit` if there is none. */
uint32_t ids_of_name(const struct name *names, uint32_t limit, bool *taken, const char *name);
