// SPDX-License-Identifier: GPL-2.0
/* See farm.h. */

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "desired_guard.h"
#include "farm.h"
#include "farm_nat.h"
#include "core/config/hint_groups.h"
#include "core/maps/id_allocation.h"
#include "core/base/memory.h"
#include "core/base/name.h"

/* --- Building a farm */

/* The route in the maps is used until the neighbour table has been read. */
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

/* Restores the changes of an operator, for a backend that is in the file. */
static void adopt_overrides(struct farm_backend *backend, const struct backend_record *record, bool described)
{
	bool same = !described && address_equal(&backend->record.address, &record->address) &&
		    backend->record.weight == record->weight;

	if ((record->overrides & OVERRIDE_ADDED) && same)
		return; /* an operator added it at runtime, and later also to the file */
	if (record->overrides & OVERRIDE_JOINED)
		return; /* a backend that joined is now in the file: missing heartbeats no longer count */
	backend->record.overrides = record->overrides;
	if (record->overrides & OVERRIDE_ADDED)
		backend->record.address = record->address;
	if (record->overrides & (OVERRIDE_ADDED | OVERRIDE_WEIGHT))
		backend->record.weight = record->weight;
}

void farm_configure(const struct farm_pool *pool, struct farm_backend *backend, const struct config_backend *config)
{
	static const struct config_backend usual = {.priority = 1};

	if (!config)
		config = &usual;
	backend->record.mac = config->mac;
	backend->priority = config->priority;
	backend->group = config->group;
	backend->forward = config_backend_forward(pool->config, config);
	backend->port = nat_port(pool->config, config);
}

void farm_describe(const struct farm_pool *pool, struct farm_backend *backend, struct added_config *added)
{
	const char *group = added_group(added);

	added_free(backend->added);
	backend->added = added;
	farm_configure(pool, backend, added_backend(added));
	backend->group = 0;
	for (size_t i = 0; group && i < pool->config->group_count; i++)
		if (!strcmp(pool->config->groups[i], group))
			backend->group = i + 1;
}

/* A backend that was added at runtime keeps its description. */
static void adopt_description(const struct farm_pool *pool, struct farm_backend *backend, const struct image *running)
{
	const uint32_t id = backend->id;
	const struct added_backend *value = hash_map_find(running->maps[IMAGE_ADDED], &id);
	struct added_config *added = value && (backend->record.overrides & OVERRIDE_ADDED) ? added_read(value) : NULL;

	if (added)
		farm_describe(pool, backend, added);
}

/* Restores the state of the running backend with the same name. */
static void adopt(struct farm_backend *backend, const struct image *running, uint16_t id, enum farm_origin origin)
{
	const struct backend_record *record = &running->records[id];

	backend->id = id;
	backend->record.admin = record->admin;
	if (origin == FARM_RESTART)
		adopt_overrides(backend, record, hash_map_find(running->maps[IMAGE_ADDED], &(uint32_t){id}));
	if (!address_equal(&backend->record.address, &record->address))
		return; /* the address belongs to a different machine, whose state is unknown */
	/* A pending removal survives a reload. But if the backend was not in the file before, its new line
	 * cancels the removal. */
	if (!(record->overrides & OVERRIDE_ADDED))
		backend->record.overrides |= record->overrides & OVERRIDE_LEAVING;
	backend->record.state = record->state;
	backend->record.since = record->since;
	backend->record.returned = record->returned;
	backend->record.latency = record->latency;
	backend->record.health = record->health;
	backend->record.passive_until = record->passive_until;
	backend->record.passive_count = record->passive_count;
	backend->record.passive_cause = record->passive_cause;
	backend->route = adopted_route(&running->backends[id]);
}

/* A backend that was up stays up until a probe fails: its pool may have had no probes before. */
static void assume_health(const struct farm_pool *farm_pool, struct farm_backend *backend)
{
	const struct config_pool *pool = farm_pool->config;
	struct backend_record *record = &backend->record;

	if (!farm_backend_is_observed(farm_pool, backend))
		farm_passive_forget(backend);
	backend->passive_down = record->passive_cause && record->state != STATE_UP && record->state != STATE_IDLE &&
				record->state != STATE_SUSPECTED;
	if (pool->probe.type && (record->state == STATE_UP || record->state == STATE_SUSPECTED))
		record->health = HEALTH_UP;
	/* The decisions of the previous daemon remain valid. A suspected backend stays suspected. */
	backend->outage.held = record->state == STATE_SUSPECTED;
	backend->outage.down = (record->state == STATE_DOWN && !backend->passive_down) ||
			       record->state == STATE_UNREACHABLE || record->health == HEALTH_DOWN;
	backend->dead = backend->outage.down;
}

static int add_from_file(struct farm_backend *backend, const struct farm_pool *farm_pool,
	const struct config_backend *config, struct backend_ids *ids, enum farm_origin origin)
{
	const struct config_pool *pool = farm_pool->config;
	uint16_t id;

	name_copy(backend->record.pool, pool->name);
	name_copy(backend->record.name, config->name);
	backend->record.address = config->address;
	backend->record.weight = config->weight;
	backend->file_weight = config->weight;
	id = backend_ids_find(ids, &backend->record);
	backend->record.admin = config->admin;
	ids->kept[id] = true;
	if (id) {
		adopt(backend, ids->running, id, origin);
		farm_configure(farm_pool, backend, farm_backend_config(farm_pool, backend));
		adopt_description(farm_pool, backend, ids->running);
	} else {
		backend->id = backend_ids_allocate(ids);
		farm_configure(farm_pool, backend, config);
	}
	if (origin == FARM_RELOAD && config->sets_admin)
		backend->record.admin = config->admin;
	assume_health(farm_pool, backend);
	return backend->id ? 0 : -ENOSPC;
}

/* Does the backend stay if it has no line in the file? A backend that joined stays. A backend that was added at
 * runtime stays until a reload. */
static bool needs_no_file(const struct backend_record *record, enum farm_origin origin)
{
	return (record->overrides & OVERRIDE_JOINED) ||
	       (origin == FARM_RESTART && (record->overrides & OVERRIDE_ADDED));
}

bool farm_record_is_draining(const struct backend_record *record)
{
	return !(record->overrides & OVERRIDE_REMOVED) &&
	       ((record->overrides & OVERRIDE_LEAVING) || record->admin == ADMIN_DRAIN);
}

static void mark_leaving(struct backend_record *record)
{
	record->overrides = OVERRIDE_ADDED | OVERRIDE_LEAVING;
	if (record->admin == ADMIN_DRAIN)
		record->admin = ADMIN_READY; /* applies if the file contains the backend again */
}

/* A set of addresses. */
static struct hash_map *address_set(void)
{
	return hash_map_new(sizeof(struct address), 1);
}

static void add_address(struct hash_map *set, const struct address *address)
{
	hash_map_put(set, address, "");
}

/* Collects the addresses that a new backend of the pool must not use. */
static struct hash_map *addresses_taken(const struct farm *farm, const struct farm_pool *pool)
{
	struct hash_map *set = address_set();

	for (size_t i = 0; i < farm->config->service_count; i++)
		for (size_t j = 0; j < farm->config->services[i].vip_count; j++)
			add_address(set, &farm->config->services[i].vips[j]);
	for (size_t i = 0; i < pool->count; i++)
		if (farm_backend_exists(&pool->backends[i]))
			add_address(set, &pool->backends[i].record.address);
	return set;
}

/* A leaving backend keeps the method of its line, which the file may not contain any more: its live calls need it. */
static void keep_forwarding(struct farm_backend *backend, const struct backend *entry)
{
	if (!(backend->record.overrides & OVERRIDE_LEAVING) || !entry->forward)
		return;
	backend->forward = entry->forward;
	if (entry->forward == FORWARD_NAT)
		backend->port = ntohs(entry->port);
}

static void keep_running_backend(
	struct farm_pool *pool, const struct image *running, uint16_t id, enum farm_origin origin)
{
	const struct backend_record *record = &running->records[id];
	struct farm_backend *backend;

	pool->backends = reallocate(pool->backends, pool->count + 1, sizeof(*pool->backends));
	backend = &pool->backends[pool->count++];
	*backend = (struct farm_backend){.id = id,
		.record = *record,
		.priority = 1,
		.forward = pool->config->forward,
		.port = pool->config->port};
	if (!needs_no_file(record, origin))
		mark_leaving(&backend->record);
	backend->route = adopted_route(&running->backends[id]);
	adopt_description(pool, backend, running);
	keep_forwarding(backend, &running->backends[id]);
	assume_health(pool, backend);
}

/* Keeps running backends whose name and address are not in the file: those that joined, were added, or drain. */
static void keep_running_backends(
	const struct farm *farm, struct farm_pool *pool, const struct backend_ids *ids, enum farm_origin origin)
{
	struct hash_map *taken = NULL;
	size_t count;
	const uint16_t *running = backend_ids_of_pool(ids, pool->config->name, &count);

	for (size_t i = 0; i < count; i++) {
		const struct backend_record *record = &ids->running->records[running[i]];

		if (ids->kept[running[i]] || !(needs_no_file(record, origin) || farm_record_is_draining(record)))
			continue;
		if (!taken)
			taken = addresses_taken(farm, pool);
		if (hash_map_find(taken, &record->address))
			continue;
		keep_running_backend(pool, ids->running, running[i], origin);
		if (farm_backend_exists(&pool->backends[pool->count - 1]))
			add_address(taken, &record->address);
	}
	hash_map_free(taken);
}

static void build_pools(struct farm *farm, struct backend_ids *ids, enum farm_origin origin, struct faults *faults)
{
	const struct image *running = ids->running;
	const struct config *config = farm->config;
	struct name_ids names;

	name_ids_start(&names, running->pool_names, running->contract.pools);
	farm->pools = allocate(config->pool_count, sizeof(*farm->pools));
	for (size_t i = 0; i < config->pool_count; i++) {
		struct farm_pool *pool = &farm->pools[i];

		pool->config = &config->pools[i];
		pool->id = name_ids_take(&names, pool->config->name);
		if (pool->id == running->contract.pools)
			faults_add(faults, pool->config->position,
				"pool '%s': the maps were made for %u pools; raise `limits:` and run 'sipxdp-loader "
				"upgrade -c FILE'",
				pool->config->name, running->contract.pools);
		pool->backends = allocate(pool->config->backend_count, sizeof(*pool->backends));
		pool->count = pool->config->backend_count;
		for (size_t j = 0; j < pool->count; j++) {
			const struct config_backend *backend = &pool->config->backends[j];

			if (add_from_file(&pool->backends[j], pool, backend, ids, origin))
				faults_add(faults, backend->position,
					"backend '%s': the maps were made for %u backends; raise `limits:` and run "
					"'sipxdp-loader upgrade -c FILE'",
					backend->name, running->contract.backends);
		}
		keep_running_backends(farm, pool, ids, origin);
	}
	name_ids_end(&names);
}

static void build_services(struct farm *farm, const struct image *running, struct faults *faults)
{
	const struct config *config = farm->config;
	uint32_t limit = running->contract.services, keys = 0;
	struct name_ids names;

	name_ids_start(&names, running->service_names, limit);
	farm->service_ids = allocate(config->service_count, sizeof(*farm->service_ids));
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];

		farm->service_ids[i] = name_ids_take(&names, service->name);
		keys += service->vip_count;
		if (farm->service_ids[i] == limit || keys > limit)
			faults_add(faults, service->position,
				"service '%s': the maps were made for %u services; raise `limits:` and run "
				"'sipxdp-loader upgrade -c FILE'",
				service->name, limit);
	}
	name_ids_end(&names);
}

static void check_hints(const struct config *config, struct faults *faults)
{
	struct hint_groups *groups = hint_groups_new(config);
	size_t entries = hint_groups_entries(groups, config);

	if (entries > HINTS)
		faults_add(faults, (struct position){0},
			"hints: %zu addresses and names of backends exceed the limit of %d; each counts once for "
			"every set of pools that services use together",
			entries, HINTS);
	hint_groups_free(groups);
}

static void check_guards(const struct farm *farm, const struct image *running, struct faults *faults)
{
	if (farm->config->guard.is_set && !desire_guards_fit(farm, running))
		faults_add(faults, farm->config->guard.position,
			"guard: the maps have no room for the limits of these guards and lists beside the running "
			"ones; 'sipxdp-loader upgrade -c FILE' makes new maps, or let services share a guard");
}

static void check_nat(const struct farm *farm, struct faults *faults)
{
	char text[FARM_NAT_TEXT_SIZE];

	if (farm_nat_conflict(farm, text))
		faults_add(faults, (struct position){0},
			"%s (a backend that joined, that was added by 'sipxdp-ctl', or that is leaving: remove it "
			"first, or change the file)",
			text);
}

struct farm *farm_new(
	struct config *config, const struct image *running, enum farm_origin origin, struct faults *faults)
{
	struct farm *farm = allocate(1, sizeof(*farm));
	size_t before = faults->count;
	struct backend_ids ids;

	farm->config = config;
	farm->away_since = running->state.away_since;
	if (config->limits.slots != running->contract.slots)
		faults_add(faults, (struct position){0},
			"limits: slots is %u, and the maps were made for %u; 'sipxdp-loader upgrade -c FILE' makes "
			"new ones",
			config->limits.slots, running->contract.slots);
	backend_ids_start(&ids, running);
	build_pools(farm, &ids, origin, faults);
	build_services(farm, running, faults);
	backend_ids_end(&ids);
	check_hints(config, faults);
	if (faults->count == before)
		check_nat(farm, faults);
	if (faults->count == before)
		check_guards(farm, running, faults);
	if (faults->count == before)
		return farm;
	farm_free(farm);
	return NULL;
}

static void free_but_config(struct farm *farm)
{
	for (size_t i = 0; farm->pools && i < farm->config->pool_count; i++) {
		struct farm_pool *pool = &farm->pools[i];

		for (size_t j = 0; pool->backends && j < pool->count; j++)
			added_free(pool->backends[j].added);
		free(pool->backends);
	}
	free(farm->pools);
	free(farm->service_ids);
}

void farm_free(struct farm *farm)
{
	if (!farm)
		return;
	free_but_config(farm);
	config_free(farm->config);
	free(farm);
}

struct farm *farm_trial_copy(const struct farm *farm)
{
	struct farm *trial = duplicate(farm, 1, sizeof(*farm));

	trial->service_ids = duplicate(farm->service_ids, farm->config->service_count, sizeof(*farm->service_ids));
	trial->pools = duplicate(farm->pools, farm->config->pool_count, sizeof(*farm->pools));
	for (size_t i = 0; i < farm->config->pool_count; i++) {
		struct farm_pool *pool = &trial->pools[i];

		pool->backends = duplicate(pool->backends, pool->count, sizeof(*pool->backends));
		for (size_t j = 0; j < pool->count; j++)
			added_hold(pool->backends[j].added);
	}
	return trial;
}

void farm_trial_free(struct farm *farm)
{
	free_but_config(farm);
	free(farm);
}

/* --- Finding */

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

struct farm_backend *farm_find_backend_or_tombstone(const struct farm_pool *pool, const char *name)
{
	for (size_t i = 0; i < pool->count; i++)
		if (!strcmp(pool->backends[i].record.name, name))
			return &pool->backends[i];
	return NULL;
}

struct farm_backend *farm_find_backend(const struct farm_pool *pool, const char *name)
{
	struct farm_backend *backend = farm_find_backend_or_tombstone(pool, name);

	return backend && farm_backend_exists(backend) ? backend : NULL;
}

bool farm_backend_is_in_file(const struct farm_pool *pool, const struct farm_backend *backend)
{
	return (size_t)(backend - pool->backends) < pool->config->backend_count;
}

const struct config_backend *farm_backend_config(const struct farm_pool *pool, const struct farm_backend *backend)
{
	const struct config_backend *line;

	if (backend->added)
		return added_backend(backend->added);
	if (!farm_backend_is_in_file(pool, backend))
		return NULL;
	line = &pool->config->backends[backend - pool->backends];
	return address_equal(&line->address, &backend->record.address) ? line : NULL;
}

/* --- The farm as a file */

/* The backend's line in the file, or the shortest line that describes it. */
static struct config_backend save_backend(const struct farm_pool *pool, const struct farm_backend *from)
{
	const struct config_backend *known = farm_backend_config(pool, from);
	const struct backend_record *record = &from->record;
	struct config_backend backend = {.priority = 1};

	if (known)
		backend = *known;
	backend.group = from->group;
	backend.sets_admin = record->admin != ADMIN_READY;
	backend.admin = record->admin;
	name_copy(backend.name, record->name);
	backend.address = record->address;
	backend.mac = record->mac;
	backend.weight = record->weight;
	return backend;
}

/* A copy of the configuration with the current backends, except for two kinds: leaving ones, and those that
 * joined, because a backend in the file cannot join. */
struct config *farm_config(const struct farm *farm)
{
	struct config shallow = *farm->config, *config;

	shallow.pools = allocate(shallow.pool_count, sizeof(*shallow.pools));
	for (size_t i = 0; i < shallow.pool_count; i++) {
		const struct farm_pool *from = &farm->pools[i];
		struct config_pool *to = &shallow.pools[i];

		*to = *from->config;
		to->backends = allocate(from->count, sizeof(*to->backends));
		to->backend_count = 0;
		for (size_t j = 0; j < from->count; j++)
			if (farm_backend_exists(&from->backends[j]) &&
				!(from->backends[j].record.overrides & (OVERRIDE_JOINED | OVERRIDE_LEAVING)))
				to->backends[to->backend_count++] = save_backend(from, &from->backends[j]);
	}
	config = config_copy(&shallow);
	for (size_t i = 0; i < shallow.pool_count; i++)
		free(shallow.pools[i].backends);
	free(shallow.pools);
	return config;
}
