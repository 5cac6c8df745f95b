/* SPDX-License-Identifier: GPL-2.0 */
/* What the pinned maps hold, as a value: read from them when the daemon starts, kept
 * in step with them by every step of a plan that is carried out. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "bpf/abi.h"
#include "hash_map.h"
#include "core/table/slots.h"

/* The hash maps. */
enum image_map {
	IMAGE_SERVICES, /* struct service_key -> struct service, of both families */
	IMAGE_VIPS,     /* struct address -> struct vip */
	IMAGE_HINTS,    /* struct hint_key -> __u32 */
	IMAGE_RANGES,   /* struct port_range_key -> struct port_range */
	IMAGE_ADDED,    /* __u32, id of a backend -> struct added_backend */
	IMAGE_MAPS,
};

struct image {
	struct contract contract; /* the sizes of what follows */
	struct hash_map *maps[IMAGE_MAPS];
	struct name *service_names;     /* [services] */
	struct name *pool_names;        /* [pools] */
	struct pool *pools;             /* [pools] */
	struct slots **tables;          /* [2 * pools]; NULL: all zero, or not of interest */
	struct slots **previous_owners; /* [pools], likewise */
	struct slots **wanted;          /* [pools], likewise; where slots are to go in the end, not in the maps */
	struct slots *none;             /* all zero */
	struct backend *backends;       /* [backends + 1] */
	struct backend_record *records;
};

/* An image of empty maps. Aborts when memory is out, as does all of this file. */
struct image *image_new(const struct contract *contract);
void image_free(struct image *image);

/* Do the owners of slots in `from` keep their meaning in maps of these sizes: the same number of slots,
 * and room for each pool and backend under the id that it has? */
bool image_slots_fit(const struct image *from, const struct contract *contract);

/* What new maps of these sizes take over from an image: names, records and routes, under the same ids as
 * far as there are such; the owners of slots, migrations and services (for their hash key) if
 * image_slots_fit(). NULL if there is not room for all backends; names are kept where there is room. */
struct image *image_heir(const struct image *from, const struct contract *contract);

bool image_is_migrating(const struct image *image);

/* Takes the wanted owners over from a desired image. */
void image_take_wanted(struct image *image, const struct image *desired);

/* The slots that a pool uses now, and their previous owners, all 0 while nothing is in
 * migration; never NULL. */
const __u16 *image_slots(const struct image *image, __u32 pool);
const __u16 *image_previous_owners(const struct image *image, __u32 pool);

/* The same, to be held; NULL while nothing is migrating. */
struct slots *image_owners(const struct image *image, __u32 pool);
struct slots *image_previous_slots(const struct image *image, __u32 pool);
