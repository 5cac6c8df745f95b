// SPDX-License-Identifier: GPL-2.0
/* See desired_services.h. */

#include <arpa/inet.h>
#include <string.h>
#include "bpf/sip_host.h"
#include "desired_services.h"
#include "core/config/hint_groups.h"
#include "core/base/memory.h"
#include "core/base/name.h"
#include "core/net/port_range.h"

/* --- Hints */

static void put_hint(struct image *image, const struct config *config, uint16_t group, const char *host, uint16_t port,
	uint16_t backend)
{
	struct hint_key key = {.group = group, .port = htons(port)};
	__u64 hash_key[2] = {config->hash_key[0], config->hash_key[1]};
	__u32 id = backend;

	if (sip_host_hash(host, hash_key, &key.host) && !hash_map_find(image->maps[IMAGE_HINTS], &key))
		hash_map_put(image->maps[IMAGE_HINTS], &key, &id);
}

/* Adds the names of a backend: its address with any port, and its `hints:`. */
static void put_hints_of(struct image *image, const struct farm *farm, const struct farm_pool *pool, uint16_t group)
{
	for (size_t i = 0; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];
		const struct config_backend *config = farm_backend_config(pool, backend);
		char address[ADDRESS_TEXT_SIZE];

		if (!farm_backend_exists(backend))
			continue;
		address_format(&backend->record.address, address);
		put_hint(image, farm->config, group, address, 0, backend->id);
		for (size_t j = 0; config && j < config->hint_count; j++)
			put_hint(image, farm->config, group, config->hints[j].host, config->hints[j].port, backend->id);
	}
}

/* Adds the service's default pool first: if two pools have the same name, the name stands for the backend of the
 * default pool. */
static void put_hints(struct image *image, const struct farm *farm, const struct hint_group *group, uint16_t id)
{
	put_hints_of(image, farm, &farm->pools[farm->config->services[group->service].pool], id);
	for (size_t i = 0; i < group->pool_count; i++)
		put_hints_of(image, farm, &farm->pools[group->pools[i]], id);
}

/* The parts of a message that the program reads because of the hints of this backend. Its address alone is not a
 * reason to read requests. */
static __u8 flags_of(const struct config_backend *backend)
{
	static const __u8 flags[] = {
		[HINT_HOST] = SERVICE_ROUTE,
		[HINT_PARAMETER] = SERVICE_ROUTE | SERVICE_PARAMETER,
		[HINT_TAG] = SERVICE_TAG,
	};
	__u8 result = 0;

	for (size_t i = 0; backend && i < backend->hint_count; i++)
		result |= flags[hint_kind(backend->hints[i].host)];
	return result;
}

static __u8 hint_flags(const struct farm *farm, const struct hint_group *group)
{
	__u8 flags = 0;

	for (size_t i = 0; i < group->pool_count; i++) {
		const struct farm_pool *pool = &farm->pools[group->pools[i]];

		for (size_t j = 0; j < pool->count; j++)
			flags |= flags_of(farm_backend_config(pool, &pool->backends[j]));
	}
	return flags;
}

/* Assigns a service to its group of hints. The first service of a group also adds the group's hints. */
static void put_group(struct image *image, const struct farm *farm, const struct hint_groups *groups, size_t index,
	struct service *value)
{
	const struct hint_group *group = &groups->list[groups->of[index]];

	value->hint_group = farm->service_ids[group->service] + 1;
	value->flags |= hint_flags(farm, group);
	if (group->service == index)
		put_hints(image, farm, group, value->hint_group);
}

/* --- VIPs and ports */

/* Marks an address as a VIP. If several services use the address, their flags are combined (OR). */
static void mark_vip(struct image *image, const struct address *address, __u32 flags)
{
	const struct vip *known = hash_map_find(image->maps[IMAGE_VIPS], address);
	struct vip vip = {.flags = known ? known->flags | flags : flags};

	hash_map_put(image->maps[IMAGE_VIPS], address, &vip);
}

static void put_range(struct image *image, const struct address *vip, uint8_t protocol, struct config_ports ports,
	const struct port_range *range)
{
	struct range_prefix prefixes[PORT_RANGE_PREFIXES];
	size_t count = port_range_prefixes(ports.first, ports.last, prefixes);

	for (size_t i = 0; i < count; i++) {
		struct port_range_key key = {.prefix = PORT_RANGE_KEY_BITS(prefixes[i].bits),
			.protocol = protocol,
			.vip = *vip,
			.port = htons(prefixes[i].port)};

		hash_map_put(image->maps[IMAGE_RANGES], &key, range);
	}
	mark_vip(image, vip, VIP_PORT_RANGES);
}

/* The backends of a pool that have `ports:`. */
struct port_owners {
	size_t *list; /* indexes into the pool's backends */
	size_t count;
};

static struct port_owners *find_port_owners(const struct farm *farm)
{
	struct port_owners *pools = allocate(farm->config->pool_count, sizeof(*pools));

	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const struct farm_pool *pool = &farm->pools[i];

		for (size_t j = 0; j < pool->count; j++) {
			const struct config_backend *config = farm_backend_config(pool, &pool->backends[j]);

			if (!config || !config->ports.first)
				continue;
			pools[i].list = array_grow(pools[i].list, pools[i].count, sizeof(*pools[i].list));
			pools[i].list[pools[i].count++] = j;
		}
	}
	return pools;
}

static void free_port_owners(struct port_owners *pools, const struct config *config)
{
	for (size_t i = 0; i < config->pool_count; i++)
		free(pools[i].list);
	free(pools);
}

/* Adds the ranges in `ports:` of the pool's backends, on the VIPs of the service. The ports are UDP, whatever the
 * protocol of the service. Packets to these ports are counted for the service. */
static void put_ports_of(struct image *image, const struct farm_pool *pool, const struct port_owners *owners,
	const struct config_service *service, uint32_t service_id)
{
	for (size_t i = 0; i < owners->count; i++) {
		const struct farm_backend *backend = &pool->backends[owners->list[i]];
		const struct config_ports ports = farm_backend_config(pool, backend)->ports;

		if (!farm_backend_exists(backend))
			continue;
		for (size_t j = 0; j < service->vip_count; j++)
			put_range(image, &service->vips[j], IPPROTO_UDP, ports,
				&(struct port_range){.backend = backend->id, .service = service_id});
	}
}

static void put_vip(struct image *image, const struct config_service *service, const struct address *vip,
	const struct service *value)
{
	struct service_key key = {.vip = *vip, .port = htons(service->port), .protocol = service->protocol};

	hash_map_put(image->maps[IMAGE_SERVICES], &key, value);
	mark_vip(image, vip, service->ping ? VIP_PING : 0);
	if (service->last_port > service->port)
		put_range(image, vip, service->protocol, (struct config_ports){service->port, service->last_port},
			&(struct port_range){.port = htons(service->port)});
}

void desire_services(const struct farm *farm, const uint16_t *guard_of, struct image *image)
{
	const struct config *config = farm->config;
	struct hint_groups *groups = hint_groups_new(config);
	struct port_owners *port_owners = find_port_owners(farm);

	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];
		struct service value = {
			.hash_key = {config->hash_key[0], config->hash_key[1]},
			.id = farm->service_ids[i],
			.guard = guard_of[i],
			.affinity = service->affinity,
		};
		size_t pools[METHOD_COUNT], pool_count;

		value.hash_ipv4 = hash_start_ipv4(value.hash_key);
		for (int method = 0; method < METHOD_COUNT; method++) {
			size_t pool = config_pool_of_method(service, method);

			value.pool[method] = farm->pools[pool].id;
			if (pool != service->pool)
				value.flags |= SERVICE_METHODS;
		}
		if (service->protocol == IPPROTO_UDP && service->message_counters)
			value.flags |= SERVICE_MESSAGES;
		if (service->protocol == IPPROTO_UDP)
			put_group(image, farm, groups, i, &value);
		name_copy(image->service_names[value.id].name, service->name);
		for (size_t j = 0; j < service->vip_count; j++)
			put_vip(image, service, &service->vips[j], &value);
		pool_count = config_service_pools(service, pools);
		for (size_t j = 0; j < pool_count; j++)
			put_ports_of(image, &farm->pools[pools[j]], &port_owners[pools[j]], service, value.id);
	}
	free_port_owners(port_owners, config);
	hint_groups_free(groups);
}
