// SPDX-License-Identifier: GPL-2.0
/* See removed_backends.h. */

#include "core/base/memory.h"
#include "removed_backends.h"

/* The backends of a farm by id. A backend that stays keeps its id, and a new one gets an id that is not running. */
static const struct farm_backend **backends_by_id(const struct farm *farm, uint32_t limit)
{
	const struct farm_backend **by_id = allocate(limit + 1, sizeof(*by_id));

	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++)
			if (farm_backend_exists(&farm->pools[i].backends[j]))
				by_id[farm->pools[i].backends[j].id] = &farm->pools[i].backends[j];
	return by_id;
}

/* The packets of calls reach a pool only through a service. */
static bool is_in_use(const struct image *running, uint32_t pool)
{
	struct hash_map_entry entry;
	size_t cursor = 0;

	while (hash_map_next(running->maps[IMAGE_SERVICES], &cursor, &entry)) {
		const struct service *service = entry.value;

		for (enum method method = 0; method < METHOD_COUNT; method++)
			if (service->pool[method] == pool)
				return true;
	}
	return false;
}

static bool owns_slots(const struct image *running, uint32_t pool, uint16_t id)
{
	const __u16 *owners = image_slots(running, pool);

	for (uint32_t slot = 0; slot < running->contract.slots; slot++)
		if (owners[slot] == id)
			return true;
	return false;
}

/* A backend that is not alive receives no packets, so it has no live calls. */
static bool may_have_calls(const struct image *running, uint32_t pool, uint16_t id, const bool *has_calls)
{
	return running->backends[id].alive && is_in_use(running, pool) &&
	       ((has_calls && has_calls[id]) || owns_slots(running, pool, id));
}

/* `stays`: the backend stays, with a different address. */
static void report(const struct backend_record *record, bool stays, struct messages *disruptions)
{
	const char *pool = record->pool, *name = record->name;
	char address[ADDRESS_TEXT_SIZE];

	address_format(&record->address, address);
	if (record->overrides & OVERRIDE_LEAVING)
		messages_add(disruptions,
			"backend %s/%s: it is leaving, live calls may be on it, and the file uses its address %s for a "
			"different server: reload after its removal",
			pool, name, address);
	else if (stays)
		messages_add(disruptions,
			"backend %s/%s: live calls may be at its address %s, which the file changes: run 'sipxdp-ctl "
			"backend remove %s %s --drain', and reload after the removal",
			pool, name, address, pool, name);
	else
		messages_add(disruptions,
			"backend %s/%s: live calls may be on it, and it is not in the file: run 'sipxdp-ctl backend "
			"remove %s %s --drain', then reload",
			pool, name, pool, name);
}

void removed_backends_find(
	const struct farm *farm, const struct image *running, const bool *has_calls, struct messages *disruptions)
{
	const struct farm_backend **by_id = backends_by_id(farm, running->contract.backends);

	for (uint32_t id = 1; id <= running->contract.backends; id++) {
		const struct backend_record *record = &running->records[id];
		const struct farm_pool *pool = record->name[0] ? farm_find_pool(farm, record->pool) : NULL;
		bool stays = by_id[id] && address_equal(&by_id[id]->record.address, &record->address);

		if (pool && !stays && may_have_calls(running, pool->id, id, has_calls))
			report(record, by_id[id], disruptions);
	}
	free(by_id);
}
