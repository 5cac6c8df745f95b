// SPDX-License-Identifier: GPL-2.0
/* Finds the service that the probe of each pool uses. The service supplies the transport and the port that
 * the file omits. */
#include "config_private.h"

static uint8_t protocol_of(const struct config_probe *probe)
{
	bool udp = config_probe_is_sip(probe) && probe->transport == TRANSPORT_UDP;

	return udp ? IPPROTO_UDP : IPPROTO_TCP;
}

const struct config_service *config_probed_service(const struct config *config, const struct config_pool *pool)
{
	return pool->probed_service == CONFIG_NO_SERVICE ? NULL : &config->services[pool->probed_service];
}

static bool can_be_probed(const struct config_service *service, const struct config_probe *probe)
{
	return config_probe_has_port(probe) && service->port && service->protocol == protocol_of(probe);
}

/* Finds for each pool the first service that uses it. If `probeable` is true, the probe of the pool must also be
 * able to use the service. */
static void find_services(struct config *config, bool probeable)
{
	for (size_t i = config->service_count; i-- > 0;) {
		size_t pools[METHOD_COUNT], count = config_service_pools(&config->services[i], pools);

		for (size_t j = 0; j < count; j++) {
			struct config_pool *pool = &config->pools[pools[j]];

			if (!probeable || can_be_probed(&config->services[i], &pool->probe))
				pool->probed_service = i;
		}
	}
}

static void check_port(const struct config *config, const struct config_pool *pool, struct faults *faults)
{
	const struct config_service *service = config_probed_service(config, pool);
	const struct config_probe *probe = &pool->probe;

	if (service && !probe->port && config_probe_has_port(probe) && !can_be_probed(service, probe))
		faults_add(faults, pool->position,
			"pool %s: the probe needs a 'port', because no %s service of the pool has one", pool->name,
			config_protocol_name(protocol_of(probe)));
}

void config_resolve_probes(struct config *config, struct faults *faults)
{
	size_t i;

	for (i = 0; i < config->pool_count; i++)
		config->pools[i].probed_service = CONFIG_NO_SERVICE;
	find_services(config, false);
	for (i = 0; i < config->pool_count; i++) {
		const struct config_service *first = config_probed_service(config, &config->pools[i]);
		struct config_probe *probe = &config->pools[i].probe;

		if (probe->type != PROBE_NONE && probe->transport == TRANSPORT_OF_SERVICE)
			probe->transport = first && first->protocol == IPPROTO_TCP ? TRANSPORT_TCP : TRANSPORT_UDP;
	}
	find_services(config, true);
	for (i = 0; i < config->pool_count; i++)
		if (config->pools[i].probe.type != PROBE_NONE)
			check_port(config, &config->pools[i], faults);
}
