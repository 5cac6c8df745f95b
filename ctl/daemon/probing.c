// SPDX-License-Identifier: GPL-2.0
/* See probing.h. */

#include "../core/memory.h"
#include "../core/name.h"
#include "probing.h"

#define SIP_PORT 5060
#define SIPS_PORT 5061

static bool uses_pool(const struct config_service *service, size_t pool)
{
	for (int method = 0; method < METHOD_COUNT; method++)
		if (config_pool_of_method(service, method) == pool)
			return true;
	return false;
}

/* Which protocol a probe speaks; 0 if any service will do. */
static uint8_t protocol_of(const struct config_probe *probe)
{
	switch (probe->type) {
	case PROBE_OPTIONS:
	case PROBE_REGISTER:
		return probe->transport == TRANSPORT_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	case PROBE_TCP:
	case PROBE_TLS:
		return IPPROTO_TCP;
	default:
		return 0;
	}
}

/* The first service of the file that uses the pool, of the probe's protocol if there is
 * one; NULL if none uses it. */
static const struct config_service *service_of(const struct config *config, size_t pool)
{
	uint8_t protocol = protocol_of(&config->pools[pool].probe);
	const struct config_service *found = NULL;

	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];

		if (!uses_pool(service, pool))
			continue;
		if (!protocol || service->protocol == protocol)
			return service;
		if (!found)
			found = service;
	}
	return found;
}

static uint16_t port_of(const struct config_probe *probe, const struct config_service *service)
{
	if (probe->port)
		return probe->port;
	if (service && service->port)
		return service->port;
	return probe->type == PROBE_TLS || probe->transport == TRANSPORT_TLS ? SIPS_PORT : SIP_PORT;
}

/* A backend to which there is no way is not asked, and keeps what is known of it. */
static struct probe_target target_of(
	const struct farm_pool *pool, const struct farm_backend *backend, const struct config_service *service)
{
	const struct config_probe *probe = &pool->config->probe;
	bool to_vip = service && !probe->to_address;
	struct probe_target target = {
		.probe = probe,
		.target = to_vip ? service->vips[0] : backend->record.address,
		.port = port_of(probe, service),
		.way = {.forward = pool->config->forward,
			.address = backend->record.address,
			.source = backend->route.source,
			.next_hop = backend->route.next_hop,
			.ifindex = backend->route.ifindex,
			.mtu = backend->route.mtu},
		.seed = backend->record.health,
		.latency = backend->record.latency,
	};

	name_copy(target.pool, backend->record.pool);
	name_copy(target.name, backend->record.name);
	return target;
}

static bool can_be_asked(const struct farm_pool *pool, const struct farm_backend *backend)
{
	return farm_backend_exists(backend) && pool->config->probe.type != PROBE_NONE &&
	       backend->record.state != STATE_UNREACHABLE && backend->record.state != STATE_PENDING;
}

void probing_follow(struct probes *probes, const struct farm *farm)
{
	struct probe_target *targets = NULL;
	size_t count = 0;

	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const struct farm_pool *pool = &farm->pools[i];
		const struct config_service *service = service_of(farm->config, i);

		targets = reallocate(targets, count + pool->count, sizeof(*targets));
		for (size_t j = 0; j < pool->count; j++)
			if (can_be_asked(pool, &pool->backends[j]))
				targets[count++] = target_of(pool, &pool->backends[j], service);
	}
	probes_follow(probes, targets, count);
	free(targets);
}

void probing_note(const struct probes *probes, struct farm_backend *backend)
{
	const struct health_state *state = probes_health(probes, backend->record.pool, backend->record.name);
	struct latency latency;

	if (!state)
		return;
	latency = health_latency(state);
	farm_set_health(backend, state->health, &latency, state->reason);
}
