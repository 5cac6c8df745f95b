// SPDX-License-Identifier: GPL-2.0
/* Connects the farm with its probes: builds the targets, and copies the results into the farm. */

#include "core/base/memory.h"
#include "core/base/name.h"
#include "probes.h"

#define SIP_PORT 5060
#define SIPS_PORT 5061

static uint16_t port_of(
	const struct config_probe *probe, const struct config_service *service, const struct farm_backend *backend)
{
	if (probe->port)
		return probe->port;
	if (backend->port)
		return backend->port;
	if (service && service->port)
		return service->port;
	return probe->type == PROBE_TLS || probe->transport == TRANSPORT_TLS ? SIPS_PORT : SIP_PORT;
}

/* An unreachable backend gets no target and keeps its health. */
static struct probe_target target_of(
	const struct farm_pool *pool, const struct farm_backend *backend, const struct config_service *service)
{
	const struct config_probe *probe = &pool->config->probe;
	bool to_vip = service && !probe->to_address && backend->forward != FORWARD_NAT;
	struct probe_target target = {
		.probe = probe,
		.target = to_vip ? service->vips[0] : backend->record.address,
		.port = port_of(probe, service, backend),
		.route = farm_backend_entry(pool, backend),
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

void probes_follow_farm(struct probes *probes, const struct farm *farm)
{
	struct probe_target *targets = NULL;
	size_t count = 0;

	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const struct farm_pool *pool = &farm->pools[i];
		const struct config_service *service = config_probed_service(farm->config, pool->config);

		targets = reallocate(targets, count + pool->count, sizeof(*targets));
		for (size_t j = 0; j < pool->count; j++)
			if (can_be_asked(pool, &pool->backends[j]))
				targets[count++] = target_of(pool, &pool->backends[j], service);
	}
	probes_set_targets(probes, targets, count);
	free(targets);
}

void probes_report(const struct probes *probes, const struct farm_pool *pool, struct farm_backend *backend)
{
	const struct backend_record *record = &backend->record;
	const struct health_state *state = probes_health(probes, record->pool, record->name, &record->address);
	struct evidence evidence;
	struct latency latency;

	farm_set_trouble(backend, state ? state->trouble : "");
	backend->probed = (struct evidence){0};
	backend->probe_responded = state && state->responded;
	if (!state)
		return;
	latency = health_latency(state);
	evidence = health_evidence(state, &pool->config->probe);
	farm_set_probed(backend, state->health, &evidence, &latency, state->reason);
}
