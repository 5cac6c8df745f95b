// SPDX-License-Identifier: GPL-2.0
/* See readiness.h. */

#include <errno.h>
#include <string.h>
#include "core/base/memory.h"
#include "readiness.h"

static void check_interfaces(
	const struct image *image, readiness_is_attached *is_attached, void *data, struct messages *reasons)
{
	for (uint32_t i = 0; i < image->state.interface_count; i++)
		if (!is_attached(image->state.interfaces[i], data))
			messages_add(reasons, "interface %s: no balancer is attached", image->state.interfaces[i]);
}

static bool has_owners(const struct image *image, uint32_t pool)
{
	const __u16 *slots = image_slots(image, pool);

	for (uint32_t slot = 0; slot < image->contract.slots; slot++)
		if (slots[slot])
			return true;
	return false;
}

/* Writes the pools with a live backend into an array by id, which the caller frees. A pool that fails open forwards to
 * backends that fail their probes: these do not count. */
static bool *find_live_pools(const struct image *image)
{
	bool *live = allocate(image->contract.pools, sizeof(*live));

	for (uint32_t id = 1; id <= image->contract.backends; id++) {
		const struct backend_record *record = &image->records[id];

		if (!image->backends[id].alive || record->state == STATE_DOWN)
			continue;
		for (uint32_t pool = 0; pool < image->contract.pools; pool++)
			if (!strcmp(image->pool_names[pool].name, record->pool)) {
				live[pool] = true;
				break;
			}
	}
	return live;
}

/* Marks the pools of a service in an array by pool id. True if the service has an entry. */
static bool find_pools(const struct image *image, uint32_t service_id, bool *used)
{
	struct hash_map_entry entry;
	size_t cursor = 0;
	bool found = false;

	memset(used, 0, image->contract.pools * sizeof(*used));
	while (hash_map_next(image->maps[IMAGE_SERVICES], &cursor, &entry)) {
		const struct service *service = entry.value;

		if (service->id != service_id)
			continue;
		found = true;
		for (int method = 0; method < METHOD_COUNT; method++)
			if (service->pool[method] < image->contract.pools)
				used[service->pool[method]] = true;
	}
	return found;
}

static void check_service(
	const struct image *image, uint32_t id, const bool *live, bool *used, struct messages *reasons)
{
	const char *name = image->service_names[id].name;

	if (!find_pools(image, id, used))
		messages_add(reasons, "service %s: the maps have no entry for it", name);
	for (uint32_t pool = 0; pool < image->contract.pools; pool++) {
		const char *pool_name = image->pool_names[pool].name;

		if (used[pool] && !has_owners(image, pool))
			messages_add(reasons, "service %s: pool %s: no backend can receive packets", name, pool_name);
		else if (used[pool] && !live[pool])
			messages_add(reasons, "service %s: pool %s: no backend passes its probes", name, pool_name);
	}
}

int readiness_check(const struct image *image, const char *service, readiness_is_attached *is_attached, void *data,
	struct messages *reasons)
{
	bool *live = find_live_pools(image), *used = allocate(image->contract.pools, sizeof(*used)), found = !service;

	check_interfaces(image, is_attached, data, reasons);
	for (uint32_t id = 0; id < image->contract.services; id++) {
		const char *name = image->service_names[id].name;

		if (!*name || (service && strcmp(service, name)))
			continue;
		found = true;
		check_service(image, id, live, used, reasons);
	}
	free(used);
	free(live);
	return found ? 0 : -ENOENT;
}
