// SPDX-License-Identifier: GPL-2.0
/* See readiness.h. */

#include <errno.h>
#include <string.h>
#include "core/base/memory.h"
#include "readiness.h"

void readiness_check_away(uint32_t away_since, struct messages *reasons)
{
	if (away_since)
		messages_add(reasons, "the balancer is away ('sipxdp-ctl back' ends this)");
}

void readiness_check_joining(const struct image *image, uint32_t now, struct messages *reasons)
{
	if (now < image->state.joining_until)
		messages_add(reasons, "the balancer is connected with its group again, and waits for its state");
}

static void check_blind(const struct image *image, struct messages *reasons)
{
	if (image->state.is_blind)
		messages_add(reasons,
			"no backend responds to this balancer, but backends respond to other balancers of its group");
}

/* Without any link, no packet can arrive. While one link works, the balancer can serve calls: another one may be a
 * backup, or the second cable of a bond. */
static void check_interfaces(
	const struct image *image, readiness_link_of *link_of, void *data, struct messages *reasons)
{
	const uint32_t count = image->state.interface_count;
	struct messages faults = {0};

	for (uint32_t i = 0; i < count; i++) {
		const char *interface = image->state.interfaces[i];
		struct readiness_link link = link_of(interface, data);

		if (!link.is_attached)
			messages_add(reasons, "interface %s: no balancer is attached", interface);
		if (link.fault)
			messages_add(&faults, "interface %s %s", interface, link.fault);
	}
	if (faults.count == count)
		messages_take(reasons, &faults);
	messages_free(&faults);
}

void readiness_check_forwarding(
	const struct image *image, readiness_link_of *link_of, void *data, struct messages *reasons)
{
	readiness_check_away(image->state.away_since, reasons);
	check_interfaces(image, link_of, data, reasons);
}

static bool has_owners(const struct image *image, uint32_t pool)
{
	const __u16 *slots = image_slots(image, pool);

	for (uint32_t slot = 0; slot < image->contract.slots; slot++)
		if (slots[slot])
			return true;
	return false;
}

/* The pool with this name; contract.pools if there is none. Begins at the pool `first`, because neighbouring records
 * mostly belong to the same pool. */
static uint32_t find_pool(const struct image *image, const char *name, uint32_t first)
{
	const uint32_t count = image->contract.pools;

	for (uint32_t i = 0; i < count; i++)
		if (!strcmp(image->pool_names[(first + i) % count].name, name))
			return (first + i) % count;
	return count;
}

/* A pool that fails open keeps forwarding to backends that are down. If all its backends stop answering together, it
 * keeps forwarding to suspected ones. Neither can serve calls. */
static bool is_live(const struct image *image, uint32_t id)
{
	const enum backend_state state = image->records[id].state;

	return image->backends[id].alive && state != STATE_DOWN && state != STATE_SUSPECTED;
}

/* Returns an array by pool id, which the caller frees. */
static bool *find_live_pools(const struct image *image)
{
	bool *live = allocate(image->contract.pools, sizeof(*live));
	uint32_t pool = 0, found;

	for (uint32_t id = 1; id <= image->contract.backends; id++) {
		if (!is_live(image, id))
			continue;
		found = find_pool(image, image->records[id].pool, pool);
		if (found == image->contract.pools)
			continue;
		pool = found;
		live[pool] = true;
	}
	return live;
}

/* Returns an array by pool id, which the caller frees: the reason why the pool cannot serve calls, or NULL. */
static const char **find_faults(const struct image *image)
{
	const char **faults = allocate(image->contract.pools, sizeof(*faults));
	bool *live = find_live_pools(image);

	for (uint32_t pool = 0; pool < image->contract.pools; pool++) {
		if (!image->pool_names[pool].name[0])
			continue;
		if (!has_owners(image, pool))
			faults[pool] = live[pool] ? "no backend takes new calls" : "no backend can receive packets";
		else if (!live[pool])
			faults[pool] = "its backends are down or suspected (see 'sipxdp-ctl backend list')";
	}
	free(live);
	return faults;
}

/* Returns an array by service id, which the caller frees: one of the entries of the service, or NULL. All its entries
 * have the same pools. */
static const struct service **find_entries(const struct image *image)
{
	const struct service **entries = allocate(image->contract.services, sizeof(*entries));
	struct hash_map_entry entry;
	size_t cursor = 0;

	while (hash_map_next(image->maps[IMAGE_SERVICES], &cursor, &entry)) {
		const struct service *service = entry.value;

		if (service->id < image->contract.services)
			entries[service->id] = service;
	}
	return entries;
}

/* Does a method before `method` use the same pool? */
static bool is_repeated(const struct service *service, int method)
{
	for (int i = 0; i < method; i++)
		if (service->pool[i] == service->pool[method])
			return true;
	return false;
}

static void check_service(const struct image *image, const char *name, const struct service *service,
	const char *const *faults, struct messages *reasons)
{
	if (!service) {
		messages_add(reasons, "service %s: the maps have no entry for it", name);
		return;
	}
	for (int method = 0; method < METHOD_COUNT; method++) {
		uint32_t pool = service->pool[method];

		if (pool < image->contract.pools && faults[pool] && !is_repeated(service, method))
			messages_add(
				reasons, "service %s: pool %s: %s", name, image->pool_names[pool].name, faults[pool]);
	}
}

int readiness_check(const struct image *image, const char *service, readiness_link_of *link_of, void *data,
	struct messages *reasons)
{
	const struct service **entries = find_entries(image);
	const char **faults = find_faults(image);
	bool found = !service;

	readiness_check_forwarding(image, link_of, data, reasons);
	check_blind(image, reasons);
	for (uint32_t id = 0; id < image->contract.services; id++) {
		const char *name = image->service_names[id].name;

		if (!*name || (service && strcmp(service, name)))
			continue;
		found = true;
		check_service(image, name, entries[id], faults, reasons);
	}
	free(faults);
	free(entries);
	return found ? 0 : -ENOENT;
}
