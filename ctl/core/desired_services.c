// SPDX-License-Identifier: GPL-2.0
/* See desired_services.h. */

#include <arpa/inet.h>
#include <string.h>
#include "../../bpf/sip_headers.h"
#include "desired_services.h"
#include "memory.h"
#include "name.h"
#include "ranges.h"

/* --- hints */

/* Which pools a service uses: [pool_count]. */
static bool *pools_used(const struct config *config, const struct config_service *service)
{
	bool *used = allocate(config->pool_count, sizeof(*used));

	for (int method = 0; method < METHOD_COUNT; method++)
		used[config_pool_of_method(service, method)] = true;
	return used;
}

/* Services with the same pools share a group, which is named after the first of them. A
 * service's id stays while it has its name, so that a reload moves no group. */
static uint16_t hint_group(const struct farm *farm, size_t service)
{
	const struct config *config = farm->config;
	bool *own = pools_used(config, &config->services[service]);
	size_t first = 0;

	for (; first < service; first++) {
		bool *used = pools_used(config, &config->services[first]);
		bool same = !memcmp(used, own, config->pool_count * sizeof(*own));

		free(used);
		if (same)
			break;
	}
	free(own);
	return farm->service_ids[first] + 1;
}

static void put_hint(struct image *image, const struct config *config, uint16_t group, const char *host, uint16_t port,
	uint16_t backend)
{
	struct hint_key key = {
		.host = sip_host_hash(host, strlen(host), config->hash_key), .group = group, .port = htons(port)};
	__u32 id = backend;

	if (!entries_find(image->maps[IMAGE_HINTS], &key))
		entries_put(image->maps[IMAGE_HINTS], &key, &id);
}

/* A backend is named by its address, whatever the port, and by its `hints:`. */
static void put_hints_of(
	struct image *image, const struct farm *farm, const struct farm_pool *pool, uint16_t group)
{
	for (size_t i = 0; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];
		const struct config_backend *config = config_find_backend(pool->config, backend->record.name);
		char address[ADDRESS_TEXT_SIZE];

		if (!farm_backend_exists(backend))
			continue;
		address_format(&backend->record.address, address);
		put_hint(image, farm->config, group, address, 0, backend->id);
		for (size_t j = 0; config && j < config->hint_count; j++)
			put_hint(image, farm->config, group, config->hints[j].host, config->hints[j].port, backend->id);
	}
}

/* Is anybody named by something else than his address? */
static bool has_hints(const struct config_pool *pool)
{
	for (size_t i = 0; i < pool->backend_count; i++)
		if (pool->backends[i].hint_count)
			return true;
	return false;
}

/* Of the service's own pool first: where one stands in two pools, that is who is meant. */
static void put_hints(struct image *image, const struct farm *farm, size_t index, struct service *value)
{
	const struct config_service *service = &farm->config->services[index];
	bool *used = pools_used(farm->config, service);

	value->hints = hint_group(farm, index);
	put_hints_of(image, farm, &farm->pools[service->pool], value->hints);
	for (size_t i = 0; i < farm->config->pool_count; i++) {
		if (!used[i])
			continue;
		put_hints_of(image, farm, &farm->pools[i], value->hints);
		if (has_hints(&farm->config->pools[i]))
			value->flags |= SERVICE_ROUTE;
	}
	free(used);
}

/* --- VIPs and ports */

/* Marks an address as a VIP; flags of several services add up. */
static void mark_vip(struct image *image, const struct address *vip, __u8 flags)
{
	struct service_key key = {.vip = *vip};
	struct service value = {.flags = flags};
	const struct service *known = entries_find(image->maps[IMAGE_SERVICES], &key);

	if (known)
		value.flags |= known->flags;
	entries_put(image->maps[IMAGE_SERVICES], &key, &value);
}

static void put_range(struct image *image, const struct address *vip, uint8_t protocol, struct config_ports ports,
	const struct range *range)
{
	struct range_prefix prefixes[RANGES_CUT_MAX];
	size_t count = ranges_cut(ports.first, ports.last, prefixes);

	for (size_t i = 0; i < count; i++) {
		struct range_key key = {.prefix = RANGE_KEY_BITS(prefixes[i].bits),
			.protocol = protocol,
			.vip = *vip,
			.port = htons(prefixes[i].port)};

		entries_put(image->maps[IMAGE_RANGES], &key, range);
	}
	mark_vip(image, vip, SERVICE_RANGES);
}

/* The ports of a VIP that are a backend's own, counted as the service's. */
static void put_backend_ports(
	struct image *image, const struct farm *farm, const struct config_service *service, uint32_t service_id)
{
	const struct farm_pool *pool = &farm->pools[service->pool];

	for (size_t i = 0; i < pool->config->backend_count; i++) {
		const struct config_backend *config = &pool->config->backends[i];
		const struct farm_backend *backend = farm_find_backend(pool, config->name);

		if (!config->ports.first || !backend)
			continue;
		for (size_t j = 0; j < service->vip_count; j++)
			put_range(image, &service->vips[j], IPPROTO_UDP, config->ports,
				&(struct range){.backend = backend->id, .service = service_id});
	}
}

static void put_vip(struct image *image, const struct config_service *service, const struct address *vip,
	const struct service *value)
{
	struct service_key key = {.vip = *vip, .port = htons(service->port), .protocol = service->protocol};

	entries_put(image->maps[IMAGE_SERVICES], &key, value);
	mark_vip(image, vip, service->ping ? SERVICE_PING : 0);
	if (service->last_port > service->port)
		put_range(image, vip, service->protocol, (struct config_ports){service->port, service->last_port},
			&(struct range){.port = htons(service->port)});
}

void desire_services(const struct farm *farm, struct image *image)
{
	const struct config *config = farm->config;

	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];
		struct service value = {
			.hash_key = {config->hash_key[0], config->hash_key[1]},
			.id = farm->service_ids[i],
			.affinity = service->affinity,
		};

		for (int method = 0; method < METHOD_COUNT; method++) {
			size_t pool = config_pool_of_method(service, method);

			value.pool[method] = farm->pools[pool].id;
			if (pool != service->pool)
				value.flags |= SERVICE_METHODS;
		}
		if (service->protocol == IPPROTO_UDP)
			put_hints(image, farm, i, &value);
		name_copy(image->service_names[value.id].name, service->name);
		for (size_t j = 0; j < service->vip_count; j++)
			put_vip(image, service, &service->vips[j], &value);
		if (service->protocol == IPPROTO_UDP)
			put_backend_ports(image, farm, service, value.id);
	}
}
