// SPDX-License-Identifier: GPL-2.0
/* The lists of services, pools and backends: see report.h. */

#include <stdio.h>
#include <string.h>
#include "core/base/memory.h"
#include "ctl/daemon/call_balance.h"
#include "ctl/daemon/drain.h"
#include "ctl/daemon/counted_calls.h"
#include "ctl/daemon/tracked_calls.h"
#include "ctl/maps/maps_report.h"
#include "report.h"

/* --- services and pools */

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
		struct service_traffic traffic;

		worker_yield(daemon->worker);
		for (size_t j = 0; j < service->vip_count; j++)
			json_array_append_new(vips, maps_report_address(&service->vips[j]));
		maps_service_traffic(daemon->maps, farm->service_ids[i], &traffic);
		json_array_append_new(
			list, json_pack("{s:s, s:o, s:i, s:o, s:s, s:s, s:s, s:I, s:I, s:I, s:b}", "name",
				      service->name, "vips", vips, "port", service->port, "ports", ports_json(service),
				      "protocol", config_protocol_name(service->protocol), "affinity",
				      config_affinity_name(service->affinity), "pool",
				      farm->config->pools[service->pool].name, "packets", traffic.packets, "bytes",
				      traffic.bytes, "initial_invite", traffic.initial_invite, "message_counters",
				      service->protocol == IPPROTO_UDP && service->message_counters));
	}
	return protocol_ok(list);
}

json_t *report_pool_list(struct daemon *daemon, const struct request *request)
{
	const struct farm *farm = daemon->farm;
	json_t *list = json_array();

	(void)request;
	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const struct farm_pool *pool = &farm->pools[i];
		json_t *services = json_array();

		worker_yield(daemon->worker);
		for (size_t j = 0; j < farm->config->service_count; j++)
			if (config_service_uses_pool(&farm->config->services[j], i))
				json_array_append_new(services, json_string(farm->config->services[j].name));
		json_array_append_new(list,
			json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:o}", "name", pool->config->name,
				"balance", config_balance_name(pool->config->balance), "forward",
				config_forward_name(pool->config->forward), "probe",
				config_probe_name(pool->config->probe.type), "fail_open", pool->fail_open, "migrating",
				daemon->running->pools[pool->id].migrating, "backends",
				(json_int_t)report_backends(pool), "in_table", (json_int_t)report_serving(daemon, pool),
				"slots", (json_int_t)daemon->running->contract.slots, "services", services));
	}
	return protocol_ok(list);
}

/* --- backends */

struct slot_counts *report_count_slots(const struct daemon *daemon, uint32_t pool)
{
	const struct contract *contract = &daemon->running->contract;
	const __u16 *slots = image_slots(daemon->running, pool),
		    *previous = image_previous_owners(daemon->running, pool);
	const __u16 *wanted = daemon->running->wanted[pool] ? daemon->running->wanted[pool]->ids : slots;
	struct slot_counts *counts = allocate(UINT16_MAX + 1, sizeof(*counts));

	for (uint32_t slot = 0; slot < contract->slots; slot++) {
		counts[slots[slot]].owned++;
		counts[wanted[slot]].gaining += wanted[slot] != slots[slot];
		counts[slots[slot]].losing += wanted[slot] != slots[slot];
		counts[previous[slot]].releasing += previous[slot] != slots[slot];
	}
	return counts;
}

static int compare_ids(const void *left, const void *right)
{
	const uint16_t *a = left, *b = right;

	return *a - *b;
}

size_t report_serving(const struct daemon *daemon, const struct farm_pool *pool)
{
	size_t count, up = 0;
	const uint16_t *owners = slots_owners(image_owners(daemon->running, pool->id), &count);

	for (size_t i = 0; i < pool->count; i++)
		up += farm_backend_exists(&pool->backends[i]) &&
		      bsearch(&pool->backends[i].id, owners, count, sizeof(*owners), compare_ids);
	return up;
}

size_t report_backends(const struct farm_pool *pool)
{
	size_t count = 0;

	for (size_t i = 0; i < pool->count; i++)
		count += farm_backend_exists(&pool->backends[i]);
	return count;
}

static json_t *mac_json(const struct mac *mac)
{
	char text[MAC_TEXT_SIZE];

	return json_string(mac_is_zero(mac) ? "" : mac_format(mac, text));
}

/* "87119 losing, 4021 releasing" */
static json_t *migrating_json(const struct slot_counts *counts)
{
	const struct {
		uint32_t count;
		const char *what;
	} parts[] = {{counts->gaining, "gaining"}, {counts->losing, "losing"}, {counts->releasing, "releasing"}};
	char text[96] = "";

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (parts[i].count)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u %s", *text ? ", " : "",
				parts[i].count, parts[i].what);
	return json_string(text);
}

static json_t *overrides_json(const struct backend_record *record)
{
	json_t *overrides = json_array();

	if (record->overrides & OVERRIDE_JOINED)
		json_array_append_new(overrides, json_string("joined"));
	else if (record->overrides & OVERRIDE_ADDED)
		json_array_append_new(overrides, json_string("added"));
	if (record->overrides & OVERRIDE_WEIGHT)
		json_array_append_new(overrides, json_string("weight"));
	return overrides;
}

static json_t *latency_json(const struct daemon *daemon, const struct backend_record *record)
{
	const struct health_state *state = probes_health(daemon->probes, record->pool, record->name, &record->address);
	struct latency latency = state ? health_latency(state) : record->latency;

	return json_pack("{s:I, s:I, s:I}", "latency_last", (json_int_t)latency.last, "latency_mean",
		(json_int_t)latency.mean, "latency_p95", (json_int_t)latency.p95);
}

/* Slots, tracked calls and traffic. */
static json_t *load_json(
	const struct daemon *daemon, const struct farm_backend *backend, const struct slot_counts *counts)
{
	const struct call_counts tracked = tracked_calls_of(daemon->calls, daemon, backend->id);
	struct backend_traffic traffic;

	maps_backend_traffic(daemon->maps, backend->id, &traffic);
	return json_pack("{s:f, s:I, s:o, s:I, s:I, s:b, s:I, s:I, s:I}", "share",
		100.0 * counts->owned / daemon->running->contract.slots, "slots", (json_int_t)counts->owned,
		"migrating", migrating_json(counts), "tracked_calls", (json_int_t)tracked.calls, "connections",
		(json_int_t)tracked.connections, "empty", drain_is_empty(daemon, backend), "packets", traffic.packets,
		"bytes", traffic.bytes, "initial_invite", traffic.initial_invite);
}

static void add_to(json_t *object, json_t *more)
{
	json_object_update(object, more);
	json_decref(more);
}

/* The reason of the state. If there is none: why the backend receives no new calls, or a reduced path MTU. */
static json_t *reason_json(
	const struct daemon *daemon, const struct farm_pool *pool, const struct farm_backend *backend)
{
	const char *reason = farm_reason(daemon->farm, pool, backend);
	char router[ADDRESS_TEXT_SIZE], full[CALL_BALANCE_TEXT_SIZE];

	if (!*reason && *call_balance_reason(daemon, pool, backend, full))
		return json_string(full);
	if (*reason || !backend->route.path_mtu)
		return json_string(reason);
	return json_sprintf("path MTU %u, reported by %s", backend->route.path_mtu,
		address_format(&backend->route.path_router, router));
}

/* "cause" is "" while the backend is not down by passive health. "fails_here": in the judgement of this balancer. */
static json_t *passive_json(const struct farm_backend *backend)
{
	const struct backend_record *record = &backend->record;

	return json_pack("{s:s, s:b, s:I, s:i}", "cause",
		passive_cause_name(backend->passive_down ? record->passive_cause : PASSIVE_NONE), "fails_here",
		farm_backend_fails_here(backend), "until", (json_int_t)record->passive_until, "count",
		record->passive_count);
}

static json_t *backend_json(const struct daemon *daemon, const struct farm_pool *pool,
	const struct farm_backend *backend, const struct slot_counts *counts)
{
	const struct call_estimate calls = counted_calls_of(daemon, pool, backend);
	const struct backend_record *record = &backend->record;
	const int load = call_balance_load(daemon, backend);
	json_t *object = json_pack("{s:s, s:s, s:o, s:i, s:i, s:s, s:s, s:s, s:I, s:o, s:o, s:s, s:i, s:i, s:o}",
		"pool", record->pool, "name", record->name, "address", maps_report_address(&record->address), "weight",
		record->weight, "priority", backend->priority, "forward", config_forward_name(backend->forward),
		"admin", farm_admin_name(record), "state", farm_state_name(record->state), "since",
		(json_int_t)record->since, "reason", reason_json(daemon, pool, backend), "mac",
		mac_json(&backend->route.next_hop), "interface", backend->route.interface, "mtu", backend->route.mtu,
		"path_mtu", backend->route.path_mtu, "overrides", overrides_json(record));

	if (farm_backend_is_observed(pool, backend))
		json_object_set_new(object, "passive", passive_json(backend));
	if (backend->forward == FORWARD_NAT && backend->port)
		json_object_set_new(object, "port", json_integer(backend->port));
	if (backend->forward == FORWARD_NAT)
		json_object_set_new(object, "returned", maps_report_returned(daemon->maps, backend->id));
	json_object_set_new(object, "load", load < 0 ? json_null() : json_integer(load));
	add_to(object, maps_report_calls(&calls));
	add_to(object, load_json(daemon, backend, counts));
	add_to(object, latency_json(daemon, record));
	return object;
}

json_t *report_backend_list(struct daemon *daemon, const struct request *request)
{
	const struct farm *farm = daemon->farm;
	json_t *list = json_array();

	if (request->pool && !farm_find_pool(farm, request->pool)) {
		json_decref(list);
		return protocol_error(NULL, "no pool '%s' (see 'sipxdp-ctl pool list')", request->pool);
	}
	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const struct farm_pool *pool = &farm->pools[i];
		struct slot_counts *slots;

		worker_yield(daemon->worker);
		if (request->pool && strcmp(request->pool, pool->config->name))
			continue;
		slots = report_count_slots(daemon, pool->id);
		for (size_t j = 0; j < pool->count; j++) {
			if (farm_backend_exists(&pool->backends[j]))
				json_array_append_new(list,
					backend_json(daemon, pool, &pool->backends[j], &slots[pool->backends[j].id]));
			worker_yield(daemon->worker);
		}
		free(slots);
	}
	return protocol_ok(list);
}

json_t *report_backend_calls(struct daemon *daemon, const struct request *request)
{
	const struct farm_pool *pool = farm_find_pool(daemon->farm, request->pool);
	const struct farm_backend *backend = pool ? farm_find_backend(pool, request->backend) : NULL;
	json_t *list;

	if (!backend)
		return protocol_error(
			NULL, "no backend '%s/%s' (see 'sipxdp-ctl backend list')", request->pool, request->backend);
	list = tracked_calls_list(daemon, pool, backend->id);
	return list ? protocol_ok(list)
		    : protocol_error(NULL, "cannot read the map %s/tracked_calls", daemon->pin_directory);
}

/* --- answers from the maps alone */

/* Only the worker changes the maps and their image, so it reads them without the lock. */

json_t *report_stats(struct daemon *daemon, const struct request *request)
{
	json_t *reply;

	(void)request;
	worker_unlock(daemon->worker);
	reply = maps_report_stats(daemon->maps, daemon->running);
	worker_lock(daemon->worker);
	return reply;
}

json_t *report_lookup(struct daemon *daemon, const struct request *request)
{
	json_t *reply;

	worker_unlock(daemon->worker);
	reply = maps_report_lookup(daemon->maps, daemon->running, request);
	worker_lock(daemon->worker);
	return reply;
}
