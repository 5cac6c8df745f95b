// SPDX-License-Identifier: GPL-2.0
/* Checks the services and pools that `forward: nat` concerns. */
#include "config_private.h"
#include "core/base/memory.h"
#include "nat_mappings.h"

static bool is_nat(const struct config_pool *pool, const struct config_backend *backend)
{
	return (backend->forward ? backend->forward : pool->forward) == FORWARD_NAT;
}

static const char *family(const struct address *address)
{
	return address_is_ipv4(address) ? "IPv4" : "IPv6";
}

/* The first VIP of the service that has a different family from the backend's address. */
static const struct address *foreign_vip(const struct config_service *service, const struct config_backend *backend)
{
	for (size_t i = 0; i < service->vip_count; i++)
		if (address_is_ipv4(&service->vips[i]) != address_is_ipv4(&backend->address))
			return &service->vips[i];
	return NULL;
}

/* Can the backend receive the packets of the service? */
static bool check_backend(const struct config_service *service, const struct config_pool *pool,
	const struct config_backend *backend, struct faults *faults)
{
	const struct address *vip = foreign_vip(service, backend);
	char text[ADDRESS_TEXT_SIZE];

	if (vip)
		faults_add(faults, backend->position,
			"backend %s has an %s address, and service %s (line %d) the VIP %s: 'forward: nat' does not "
			"translate between IPv4 and IPv6; use a service and a pool for each family",
			backend->name, family(&backend->address), service->name, service->position.line,
			address_format(vip, text));
	else if ((!service->port || service->port != service->last_port) && nat_port(pool, backend))
		faults_add(faults, backend->position,
			"backend %s has 'port: %u', and service %s (line %d) has more than one port: remove 'port:', "
			"or use a different pool for this service",
			backend->name, nat_port(pool, backend), service->name, service->position.line);
	else
		return true;
	return false;
}

static void add_pool(struct nat_mappings *mappings, const struct config *config, size_t service,
	const struct config_pool *pool, struct faults *faults)
{
	for (size_t i = 0; i < pool->backend_count && mappings->count <= NAT_MAPPINGS; i++) {
		const struct config_backend *backend = &pool->backends[i];

		if (is_nat(pool, backend) && check_backend(&config->services[service], pool, backend, faults))
			nat_mappings_add(mappings, config, service,
				&(struct nat_backend){.name = backend->name,
					.address = backend->address,
					.port = nat_port(pool, backend),
					.ports = backend->ports});
	}
}

/* Reports one conflict for each service. */
static void report_conflicts(const struct nat_mappings *mappings, const struct config *config, struct faults *faults)
{
	bool *reported = allocate(config->service_count, sizeof(*reported));

	for (size_t i = 0; i < mappings->count; i++) {
		const struct nat_mapping *mapping = &mappings->list[i];
		const struct config_service *service = &config->services[mapping->service];
		char text[NAT_CONFLICT_SIZE];

		if (!mapping->conflict || reported[mapping->service])
			continue;
		reported[mapping->service] = true;
		faults_add(faults, service->position,
			"service %s: %s of service %s (line %d): 'forward: nat' could not tell them apart on the way "
			"back; use a separate pool with a different 'port:'",
			service->name, nat_conflict_text(mapping, text),
			config->services[mapping->conflict->service].name,
			config->services[mapping->conflict->service].position.line);
	}
	free(reported);
}

void config_check_nat(const struct config *config, struct faults *faults)
{
	struct nat_mappings mappings = {};

	for (size_t i = 0; i < config->service_count; i++) {
		size_t pools[METHOD_COUNT], count = config_service_pools(&config->services[i], pools);

		for (size_t j = 0; j < count; j++)
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
}
