// SPDX-License-Identifier: GPL-2.0
/* Services, pools and counters: see report.h. */

#include <string.h>
#include "report_private.h"

/* --- lists */

/* "5060", or "5060-5080" */
static json_t *ports_json(const struct config_service *service)
{
	if (service->last_port == service->port)
		return json_sprintf("%u", service->port);
	return json_sprintf("%u-%u", service->port, service->last_port);
}

json_t *report_service_list(struct daemon *daemon, const struct request *request)
{
	const struct farm *farm = daemon->farm;
	json_t *list = json_array();

	(void)request;
	for (size_t i = 0; i < farm->config->service_count; i++) {
		const struct config_service *service = &farm->config->services[i];
		json_t *vips = json_array();
		struct traffic traffic;

		worker_breathe(daemon->worker);
		for (size_t j = 0; j < service->vip_count; j++)
			json_array_append_new(vips, view_address(&service->vips[j]));
		maps_service_traffic(daemon->maps, farm->service_ids[i], &traffic);
		json_array_append_new(
			list, json_pack("{s:s, s:o, s:i, s:o, s:s, s:s, s:s, s:I, s:I}", "name", service->name, "vips",
				      vips, "port", service->port, "ports", ports_json(service), "protocol",
				      config_protocol_name(service->protocol), "affinity",
				      config_affinity_name(service->affinity), "pool",
				      farm->config->pools[service->pool].name, "packets", traffic.packets, "bytes",
				      traffic.bytes));
	}
	return protocol_ok(list);
}

static bool uses_pool(const struct config_service *service, size_t pool)
{
	for (int method = 0; method < METHOD_COUNT; method++)
		if (config_pool_of_method(service, method) == pool)
			return true;
	return false;
}

json_t *report_pool_list(struct daemon *daemon, const struct request *request)
{
	const struct farm *farm = daemon->farm;
	json_t *list = json_array();

	(void)request;
	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const struct farm_pool *pool = &farm->pools[i];
		json_t *services = json_array();

		worker_breathe(daemon->worker);
		for (size_t j = 0; j < farm->config->service_count; j++)
			if (uses_pool(&farm->config->services[j], i))
				json_array_append_new(services, json_string(farm->config->services[j].name));
		json_array_append_new(list,
			json_pack("{s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:o}", "name", pool->config->name,
				"forward", config_forward_name(pool->config->forward), "probe",
				config_probe_name(pool->config->probe.type), "fail_open", pool->open, "migrating",
				daemon->running->pools[pool->id].migrating, "backends",
				(json_int_t)report_backends(pool), "in_table", (json_int_t)report_serving(daemon, pool),
				"slots", (json_int_t)daemon->running->contract.slots, "services", services));
	}
	return protocol_ok(list);
}

json_t *report_stats(struct daemon *daemon, const struct request *request)
{
	(void)request;
	return view_stats(daemon->maps, daemon->running);
}

json_t *report_lookup(struct daemon *daemon, const struct request *request)
{
	return view_lookup(daemon->maps, daemon->running, request);
}
