// SPDX-License-Identifier: GPL-2.0
/* Checks the services and pools that `forward: nat` concerns. */
#include "config_private.h"
#include "core/base/memory.h"
#include "nat_mappings.h"

static bool is_nat(const struct config_pool *pool, const struct config_backend *backend)
{
	return config_backend_forward(pool, backend) == FORWARD_NAT;
}

static bool has_nat(const struct config_pool *pool)
{
	for (size_t i = 0; i < pool->backend_count; i++)
		if (is_nat(pool, &pool->backends[i]))
			return true;
	return false;
}

/* Finds the pools that have a backend with `forward: nat`, as an array to be freed. Many services may share a pool, so
 * the backends of each pool are read only once. */
static bool *find_pools(const struct config *config)
{
	bool *pools = allocate(config->pool_count, sizeof(*pools));

	for (size_t i = 0; i < config->pool_count; i++)
		pools[i] = has_nat(&config->pools[i]);
	return pools;
}

static void add_backend(struct nat_mappings *mappings, const struct config *config, size_t service,
	const struct nat_backend *nat, struct position position, struct faults *faults)
{
	char text[NAT_TEXT_SIZE];

	if (nat_obstacle(&config->services[service], nat, text))
		faults_add(faults, position, "backend %s: %s", nat->name, text);
	else
		nat_mappings_add(mappings, config, service, nat);
}

static void add_pool(struct nat_mappings *mappings, const struct config *config, size_t service,
	const struct config_pool *pool, struct faults *faults)
{
	for (size_t i = 0; i < pool->backend_count && mappings->count <= NAT_MAPPINGS; i++) {
		const struct config_backend *backend = &pool->backends[i];
		const struct nat_backend nat = {.name = backend->name,
			.address = backend->address,
			.port = nat_port(pool, backend),
			.ports = backend->ports};

		if (is_nat(pool, backend))
			add_backend(mappings, config, service, &nat, backend->position, faults);
	}
}

/* Reports at most one conflict of each service. */
static void report_conflicts(const struct nat_mappings *mappings, const struct config *config, struct faults *faults)
{
	bool *reported = allocate(config->service_count, sizeof(*reported));

	for (size_t i = 0; i < mappings->count; i++) {
		const struct nat_mapping *mapping = &mappings->list[i];
		const struct config_service *service = &config->services[mapping->service];
		char text[NAT_TEXT_SIZE];

		if (!mapping->conflict || reported[mapping->service])
			continue;
		reported[mapping->service] = true;
		faults_add(faults, service->position, "service %s: %s", service->name,
			nat_conflict_text(config, mapping, text));
	}
	free(reported);
}

void config_check_nat(const struct config *config, struct faults *faults)
{
	struct nat_mappings mappings = {};
	bool *with_nat = find_pools(config);

	for (size_t i = 0; i < config->service_count; i++) {
		size_t pools[METHOD_COUNT], count = config_service_pools(&config->services[i], pools);

		for (size_t j = 0; j < count; j++)
			if (with_nat[pools[j]])
				add_pool(&mappings, config, i, &config->pools[pools[j]], faults);
	}
	if (mappings.count > NAT_MAPPINGS)
		faults_add(faults, (struct position){0},
			"too many backends with 'forward: nat': each one counts for each VIP of each service, and at "
			"most %d are possible",
			NAT_MAPPINGS);
	else if (!nat_mappings_check(&mappings))
		report_conflicts(&mappings, config, faults);
	nat_mappings_free(&mappings);
	free(with_nat);
}
