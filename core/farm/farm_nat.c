// SPDX-License-Identifier: GPL-2.0
/* See farm_nat.h. */

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "core/base/memory.h"
#include "core/net/port_range.h"
#include "farm_nat.h"

static bool uses_nat(const struct farm_backend *backend)
{
	return backend->forward == FORWARD_NAT && farm_backend_exists(backend);
}

static void add_backend(struct nat_mappings *mappings, const struct farm *farm, size_t service,
	const struct farm_pool *pool, const struct farm_backend *backend)
{
	const struct config_backend *config = farm_backend_config(pool, backend);

	nat_mappings_add(mappings, farm->config, service,
		&(struct nat_backend){.name = backend->record.name,
			.id = backend->id,
			.address = backend->record.address,
			.port = backend->port,
			.ports = config ? config->ports : (struct config_ports){}});
}

static bool has_nat(const struct farm_pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		if (uses_nat(&pool->backends[i]))
			return true;
	return false;
}

/* Finds the pools that have a backend with `forward: nat`, as an array to be freed. Many services may share a pool, so
 * the backends of each pool are read only once. */
static bool *find_pools(const struct farm *farm)
{
	bool *pools = allocate(farm->config->pool_count, sizeof(*pools));

	for (size_t i = 0; i < farm->config->pool_count; i++)
		pools[i] = has_nat(&farm->pools[i]);
	return pools;
}

static struct nat_mappings all_mappings(const struct farm *farm)
{
	struct nat_mappings mappings = {};
	bool *with_nat = find_pools(farm);

	for (size_t i = 0; i < farm->config->service_count; i++) {
		size_t pools[METHOD_COUNT], count = config_service_pools(&farm->config->services[i], pools);

		for (size_t j = 0; j < count; j++) {
			const struct farm_pool *pool = &farm->pools[pools[j]];

			for (size_t k = 0; with_nat[pools[j]] && k < pool->count; k++)
				if (uses_nat(&pool->backends[k]))
					add_backend(&mappings, farm, i, pool, &pool->backends[k]);
		}
	}
	free(with_nat);
	return mappings;
}

/* --- new backends */

static const struct nat_mapping *find_conflict(const struct nat_mappings *mappings)
{
	for (size_t i = 0; i < mappings->count; i++)
		if (mappings->list[i].conflict)
			return &mappings->list[i];
	return NULL;
}

static const char *conflict_text(const struct farm *farm, struct nat_mappings *mappings, char text[NAT_TEXT_SIZE])
{
	if (mappings->count > NAT_MAPPINGS)
		snprintf(text, NAT_TEXT_SIZE, "too many backends with 'forward: nat': at most %d are possible",
			NAT_MAPPINGS);
	else if (nat_mappings_check(mappings))
		return NULL;
	else
		nat_conflict_text(farm->config, find_conflict(mappings), text);
	return text;
}

/* The first backend that cannot receive the packets of a service. */
static const char *obstacle_text(
	const struct farm *farm, const struct nat_mappings *mappings, char text[FARM_NAT_TEXT_SIZE])
{
	char obstacle[NAT_TEXT_SIZE];

	for (size_t i = 0; i < mappings->count; i++) {
		const struct nat_mapping *mapping = &mappings->list[i];

		if (!nat_obstacle(&farm->config->services[mapping->service], &mapping->backend, obstacle))
			continue;
		snprintf(text, FARM_NAT_TEXT_SIZE, "backend %s: %s", mapping->backend.name, obstacle);
		return text;
	}
	return NULL;
}

const char *farm_nat_conflict(const struct farm *farm, char text[FARM_NAT_TEXT_SIZE])
{
	struct nat_mappings mappings = all_mappings(farm);
	const char *fault = obstacle_text(farm, &mappings, text);

	if (!fault)
		fault = conflict_text(farm, &mappings, text);
	nat_mappings_free(&mappings);
	return fault;
}

const char *farm_check_nat(const struct farm *farm, const struct farm_pool *pool, const struct nat_backend *backend,
	char text[NAT_TEXT_SIZE])
{
	struct nat_mappings mappings = all_mappings(farm);
	const char *fault = NULL;

	for (size_t i = 0; i < farm->config->service_count && !fault; i++) {
		const struct config_service *service = &farm->config->services[i];

		if (!config_service_uses_pool(service, pool - farm->pools))
			continue;
		fault = nat_obstacle(service, backend, text);
		nat_mappings_add(&mappings, farm->config, i, backend);
	}
	if (!fault)
		fault = conflict_text(farm, &mappings, text);
	nat_mappings_free(&mappings);
	return fault;
}

/* --- the image */

/* If several pools of a service have the same server, the backend of the first pool counts its packets. */
static void put_new(struct hash_map *map, const void *key, const struct nat_vip *value)
{
	if (!hash_map_find(map, key))
		hash_map_put(map, key, value);
}

static void put_range(struct image *image, const struct nat_mapping *mapping, const struct nat_vip *value)
{
	struct range_prefix prefixes[PORT_RANGE_PREFIXES];
	size_t count = port_range_prefixes(mapping->first, mapping->last, prefixes);

	for (size_t i = 0; i < count; i++)
		put_new(image->maps[IMAGE_NAT_RANGES],
			&(struct nat_range_key){.prefix = PORT_RANGE_KEY_BITS(prefixes[i].bits),
				.protocol = mapping->protocol,
				.address = mapping->backend.address,
				.port = htons(prefixes[i].port)},
			value);
	image->nat.flags |= NAT_RANGES;
}

static uint8_t flags_of(
	const struct image *image, const struct config_service *service, const struct nat_mapping *mapping)
{
	static const struct passive_rule none;
	uint8_t flags = service->message_counters ? NAT_COUNTS : 0;

	if (!flags || mapping->is_media || mapping->protocol != IPPROTO_UDP)
		return flags;
	flags |= NAT_MESSAGES;
	if (memcmp(&image->passive[mapping->backend.id], &none, sizeof(none)))
		flags |= NAT_PASSIVE;
	return flags;
}

static void put_mapping(struct image *image, const struct farm *farm, const struct nat_mapping *mapping)
{
	struct nat_source source = {.address = mapping->backend.address};
	struct nat_vip value = {.backend = mapping->backend.id};

	put_new(image->maps[IMAGE_NAT_SOURCES], &source, &value); /* the address of the backend */
	value.vip = mapping->vip;
	value.service = farm->service_ids[mapping->service];
	value.flags = flags_of(image, &farm->config->services[mapping->service], mapping);
	if (mapping->first != mapping->last) {
		put_range(image, mapping, &value);
		return;
	}
	source.port = htons(mapping->first);
	source.protocol = mapping->protocol;
	value.port = mapping->vip_port == mapping->first ? 0 : htons(mapping->vip_port);
	put_new(image->maps[IMAGE_NAT_SOURCES], &source, &value);
}

void desire_nat(const struct farm *farm, struct image *image)
{
	struct nat_mappings mappings = all_mappings(farm);

	for (size_t i = 0; i < mappings.count; i++)
		put_mapping(image, farm, &mappings.list[i]);
	if (mappings.count) {
		image->nat.flags |= NAT_ACTIVE;
		memcpy(image->nat.hash_key, farm->config->hash_key, sizeof(image->nat.hash_key));
	}
	nat_mappings_free(&mappings);
}
