/* SPDX-License-Identifier: GPL-2.0 */
/* A copy of the contents of the pinned maps. When the daemon starts, it reads the image from the maps. It applies
 * each step of a plan to the maps and to the image. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "bpf/abi.h"
#include "bpf/abi_guard.h"
#include "bpf/abi_return.h"
#include "hash_map.h"
#include "core/table/slots.h"

/* The hash maps of the kernel. */
enum image_map {
	IMAGE_SERVICES,       /* struct service_key -> struct service, IPv4 and IPv6 */
	IMAGE_VIPS,           /* struct address -> struct vip */
	IMAGE_HINTS,          /* struct hint_key -> __u32 */
	IMAGE_RANGES,         /* struct port_range_key -> struct port_range */
	IMAGE_NAT_SOURCES,    /* struct nat_source -> struct nat_vip */
	IMAGE_NAT_RANGES,     /* struct nat_range_key -> struct nat_vip */
	IMAGE_ADDED,          /* __u32, a backend's id -> struct added_backend */
	IMAGE_GUARD_SCANNERS, /* struct guard_text -> __u32 */
	IMAGE_GUARD_EMERGENCY,
	IMAGE_GUARD_PRIORITIES,
	IMAGE_MAPS,
};

struct image {
	struct contract contract; /* the sizes of the arrays below */
	struct hash_map *maps[IMAGE_MAPS];
	struct nat_settings nat;
	struct balancer_state state;
	struct name *service_names;        /* [services] */
	struct name *pool_names;           /* [pools] */
	struct pool *pools;                /* [pools] */
	struct name *guard_names;          /* [GUARDS] */
	struct name *guard_list_names;     /* [GUARD_LISTS] */
	struct guard *guards;              /* [GUARDS] */
	struct guard_class *guard_classes; /* [GUARD_CLASSES] */
	struct surge *service_surges;      /* [services]; the member `full` is 0 */
	struct surge *backend_surges;      /* [backends + 1]; as above */
	struct passive_rule *passive;      /* [backends + 1] */
	struct slots **tables;             /* [2 * pools]; NULL: all zero, or not in use */
	struct slots **previous_owners;    /* [pools]; NULL as above */
	struct slots **wanted; /* [pools]; NULL as above; the owners after the end of all migrations; not in the maps */
	struct slots *none;    /* all zero */
	struct backend *backends; /* [backends + 1] */
	struct backend_record *records;
};

/* Returns an image of empty maps. All functions of this file abort when memory is exhausted. */
struct image *image_new(const struct contract *contract);
void image_free(struct image *image);

/* Do the slots of `from` fit into maps of these sizes? The number of slots must be equal, and the maps must have
 * room for all ids of pools and backends. */
bool image_slots_fit(const struct image *from, const struct contract *contract);

/* Computes the image that new maps of these sizes inherit. The image has the names, records and routes of all
 * backends, the names of those pools and services whose ids fit, and the time of `sipxdp-ctl away`. Backends whose ids
 * do not fit get new ids. If image_slots_fit() is true, the image also has the owners, the migrations and the services
 * (for their hash key). NULL if there are more backends than ids. */
struct image *image_resized_copy(const struct image *from, const struct contract *contract);

bool image_is_migrating(const struct image *image);

/* Is there a pool that places new calls (`balance:`)? */
bool image_places_calls(const struct image *image);

/* Copies the wanted owners from a desired image. */
void image_take_wanted(struct image *image, const struct image *desired);

/* The current owners and the previous owners of a pool's slots. The previous owners are all 0 while no slot
 * migrates. Never NULL. */
const __u16 *image_slots(const struct image *image, __u32 pool);
const __u16 *image_previous_owners(const struct image *image, __u32 pool);

/* The same arrays as objects with a reference count. The caller does not own the reference: to keep an array, it calls
 * slots_hold(). The previous owners are NULL while no slot migrates. */
struct slots *image_owners(const struct image *image, __u32 pool);
struct slots *image_previous_slots(const struct image *image, __u32 pool);
