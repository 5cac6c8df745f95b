// SPDX-License-Identifier: GPL-2.0
/* See image.h. */

#include <stdlib.h>
#include <string.h>
#include "image.h"
#include "core/base/memory.h"

struct image *image_new(const struct contract *contract)
{
	struct image *image = allocate(1, sizeof(*image));

	image->contract = *contract;
	image->maps[IMAGE_SERVICES] = hash_map_new(sizeof(struct service_key), sizeof(struct service));
	image->maps[IMAGE_VIPS] = hash_map_new(sizeof(struct address), sizeof(struct vip));
	image->maps[IMAGE_HINTS] = hash_map_new(sizeof(struct hint_key), sizeof(__u32));
	image->maps[IMAGE_RANGES] = hash_map_new(sizeof(struct port_range_key), sizeof(struct port_range));
	image->maps[IMAGE_NAT_SOURCES] = hash_map_new(sizeof(struct nat_source), sizeof(struct nat_vip));
	image->maps[IMAGE_NAT_RANGES] = hash_map_new(sizeof(struct nat_range_key), sizeof(struct nat_vip));
	image->maps[IMAGE_ADDED] = hash_map_new(sizeof(__u32), sizeof(struct added_backend));
	for (int i = IMAGE_GUARD_SCANNERS; i <= IMAGE_GUARD_PRIORITIES; i++)
		image->maps[i] = hash_map_new(sizeof(struct guard_text), sizeof(__u32));
	image->service_names = allocate(contract->services, sizeof(*image->service_names));
	image->pool_names = allocate(contract->pools, sizeof(*image->pool_names));
	image->pools = allocate(contract->pools, sizeof(*image->pools));
	image->guard_names = allocate(GUARDS, sizeof(*image->guard_names));
	image->guard_list_names = allocate(GUARD_LISTS, sizeof(*image->guard_list_names));
	image->guards = allocate(GUARDS, sizeof(*image->guards));
	image->guard_classes = allocate(GUARD_CLASSES, sizeof(*image->guard_classes));
	image->service_surges = allocate(contract->services, sizeof(*image->service_surges));
	image->backend_surges = allocate(contract->backends + 1, sizeof(*image->backend_surges));
	image->passive = allocate(contract->backends + 1, sizeof(*image->passive));
	image->tables = allocate(2 * contract->pools, sizeof(*image->tables));
	image->none = slots_new(contract->slots);
	image->previous_owners = allocate(contract->pools, sizeof(*image->previous_owners));
	image->wanted = allocate(contract->pools, sizeof(*image->wanted));
	image->backends = allocate(contract->backends + 1, sizeof(*image->backends));
	image->records = allocate(contract->backends + 1, sizeof(*image->records));
	return image;
}

void image_free(struct image *image)
{
	if (!image)
		return;
	for (__u32 i = 0; i < 2 * image->contract.pools; i++)
		slots_drop(image->tables[i]);
	for (__u32 i = 0; i < image->contract.pools; i++) {
		slots_drop(image->previous_owners[i]);
		slots_drop(image->wanted[i]);
	}
	slots_drop(image->none);
	for (int i = 0; i < IMAGE_MAPS; i++)
		hash_map_free(image->maps[i]);
	free(image->service_names);
	free(image->pool_names);
	free(image->pools);
	free(image->guard_names);
	free(image->guard_list_names);
	free(image->guards);
	free(image->guard_classes);
	free(image->service_surges);
	free(image->backend_surges);
	free(image->passive);
	free(image->tables);
	free(image->previous_owners);
	free(image->wanted);
	free(image->backends);
	free(image->records);
	free(image);
}

static __u32 least(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

/* A backend that was added at runtime keeps its description. */
static void copy_added(struct image *copy, __u32 id, const struct image *from, __u32 old_id)
{
	const void *added = hash_map_find(from->maps[IMAGE_ADDED], &old_id);

	if (added)
		hash_map_put(copy->maps[IMAGE_ADDED], &id, added);
}

/* Gives free ids to the backends whose ids exceed the new limit. False if there are too few free ids. */
static bool compact_ids(struct image *copy, const struct image *from)
{
	__u32 limit = copy->contract.backends, free_id = 1;

	for (__u32 id = limit + 1; id <= from->contract.backends; id++) {
		if (!from->records[id].name[0])
			continue;
		while (free_id <= limit && copy->records[free_id].name[0])
			free_id++;
		if (free_id > limit)
			return false;
		copy->records[free_id] = from->records[id];
		copy->backends[free_id] = from->backends[id];
		copy_added(copy, free_id, from, id);
	}
	return true;
}

bool image_slots_fit(const struct image *from, const struct contract *contract)
{
	for (__u32 id = contract->pools; id < from->contract.pools; id++)
		if (from->pool_names[id].name[0])
			return false;
	for (__u32 id = contract->backends + 1; id <= from->contract.backends; id++)
		if (from->records[id].name[0])
			return false;
	return from->contract.slots == contract->slots;
}

static void copy_slots(struct image *copy, const struct image *from)
{
	size_t cursor = 0;
	struct hash_map_entry entry;

	for (__u32 id = 0; id < copy->contract.pools && id < from->contract.pools; id++) {
		copy->pools[id] = from->pools[id];
		copy->pools[id].table = 2 * id;
		slots_replace(&copy->tables[2 * id], image_owners(from, id));
		slots_replace(&copy->previous_owners[id], image_previous_slots(from, id));
	}
	while (hash_map_next(from->maps[IMAGE_SERVICES], &cursor, &entry))
		hash_map_put(copy->maps[IMAGE_SERVICES], entry.key, entry.value);
}

struct image *image_resized_copy(const struct image *from, const struct contract *contract)
{
	struct image *copy = image_new(contract);
	__u32 services = least(contract->services, from->contract.services);
	__u32 pools = least(contract->pools, from->contract.pools);
	__u32 backends = least(contract->backends, from->contract.backends) + 1;

	copy->state.away_since = from->state.away_since;
	memcpy(copy->service_names, from->service_names, services * sizeof(*copy->service_names));
	memcpy(copy->pool_names, from->pool_names, pools * sizeof(*copy->pool_names));
	memcpy(copy->records, from->records, backends * sizeof(*copy->records));
	memcpy(copy->backends, from->backends, backends * sizeof(*copy->backends));
	for (__u32 id = 1; id < backends; id++)
		copy_added(copy, id, from, id);
	if (image_slots_fit(from, contract))
		copy_slots(copy, from);
	if (compact_ids(copy, from))
		return copy;
	image_free(copy);
	return NULL;
}

void image_take_wanted(struct image *image, const struct image *desired)
{
	for (__u32 i = 0; i < image->contract.pools; i++)
		slots_replace(&image->wanted[i], desired->wanted[i]);
}

struct slots *image_owners(const struct image *image, __u32 pool)
{
	struct slots *slots = image->tables[image->pools[pool].table];

	return slots ? slots : image->none;
}

struct slots *image_previous_slots(const struct image *image, __u32 pool)
{
	return image->pools[pool].migrating ? image->previous_owners[pool] : NULL;
}

const __u16 *image_slots(const struct image *image, __u32 pool)
{
	return image_owners(image, pool)->ids;
}

const __u16 *image_previous_owners(const struct image *image, __u32 pool)
{
	const struct slots *previous = image_previous_slots(image, pool);

	return previous ? previous->ids : image->none->ids;
}

bool image_places_calls(const struct image *image)
{
	for (__u32 i = 0; i < image->contract.pools; i++)
		if (image->pools[i].balanced >= BALANCED_SOME)
			return true;
	return false;
}

bool image_is_migrating(const struct image *image)
{
	for (__u32 i = 0; i < image->contract.pools; i++)
		if (image->pools[i].migrating)
			return true;
	return false;
}
