// SPDX-License-Identifier: GPL-2.0
/* See desired.h. */

#include <arpa/inet.h>
#include <string.h>
#include "desired.h"
#include "memory.h"
#include "name.h"
#include "table.h"

struct desired {
	uint64_t hash_key[2]; /* that the tables were made with */
	uint32_t slots;
	struct table **tables; /* by pool id; NULL: none yet */
	uint32_t count;
};

struct desired *desired_new(void)
{
	return allocate(1, sizeof(struct desired));
}

static void forget_tables(struct desired *desired)
{
	for (uint32_t i = 0; i < desired->count; i++)
		table_free(desired->tables[i]);
	free(desired->tables);
	desired->tables = NULL;
	desired->count = 0;
}

void desired_free(struct desired *desired)
{
	if (!desired)
		return;
	forget_tables(desired);
	free(desired);
}

/* The table of a pool; tables of another key or size are of no use. */
static struct table *pool_table(
	struct desired *desired, const struct farm *farm, const struct image *running, uint32_t id)
{
	const uint64_t *key = farm->config->hash_key;

	if (desired->slots != running->contract.slots || memcmp(desired->hash_key, key, sizeof(desired->hash_key)))
		forget_tables(desired);
	if (!desired->tables) {
		desired->slots = running->contract.slots;
		memcpy(desired->hash_key, key, sizeof(desired->hash_key));
		desired->count = running->contract.pools;
		desired->tables = allocate(desired->count, sizeof(*desired->tables));
	}
	if (!desired->tables[id])
		desired->tables[id] = table_new(desired->slots, key);
	return desired->tables[id];
}

/* Has it calls, or could it have some if its neighbour entry was not believed? */
static bool may_serve(const struct farm_backend *backend)
{
	return farm_backend_exists(backend) && backend->record.admin == ADMIN_READY && backend->record.weight &&
	       !mac_is_zero(&backend->route.next_hop) &&
	       (backend->record.state == STATE_UP || backend->route.state == ROUTE_FAILED);
}

/* Fail open: if too few would be left, what we were told of the others is not believed. */
static bool fails_open(const struct farm_pool *pool)
{
	size_t able = 0, up = 0;

	for (size_t i = 0; i < pool->count; i++) {
		able += may_serve(&pool->backends[i]);
		up += farm_backend_exists(&pool->backends[i]) && pool->backends[i].record.state == STATE_UP;
	}
	return up * 100 < able * pool->config->min_alive;
}

static size_t pool_members(const struct farm_pool *pool, struct table_member *members)
{
	bool all = fails_open(pool);
	size_t count = 0;

	for (size_t i = 0; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];

		if (!may_serve(backend) || (!all && backend->record.state != STATE_UP))
			continue;
		members[count++] = (struct table_member){
			.name = backend->record.name, .id = backend->id, .weight = backend->record.weight};
	}
	return count;
}

/* Puts the pool's slots into the table that is not in use, if they are to change. */
static void desire_pool(struct desired *desired, const struct farm *farm, const struct farm_pool *pool,
	const struct image *running, struct image *image)
{
	struct table *table = pool_table(desired, farm, running, pool->id);
	struct table_member *members = allocate(pool->count, sizeof(*members));
	uint32_t in_use = running->pools[pool->id].table;
	bool known = running->pool_names[pool->id].name[0];

	/* Names and ids are unique and weights in range: config and farm have seen to it. */
	if (table_set_members(table, members, pool_members(pool, members)))
		abort();
	free(members);
	name_copy(image->pool_names[pool->id].name, pool->config->name);
	image->pools[pool->id].table = in_use;
	if (known && !memcmp(table_slots(table), image_slots(running, pool->id), desired->slots * sizeof(uint16_t)))
		return;
	image->pools[pool->id].table = 2 * pool->id + (in_use == 2 * pool->id);
	image_put_table(image, image->pools[pool->id].table, table_slots(table));
}

static struct backend desire_backend(const struct farm_pool *pool, const struct farm_backend *backend)
{
	const struct route *route = &backend->route;

	if (!farm_backend_exists(backend) || mac_is_zero(&route->next_hop))
		return (struct backend){0};
	return (struct backend){
		.address = backend->record.address,
		.source = pool->config->forward == FORWARD_IPIP ? route->source : (struct address){{0}},
		.next_hop = route->next_hop,
		.interface_mac = route->interface_mac,
		.ifindex = route->ifindex,
		.mtu = route->mtu,
		.forward = pool->config->forward,
	};
}

static void desire_services(const struct farm *farm, struct image *image)
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
		name_copy(image->service_names[value.id].name, service->name);
		for (size_t j = 0; j < service->vip_count; j++) {
			struct service_key key = {
				.vip = service->vips[j], .port = htons(service->port), .protocol = service->protocol};

			image_put_service(image, &key, &value);
			image_put_service(image, &(struct service_key){.vip = key.vip}, &(struct service){0});
		}
	}
}

struct image *desired_image(struct desired *desired, const struct farm *farm, const struct image *running)
{
	struct image *image = image_new(&running->contract);

	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const struct farm_pool *pool = &farm->pools[i];

		desire_pool(desired, farm, pool, running, image);
		for (size_t j = 0; j < pool->count; j++) {
			const struct farm_backend *backend = &pool->backends[j];

			image->backends[backend->id] = desire_backend(pool, backend);
			image->records[backend->id] = backend->record;
		}
	}
	desire_services(farm, image);
	return image;
}
