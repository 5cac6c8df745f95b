// SPDX-License-Identifier: GPL-2.0
/* Changes of a farm at runtime: see farm.h. Each function applies its change or refuses it with a reason. A change
 * takes effect with the next plan. */

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "farm.h"
#include "farm_nat.h"
#include "core/maps/id_allocation.h"
#include "core/base/memory.h"
#include "core/base/name.h"

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

/* An id for a new backend: unused in the maps and in the farm. */
static uint16_t unused_id(const struct farm *farm, const struct image *running)
{
	struct backend_ids ids;
	uint16_t id;

	backend_ids_start(&ids, running);
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++)
			ids.taken[farm->pools[i].backends[j].id] = true;
	id = backend_ids_allocate(&ids);
	backend_ids_end(&ids);
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

int farm_check_address(const struct farm *farm, const struct farm_pool *pool, const struct address *address,
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

/* Could the balancer translate the responses of a new backend with `forward: nat`? */
static int check_nat(const struct farm *farm, const struct farm_pool *pool, const struct config_backend *wanted,
	char error[FARM_ERROR_SIZE])
{
	const struct nat_backend nat = {
		.name = wanted->name, .address = wanted->address, .port = nat_port(pool->config, wanted)};
	char text[NAT_TEXT_SIZE];

	if (config_backend_forward(pool->config, wanted) == FORWARD_NAT && farm_check_nat(farm, pool, &nat, text))
		return refuse(error, -EADDRINUSE, "backend %s: %s", wanted->name, text);
	return 0;
}

/* The differences from the file. If a removed backend is added again exactly as in the file, there are no
 * differences: the backend counts neither as removed nor as added. */
static uint8_t overrides_of(const struct farm_pool *pool, const struct farm_backend *backend)
{
	if (!farm_backend_config(pool, backend))
		return OVERRIDE_ADDED;
	return backend->record.weight == backend->file_weight ? 0 : OVERRIDE_WEIGHT;
}

static int add_backend(struct farm *farm, const struct image *running, const char *pool_name,
	const struct config_backend *wanted, char error[FARM_ERROR_SIZE])
{
	const char *name = wanted->name;
	struct farm_pool *pool = need_pool(farm, pool_name, error);
	struct farm_backend *backend;
	int result;

	if (!pool)
		return -ENOENT;
	backend = farm_find_backend_or_tombstone(pool, name);
	if (backend && farm_backend_exists(backend) && (backend->record.overrides & OVERRIDE_LEAVING))
		return refuse(error, -EEXIST,
			"backend '%s' of pool '%s' is leaving: 'sipxdp-ctl backend ready %s %s' cancels the removal, "
			"'backend remove' completes it at once",
			name, pool_name, pool_name, name);
	if (backend && farm_backend_exists(backend))
		return refuse(error, -EEXIST, "pool '%s' has a backend '%s' already", pool_name, name);
	result = farm_check_address(farm, pool, &wanted->address, error);
	if (!result)
		result = check_nat(farm, pool, wanted, error);
	if (result)
		return result;
	if (!backend) {
		uint16_t id = unused_id(farm, running);

		if (!id)
			return refuse(error, -ENOSPC,
				"the maps were made for %u backends; raise `limits:` and run 'sipxdp-loader upgrade -c "
				"FILE'",
				running->contract.backends);
		pool->backends = reallocate(pool->backends, pool->count + 1, sizeof(*backend));
		backend = &pool->backends[pool->count++];
		*backend = (struct farm_backend){.id = id, .record.overrides = OVERRIDE_ADDED};
		name_copy(backend->record.pool, pool_name);
		name_copy(backend->record.name, name);
	}
	if (!address_equal(&backend->record.address, &wanted->address)) {
		backend->route = (struct route){0};
		farm_passive_forget(backend);
	} else if (memcmp(&backend->record.mac, &wanted->mac, sizeof(wanted->mac))) {
		backend->route = (struct route){0};
	}
	backend->record.address = wanted->address;
	backend->record.weight = wanted->weight;
	backend->record.admin = wanted->admin;
	backend->record.health = backend->own_health = HEALTH_UNKNOWN;
	added_free(backend->added);
	backend->added = NULL;
	backend->record.overrides = overrides_of(pool, backend);
	farm_configure(pool, backend, wanted);
	return 0;
}

int farm_add_backend(struct farm *farm, const struct image *running, const char *pool, const char *name,
	const struct address *address, int weight, char error[FARM_ERROR_SIZE])
{
	const struct farm_pool *of = farm_find_pool(farm, pool);
	const struct config_backend *line = of ? config_find_backend(of->config, name) : NULL;
	struct config_backend wanted = {.address = *address, .weight = 1, .priority = 1};

	if (line && address_equal(&line->address, address))
		wanted = *line;
	name_copy(wanted.name, name);
	if (weight != FARM_USUAL_WEIGHT)
		wanted.weight = weight;
	return add_backend(farm, running, pool, &wanted, error);
}

/* Would a file with all current backends be invalid? */
static int check_file(const struct farm *farm, char error[FARM_ERROR_SIZE])
{
	struct config *config = farm_config(farm), *read;
	struct faults faults = {0};
	size_t length;
	char *text;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		abort();
	config_write(config, out);
	fclose(out);
	config_free(config);
	read = config_parse(text, length, &faults);
	if (!read)
		refuse(error, -EINVAL, "%s", faults.list[0].message);
	free(text);
	faults_free(&faults);
	config_free(read);
	return read ? 0 : -EINVAL;
}

int farm_add_described(struct farm *farm, const struct image *running, const char *pool_name,
	struct added_config *added, char error[FARM_ERROR_SIZE])
{
	const struct config_backend *wanted = added_backend(added);
	struct farm_backend *backend;
	struct farm_pool *pool;
	int result = add_backend(farm, running, pool_name, wanted, error);

	if (result) {
		added_free(added);
		return result;
	}
	pool = farm_find_pool(farm, pool_name);
	backend = farm_find_backend(pool, wanted->name);
	backend->record.overrides = OVERRIDE_ADDED;
	farm_describe(pool, backend, added);
	return 0;
}

int farm_try_described(struct farm *trial, const struct image *running, const char *pool, struct added_config *added,
	char error[FARM_ERROR_SIZE])
{
	int result = farm_add_described(trial, running, pool, added_hold(added), error);

	return result ? result : check_file(trial, error);
}

void farm_set_away(struct farm *farm, uint32_t away)
{
	if (!away || !farm->away_since)
		farm->away_since = away;
}

int farm_remove_backend(struct farm *farm, const char *pool_name, const char *name, char error[FARM_ERROR_SIZE])
{
	struct farm_backend *backend = need_backend(farm, pool_name, name, error);
	struct farm_pool *pool;

	if (!backend)
		return -ENOENT;
	pool = farm_find_pool(farm, pool_name);
	added_free(backend->added);
	backend->added = NULL;
	if (farm_backend_is_in_file(pool, backend)) {
		/* A tombstone: a restart does not bring the backend back from the file. */
		backend->record.overrides = OVERRIDE_REMOVED;
		return 0;
	}
	*backend = pool->backends[--pool->count];
	return 0;
}

int farm_remove_when_drained(struct farm *farm, const char *pool, const char *name, char error[FARM_ERROR_SIZE])
{
	struct farm_backend *backend = need_backend(farm, pool, name, error);

	if (!backend)
		return -ENOENT;
	backend->record.overrides |= OVERRIDE_LEAVING;
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
	if (admin == ADMIN_READY) {
		backend->record.overrides &= ~OVERRIDE_LEAVING;
		farm_passive_forget(backend);
	}
	return 0;
}
