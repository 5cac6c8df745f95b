// SPDX-License-Identifier: GPL-2.0
/* See farm.h. */

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "farm.h"
#include "memory.h"
#include "name.h"

/* --- ids: whoever runs keeps its own, whoever is new gets one that nobody has */

/* The running backends in the order of (pool, name), and which ids are taken. */
struct ids {
	const struct image *running;
	uint16_t *order;
	size_t count;
	bool *taken; /* [backends + 1] */
	uint32_t next;
};

static int compare_records(const struct backend_record *a, const struct backend_record *b)
{
	int pools = strcmp(a->pool, b->pool);

	return pools ? pools : strcmp(a->name, b->name);
}

static int compare_ids(const void *a, const void *b, void *data)
{
	const struct backend_record *records = data;

	return compare_records(&records[*(const uint16_t *)a], &records[*(const uint16_t *)b]);
}

static void ids_start(struct ids *ids, const struct image *running)
{
	uint32_t limit = running->contract.backends;

	*ids = (struct ids){.running = running, .next = 1};
	ids->order = allocate(limit, sizeof(*ids->order));
	ids->taken = allocate(limit + 1, sizeof(*ids->taken));
	for (uint32_t id = 1; id <= limit; id++) {
		if (!running->records[id].name[0])
			continue;
		ids->order[ids->count++] = id;
		ids->taken[id] = true;
	}
	qsort_r(ids->order, ids->count, sizeof(*ids->order), compare_ids, running->records);
}

static void ids_end(struct ids *ids)
{
	free(ids->order);
	free(ids->taken);
}

/* The id of a running backend; 0 if it does not run. */
static uint16_t ids_find(const struct ids *ids, const struct backend_record *wanted)
{
	size_t low = 0, high = ids->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare_records(wanted, &ids->running->records[ids->order[middle]]);

		if (order == 0)
			return ids->order[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return 0;
}

/* An id that is free, also in what runs: packets on their way may still read the old
 * table. 0 when there is none. */
static uint16_t ids_allocate(struct ids *ids)
{
	while (ids->next <= ids->running->contract.backends && ids->taken[ids->next])
		ids->next++;
	if (ids->next > ids->running->contract.backends)
		return 0;
	ids->taken[ids->next] = true;
	return ids->next;
}

/* The same for the few named things: finds `name`, else a name that is free; `limit` if
 * there is none. */
static uint32_t name_slot(const struct name *names, uint32_t limit, bool *taken, const char *name)
{
	uint32_t unused = limit;

	for (uint32_t i = 0; i < limit; i++) {
		if (!strcmp(names[i].name, name)) {
			taken[i] = true;
			return i;
		}
		if (unused == limit && !names[i].name[0] && !taken[i])
			unused = i;
	}
	if (unused < limit)
		taken[unused] = true;
	return unused;
}

/* --- building */

/* Until somebody looks, the way to a backend is the one that is in use. */
static struct route adopted_route(const struct backend *backend)
{
	return (struct route){
		.state = ROUTE_UNKNOWN,
		.ifindex = backend->ifindex,
		.mtu = backend->mtu,
		.source = backend->source,
		.next_hop = backend->next_hop,
		.interface_mac = backend->interface_mac,
	};
}

/* Takes over what runs under the same name. */
static void adopt(struct farm_backend *backend, const struct image *running, uint16_t id, enum farm_origin origin)
{
	const struct backend_record *record = &running->records[id];

	backend->id = id;
	backend->record.admin = record->admin;
	backend->record.state = record->state;
	backend->record.since = record->since;
	if (address_equal(&backend->record.address, &record->address))
		backend->route = adopted_route(&running->backends[id]);
	if (origin == FARM_RELOAD)
		return;
	backend->record.overrides = record->overrides & ~OVERRIDE_ADDED; /* the file has it by now */
	if (record->overrides & OVERRIDE_WEIGHT)
		backend->record.weight = record->weight;
}

static int add_from_file(struct farm_backend *backend, const struct config_pool *pool,
	const struct config_backend *config, struct ids *ids, enum farm_origin origin)
{
	uint16_t id;

	name_copy(backend->record.pool, pool->name);
	name_copy(backend->record.name, config->name);
	backend->record.address = config->address;
	backend->record.mac = config->mac;
	backend->record.weight = config->weight;
	backend->file_weight = config->weight;
	id = ids_find(ids, &backend->record);
	if (id)
		adopt(backend, ids->running, id, origin);
	else
		backend->id = ids_allocate(ids);
	return backend->id ? 0 : -ENOSPC;
}

/* Backends that were added by hand to a pool, and that the file does not have. */
static void add_by_hand(struct farm_pool *pool, const struct image *running)
{
	for (uint32_t id = 1; id <= running->contract.backends; id++) {
		const struct backend_record *record = &running->records[id];
		struct farm_backend *backend;

		if (!(record->overrides & OVERRIDE_ADDED) || strcmp(record->pool, pool->config->name) ||
			config_find_backend(pool->config, record->name))
			continue;
		pool->backends = reallocate(pool->backends, pool->count + 1, sizeof(*pool->backends));
		backend = &pool->backends[pool->count++];
		*backend = (struct farm_backend){.id = id, .record = *record};
		backend->route = adopted_route(&running->backends[id]);
	}
}

static void build_pools(struct farm *farm, struct ids *ids, enum farm_origin origin, struct faults *faults)
{
	const struct image *running = ids->running;
	const struct config *config = farm->config;
	bool *taken = allocate(running->contract.pools, sizeof(*taken));

	farm->pools = allocate(config->pool_count, sizeof(*farm->pools));
	for (size_t i = 0; i < config->pool_count; i++) {
		struct farm_pool *pool = &farm->pools[i];

		pool->config = &config->pools[i];
		pool->id = name_slot(running->pool_names, running->contract.pools, taken, pool->config->name);
		if (pool->id == running->contract.pools)
			faults_add(faults, pool->config->mark,
				"pool '%s': the maps were made for %u pools; raise `limits:` and attach anew",
				pool->config->name, running->contract.pools);
		pool->backends = allocate(pool->config->backend_count, sizeof(*pool->backends));
		pool->count = pool->config->backend_count;
		for (size_t j = 0; j < pool->count; j++) {
			const struct config_backend *backend = &pool->config->backends[j];

			if (add_from_file(&pool->backends[j], pool->config, backend, ids, origin))
				faults_add(faults, backend->mark,
					"backend '%s': the maps were made for %u backends; raise `limits:` and attach "
					"anew",
					backend->name, running->contract.backends);
		}
		if (origin == FARM_RESTART)
			add_by_hand(pool, running);
	}
	free(taken);
}

static void build_services(struct farm *farm, const struct image *running, struct faults *faults)
{
	const struct config *config = farm->config;
	uint32_t limit = running->contract.services, keys = 0;
	bool *taken = allocate(limit, sizeof(*taken));

	farm->service_ids = allocate(config->service_count, sizeof(*farm->service_ids));
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];

		farm->service_ids[i] = name_slot(running->service_names, limit, taken, service->name);
		keys += service->vip_count;
		if (farm->service_ids[i] == limit || keys > limit)
			faults_add(faults, service->mark,
				"service '%s': the maps were made for %u services; raise `limits:` and attach anew",
				service->name, limit);
	}
	free(taken);
}

struct farm *farm_new(
	struct config *config, const struct image *running, enum farm_origin origin, struct faults *faults)
{
	struct farm *farm = allocate(1, sizeof(*farm));
	size_t before = faults->count;
	struct ids ids;

	farm->config = config;
	if (config->limits.slots != running->contract.slots)
		faults_add(faults, (struct mark){0},
			"limits: slots is %u, and the maps were made for %u; 'sipxdp-loader detach' and 'attach' make "
			"new ones",
			config->limits.slots, running->contract.slots);
	ids_start(&ids, running);
	build_pools(farm, &ids, origin, faults);
	build_services(farm, running, faults);
	ids_end(&ids);
	if (faults->count == before)
		return farm;
	farm_free(farm);
	return NULL;
}

void farm_free(struct farm *farm)
{
	if (!farm)
		return;
	for (size_t i = 0; farm->pools && i < farm->config->pool_count; i++)
		free(farm->pools[i].backends);
	free(farm->pools);
	free(farm->service_ids);
	config_free(farm->config);
	free(farm);
}

/* --- finding */

bool farm_backend_exists(const struct farm_backend *backend)
{
	return !(backend->record.overrides & OVERRIDE_REMOVED);
}

struct farm_pool *farm_find_pool(const struct farm *farm, const char *name)
{
	for (size_t i = 0; i < farm->config->pool_count; i++)
		if (!strcmp(farm->pools[i].config->name, name))
			return &farm->pools[i];
	return NULL;
}

/* Also one that was removed by hand. */
static struct farm_backend *find_noted(const struct farm_pool *pool, const char *name)
{
	for (size_t i = 0; i < pool->count; i++)
		if (!strcmp(pool->backends[i].record.name, name))
			return &pool->backends[i];
	return NULL;
}

struct farm_backend *farm_find_backend(const struct farm_pool *pool, const char *name)
{
	struct farm_backend *backend = find_noted(pool, name);

	return backend && farm_backend_exists(backend) ? backend : NULL;
}

/* --- changes by hand */

static int refuse(char error[FARM_ERROR_SIZE], int number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(char error[FARM_ERROR_SIZE], int number, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, FARM_ERROR_SIZE, format, arguments);
	va_end(arguments);
	return number;
}

static struct farm_pool *need_pool(struct farm *farm, const char *name, char error[FARM_ERROR_SIZE])
{
	struct farm_pool *pool = farm_find_pool(farm, name);

	if (!pool)
		refuse(error, 0, "no pool '%s' (see 'sipxdp-ctl pool list')", name);
	return pool;
}

static struct farm_backend *need_backend(
	struct farm *farm, const char *pool_name, const char *name, char error[FARM_ERROR_SIZE])
{
	struct farm_pool *pool = need_pool(farm, pool_name, error);
	struct farm_backend *backend = pool ? farm_find_backend(pool, name) : NULL;

	if (pool && !backend)
		refuse(error, 0, "no backend '%s' in pool '%s' (see 'sipxdp-ctl backend list %s')", name, pool_name,
			pool_name);
	return backend;
}

/* An id for one more backend: free in the maps and among ourselves. */
static uint16_t unused_id(const struct farm *farm, const struct image *running)
{
	struct ids ids;
	uint16_t id;

	ids_start(&ids, running);
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++)
			ids.taken[farm->pools[i].backends[j].id] = true;
	id = ids_allocate(&ids);
	ids_end(&ids);
	return id;
}

static bool is_vip(const struct farm *farm, const struct address *address)
{
	for (size_t i = 0; i < farm->config->service_count; i++)
		for (size_t j = 0; j < farm->config->services[i].vip_count; j++)
			if (address_equal(&farm->config->services[i].vips[j], address))
				return true;
	return false;
}

static int check_new_address(const struct farm *farm, const struct farm_pool *pool, const struct address *address,
	char error[FARM_ERROR_SIZE])
{
	char text[ADDRESS_TEXT_SIZE];

	address_format(address, text);
	if (is_vip(farm, address))
		return refuse(error, -EADDRINUSE, "%s is a VIP: a backend needs an address of its own", text);
	for (size_t i = 0; i < pool->count; i++)
		if (farm_backend_exists(&pool->backends[i]) &&
			address_equal(&pool->backends[i].record.address, address))
			return refuse(error, -EADDRINUSE, "backend '%s' of pool '%s' has the address %s already",
				pool->backends[i].record.name, pool->config->name, text);
	return 0;
}

int farm_add_backend(struct farm *farm, const struct image *running, const char *pool_name, const char *name,
	const struct address *address, uint16_t weight, char error[FARM_ERROR_SIZE])
{
	struct farm_pool *pool = need_pool(farm, pool_name, error);
	struct farm_backend *backend;
	int result;

	if (!pool)
		return -ENOENT;
	backend = find_noted(pool, name);
	if (backend && farm_backend_exists(backend))
		return refuse(error, -EEXIST, "pool '%s' has a backend '%s' already", pool_name, name);
	result = check_new_address(farm, pool, address, error);
	if (result)
		return result;
	if (!backend) {
		uint16_t id = unused_id(farm, running);

		if (!id)
			return refuse(error, -ENOSPC,
				"the maps were made for %u backends; raise `limits:` and attach anew",
				running->contract.backends);
		pool->backends = reallocate(pool->backends, pool->count + 1, sizeof(*backend));
		backend = &pool->backends[pool->count++];
		*backend = (struct farm_backend){.id = id, .record.overrides = OVERRIDE_ADDED};
		name_copy(backend->record.pool, pool_name);
		name_copy(backend->record.name, name);
	}
	if (!address_equal(&backend->record.address, address))
		backend->route = (struct route){0};
	backend->record.address = *address;
	backend->record.weight = weight;
	backend->record.overrides = OVERRIDE_ADDED;
	backend->record.admin = ADMIN_READY;
	return 0;
}

int farm_remove_backend(struct farm *farm, const char *pool_name, const char *name, char error[FARM_ERROR_SIZE])
{
	struct farm_backend *backend = need_backend(farm, pool_name, name, error);
	struct farm_pool *pool;

	if (!backend)
		return -ENOENT;
	pool = farm_find_pool(farm, pool_name);
	if (config_find_backend(pool->config, name)) {
		/* Noted, so that a restart does not bring it back from the file. */
		backend->record.overrides = OVERRIDE_REMOVED;
		return 0;
	}
	*backend = pool->backends[--pool->count];
	return 0;
}

int farm_set_weight(struct farm *farm, const char *pool, const char *name, uint16_t weight, char error[FARM_ERROR_SIZE])
{
	struct farm_backend *backend = need_backend(farm, pool, name, error);

	if (!backend)
		return -ENOENT;
	backend->record.weight = weight;
	if (backend->record.overrides & OVERRIDE_ADDED)
		return 0;
	if (weight == backend->file_weight)
		backend->record.overrides &= ~OVERRIDE_WEIGHT;
	else
		backend->record.overrides |= OVERRIDE_WEIGHT;
	return 0;
}

int farm_set_admin(
	struct farm *farm, const char *pool, const char *name, enum admin_state admin, char error[FARM_ERROR_SIZE])
{
	struct farm_backend *backend = need_backend(farm, pool, name, error);

	if (!backend)
		return -ENOENT;
	backend->record.admin = admin;
	return 0;
}

/* --- as a file */

static void save_pool(struct config_pool *to, const struct farm_pool *from)
{
	*to = *from->config;
	to->backends = allocate(from->count, sizeof(*to->backends));
	to->backend_count = 0;
	for (size_t i = 0; i < from->count; i++) {
		const struct backend_record *record = &from->backends[i].record;
		struct config_backend *backend = &to->backends[to->backend_count];

		if (!farm_backend_exists(&from->backends[i]))
			continue;
		name_copy(backend->name, record->name);
		backend->address = record->address;
		backend->mac = record->mac;
		backend->weight = record->weight;
		to->backend_count++;
	}
}

static void *duplicate(const void *array, size_t count, size_t size)
{
	return memcpy(allocate(count, size), array, count * size);
}

struct config *farm_config(const struct farm *farm)
{
	const struct config *from = farm->config;
	struct config *config = duplicate(from, 1, sizeof(*config));

	config->interfaces = duplicate(from->interfaces, from->interface_count, sizeof(*config->interfaces));
	config->services = duplicate(from->services, from->service_count, sizeof(*config->services));
	for (size_t i = 0; i < config->service_count; i++)
		config->services[i].vips = duplicate(
			from->services[i].vips, from->services[i].vip_count, sizeof(*config->services[i].vips));
	config->pools = allocate(from->pool_count, sizeof(*config->pools));
	for (size_t i = 0; i < config->pool_count; i++)
		save_pool(&config->pools[i], &farm->pools[i]);
	return config;
}

/* --- states */

void farm_set_route(struct farm_backend *backend, const struct route *route)
{
	struct route known = backend->route;

	if (route->state == ROUTE_UNKNOWN)
		return;
	backend->route = *route;
	if (!mac_is_zero(&backend->record.mac)) {
		backend->route.next_hop = backend->record.mac;
		if (route->state == ROUTE_PENDING || (route->state == ROUTE_FAILED && route->ifindex))
			backend->route.state = ROUTE_READY;
	}
	if (!mac_is_zero(&backend->route.next_hop))
		return;
	/* Not heard of again yet: what served goes on to serve, or could if need be. */
	known.state = route->state;
	memcpy(known.reason, route->reason, sizeof(known.reason));
	backend->route = known;
}

static bool has_way(const struct farm_pool *pool, const struct route *route)
{
	return !mac_is_zero(&route->next_hop) && route->state != ROUTE_FAILED &&
	       !(pool->config->forward == FORWARD_DSR && route->gateway);
}

static enum backend_state backend_state(const struct farm_pool *pool, const struct farm_backend *backend)
{
	const struct route *route = &backend->route;

	if (backend->record.admin == ADMIN_MAINT)
		return STATE_MAINT;
	if (has_way(pool, route))
		return backend->record.weight ? STATE_UP : STATE_IDLE;
	return route->state == ROUTE_FAILED || route->gateway ? STATE_UNREACHABLE : STATE_PENDING;
}

bool farm_update_state(const struct farm_pool *pool, struct farm_backend *backend, uint32_t now)
{
	enum backend_state state = backend_state(pool, backend);

	if (!farm_backend_exists(backend) || (backend->record.since && backend->record.state == state))
		return false;
	backend->record.state = state;
	backend->record.since = now;
	return true;
}

const char *farm_state_name(enum backend_state state)
{
	static const char *const names[] = {
		[STATE_PENDING] = "pending",
		[STATE_UP] = "up",
		[STATE_UNREACHABLE] = "unreachable",
		[STATE_MAINT] = "maint",
		[STATE_IDLE] = "idle",
	};

	return names[state];
}

const char *farm_reason(const struct farm_pool *pool, const struct farm_backend *backend)
{
	const struct route *route = &backend->route;

	switch (backend_state(pool, backend)) {
	case STATE_PENDING:
		return route->reason[0] ? route->reason : "waiting for its MAC address";
	case STATE_UNREACHABLE:
		if (route->state != ROUTE_FAILED)
			return "is behind a router: direct server return needs a common network (forward: ipip)";
		return route->reason;
	case STATE_IDLE:
		return "weight 0";
	default:
		return "";
	}
}
