// SPDX-License-Identifier: GPL-2.0
/* See report.h. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../core/lookup.h"
#include "../core/memory.h"
#include "drain.h"
#include "joining.h"
#include "report.h"

/* --- pieces */

static json_t *address_json(const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	return json_string(address_format(address, text));
}

static json_t *mac_json(const struct mac *mac)
{
	char text[MAC_TEXT_SIZE];

	return json_string(mac_is_zero(mac) ? "" : mac_format(mac, text));
}

/* Slots of a pool, as one id sees them. */
struct slot_counts {
	uint32_t owned;
	uint32_t coming;  /* shall be its own, and are another's yet */
	uint32_t leaving; /* are its own, and shall be another's */
	uint32_t left;    /* are another's, and it has the calls that were there */
};

/* By id: [backends + 1], to be freed. */
static struct slot_counts *count_slots(const struct daemon *daemon, uint32_t pool)
{
	const struct contract *contract = &daemon->running->contract;
	const __u16 *slots = image_slots(daemon->running, pool), *former = image_former(daemon->running, pool);
	const __u16 *wanted = daemon->running->wanted[pool] ? daemon->running->wanted[pool] : slots;
	struct slot_counts *counts = allocate(UINT16_MAX + 1, sizeof(*counts));

	for (uint32_t slot = 0; slot < contract->slots; slot++) {
		counts[slots[slot]].owned++;
		counts[wanted[slot]].coming += wanted[slot] != slots[slot];
		counts[slots[slot]].leaving += wanted[slot] != slots[slot];
		counts[former[slot]].left += former[slot] != slots[slot];
	}
	return counts;
}

static size_t count_up(const struct daemon *daemon, const struct farm_pool *pool)
{
	struct slot_counts *counts = count_slots(daemon, pool->id);
	size_t up = 0;

	for (size_t i = 0; i < pool->count; i++)
		up += farm_backend_exists(&pool->backends[i]) && counts[pool->backends[i].id].owned;
	free(counts);
	return up;
}

static size_t count_backends(const struct farm_pool *pool)
{
	size_t count = 0;

	for (size_t i = 0; i < pool->count; i++)
		count += farm_backend_exists(&pool->backends[i]);
	return count;
}

/* --- status */

static json_t *interfaces_json(const struct daemon *daemon)
{
	const struct config *config = daemon->farm->config;
	json_t *list = json_array();

	for (size_t i = 0; i < config->interface_count; i++) {
		const char *mode = maps_attach_mode(daemon->maps, config->interfaces[i]);

		json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "name", config->interfaces[i], "attached",
						    strcmp(mode, "none") != 0, "mode", mode));
	}
	return list;
}

static void warn(json_t *warnings, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void warn(json_t *warnings, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	json_array_append_new(warnings, json_vsprintf(format, arguments));
	va_end(arguments);
}

static void warn_of_interfaces(const struct daemon *daemon, json_t *warnings)
{
	const struct config *config = daemon->farm->config;

	if (!maps_are_pinned(daemon->maps))
		warn(warnings, "the balancer was detached: nothing is forwarded (run 'sipxdp-loader attach -c %s')",
			daemon->config_path);
	for (size_t i = 0; i < config->interface_count; i++) {
		const char *mode = maps_attach_mode(daemon->maps, config->interfaces[i]);

		if (!strcmp(mode, "none"))
			warn(warnings, "interface %s: no balancer is attached (run 'sipxdp-loader attach -c %s')",
				config->interfaces[i], daemon->config_path);
		else if (!strcmp(mode, "generic"))
			warn(warnings, "interface %s: attached in generic mode, which is slow", config->interfaces[i]);
	}
}

/* A VIP must be answered for by ARP or neighbour discovery, or be routed here. Of the
 * latter we only know when packets come. */
static void warn_of_vips(const struct daemon *daemon, json_t *warnings)
{
	const struct farm *farm = daemon->farm;

	for (size_t i = 0; i < farm->config->service_count; i++) {
		const struct config_service *service = &farm->config->services[i];
		struct traffic traffic = {0};

		maps_service_traffic(daemon->maps, farm->service_ids[i], &traffic);
		for (size_t j = 0; j < service->vip_count && !traffic.packets; j++) {
			char vip[ADDRESS_TEXT_SIZE];

			if (neighbours_is_local(daemon->neighbours, &service->vips[j]) != 0)
				continue;
			address_format(&service->vips[j], vip);
			warn(warnings,
				"service %s: %s is no address of this machine and no packet has come for it: route it "
				"here, or 'ip address add %s/%d dev %s'",
				service->name, vip, vip, address_is_ipv4(&service->vips[j]) ? 32 : 128,
				farm->config->interfaces[0]);
		}
	}
}

static void warn_of_backends(const struct daemon *daemon, json_t *warnings)
{
	const struct farm *farm = daemon->farm;
	bool changed = false;

	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const struct farm_pool *pool = &farm->pools[i];

		if (pool->open)
			warn(warnings,
				"pool %s fails open: its probes find less than %u %% alive (min_alive), and are not "
				"believed",
				pool->config->name, pool->config->min_alive);
		if (!count_up(daemon, pool))
			warn(warnings, "pool %s: no backend can be reached: its calls are turned away",
				pool->config->name);
		for (size_t j = 0; j < pool->count; j++) {
			const struct farm_backend *backend = &pool->backends[j];
			enum backend_state state = backend->record.state;

			changed |= backend->record.overrides && !(backend->record.overrides & OVERRIDE_JOINED);
			if (farm_backend_exists(backend) &&
				(state == STATE_PENDING || state == STATE_UNREACHABLE || state == STATE_DOWN))
				warn(warnings, "backend %s/%s is %s: %s", pool->config->name, backend->record.name,
					farm_state_name(state), farm_reason(daemon->farm, pool, backend));
		}
	}
	if (changed)
		warn(warnings, "what runs differs from %s: a reload will undo it ('sipxdp-ctl save' prints it)",
			daemon->config_path);
}

static json_t *warnings_json(const struct daemon *daemon)
{
	json_t *warnings = json_array();

	warn_of_interfaces(daemon, warnings);
	warn_of_vips(daemon, warnings);
	warn_of_backends(daemon, warnings);
	if (joining_fault(daemon->joining))
		warn(warnings, "nobody can join: %s", joining_fault(daemon->joining));
	return warnings;
}

/* Every verdict: its name, what it means, and whether it is usual and forwards. */
struct verdict_text {
	const char *name;
	const char *text;
	bool forwards;
	bool normal;
};

#define PASS false
#define HOLD false
#define ANSWER false
#define FORWARD true
#define UNUSUAL false
#define NORMAL true
#define VERDICT_TEXT(name, forwards, normal, text) {#name, text, forwards, normal},
static const struct verdict_text verdict_texts[VERDICT_COUNT] = {BALANCER_VERDICTS(VERDICT_TEXT)};
#undef VERDICT_TEXT
#undef NORMAL
#undef UNUSUAL
#undef FORWARD
#undef HOLD
#undef ANSWER
#undef PASS

json_t *report_status(struct daemon *daemon, const struct request *request)
{
	const struct farm *farm = daemon->farm;
	size_t backends = 0, in_table = 0;
	struct verdict_counters counters;
	const uint64_t *counter = (const uint64_t *)&counters;
	uint64_t packets = 0, forwarded = 0;
	json_t *unusual = json_array();

	(void)request;
	maps_verdicts(daemon->maps, &counters);
	for (size_t i = 0; i < farm->config->pool_count; i++) {
		backends += count_backends(&farm->pools[i]);
		in_table += count_up(daemon, &farm->pools[i]);
	}
	for (int i = 0; i < VERDICT_COUNT; i++) {
		packets += counter[i];
		forwarded += verdict_texts[i].forwards ? counter[i] : 0;
		if (counter[i] && !verdict_texts[i].normal)
			json_array_append_new(unusual, json_pack("{s:s, s:I, s:s}", "verdict", verdict_texts[i].name,
							       "packets", counter[i], "text", verdict_texts[i].text));
	}
	if (fragments_counts(daemon->fragments).given_up)
		json_array_append_new(unusual,
			json_pack("{s:s, s:I, s:s}", "verdict", "held_fragment", "packets",
				(json_int_t)fragments_counts(daemon->fragments).given_up, "text",
				"of those held were dropped: the first fragment never came, or too many waited"));
	return protocol_ok(json_pack("{s:s, s:i, s:I, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
		"version", SIPXDP_VERSION, "pid", getpid(), "uptime", (json_int_t)(time(NULL) - daemon->started),
		"config", daemon->config_path, "pin_dir", daemon->pin_directory, "interfaces", interfaces_json(daemon),
		"services", (json_int_t)farm->config->service_count, "pools", (json_int_t)farm->config->pool_count,
		"backends", (json_int_t)backends, "in_table", (json_int_t)in_table, "packets", (json_int_t)packets,
		"forwarded", (json_int_t)forwarded, "unusual", unusual, "warnings", warnings_json(daemon)));
}

/* --- lists */

json_t *report_service_list(struct daemon *daemon, const struct request *request)
{
	const struct farm *farm = daemon->farm;
	json_t *list = json_array();

	(void)request;
	for (size_t i = 0; i < farm->config->service_count; i++) {
		const struct config_service *service = &farm->config->services[i];
		json_t *vips = json_array();
		struct traffic traffic;

		for (size_t j = 0; j < service->vip_count; j++)
			json_array_append_new(vips, address_json(&service->vips[j]));
		maps_service_traffic(daemon->maps, farm->service_ids[i], &traffic);
		json_array_append_new(
			list, json_pack("{s:s, s:o, s:i, s:s, s:s, s:s, s:I, s:I}", "name", service->name, "vips", vips,
				      "port", service->port, "protocol", config_protocol_name(service->protocol),
				      "affinity", config_affinity_name(service->affinity), "pool",
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

		for (size_t j = 0; j < farm->config->service_count; j++)
			if (uses_pool(&farm->config->services[j], i))
				json_array_append_new(services, json_string(farm->config->services[j].name));
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:I, s:I, s:I, s:o}", "name", pool->config->name, "forward",
				      pool->config->forward == FORWARD_IPIP ? "ipip" : "dsr", "backends",
				      (json_int_t)count_backends(pool), "in_table", (json_int_t)count_up(daemon, pool),
				      "slots", (json_int_t)daemon->running->contract.slots, "services", services));
	}
	return protocol_ok(list);
}

static const char *admin_name(const struct backend_record *record)
{
	if (record->admin == ADMIN_MAINT)
		return "maint";
	if (record->overrides & OVERRIDE_LEAVING)
		return "leaving";
	return record->admin == ADMIN_DRAIN ? "drain" : "ready";
}

/* "87119 to leave, 4021 left": what of its slots is in motion. */
static json_t *moving_json(const struct slot_counts *counts)
{
	const struct {
		uint32_t count;
		const char *what;
	} parts[] = {{counts->coming, "to come"}, {counts->leaving, "to leave"}, {counts->left, "left"}};
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
	const struct health_state *state = probes_health(daemon->probes, record->pool, record->name);
	struct latency latency = state ? health_latency(state) : record->latency;

	return json_pack("{s:I, s:I, s:I}", "latency_last", (json_int_t)latency.last, "latency_mean",
		(json_int_t)latency.mean, "latency_p95", (json_int_t)latency.p95);
}

/* What of it is in motion, and what was sent to it. */
static json_t *load_json(
	const struct daemon *daemon, const struct farm_backend *backend, const struct slot_counts *counts)
{
	struct traffic traffic;

	maps_backend_traffic(daemon->maps, backend->id, &traffic);
	return json_pack("{s:f, s:I, s:o, s:I, s:b, s:I, s:I}", "share",
		100.0 * counts->owned / daemon->running->contract.slots, "slots", (json_int_t)counts->owned, "moving",
		moving_json(counts), "calls", (json_int_t)drain_calls(daemon->drain, daemon, backend->id), "empty",
		drain_is_empty(daemon->drain, daemon, backend), "packets", traffic.packets, "bytes", traffic.bytes);
}

static void add_to(json_t *object, json_t *more)
{
	json_object_update(object, more);
	json_decref(more);
}

static json_t *backend_json(const struct daemon *daemon, const struct farm_pool *pool,
	const struct farm_backend *backend, const struct slot_counts *counts)
{
	const struct backend_record *record = &backend->record;
	json_t *object = json_pack("{s:s, s:s, s:o, s:i, s:i, s:s, s:s, s:I, s:s, s:o, s:s, s:o}", "pool", record->pool,
		"name", record->name, "address", address_json(&record->address), "weight", record->weight, "priority",
		backend->priority, "admin", admin_name(record), "state", farm_state_name(record->state), "since",
		(json_int_t)record->since, "reason", farm_reason(daemon->farm, pool, backend), "mac",
		mac_json(&backend->route.next_hop), "interface", backend->route.interface, "overrides",
		overrides_json(record));

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

		if (request->pool && strcmp(request->pool, pool->config->name))
			continue;
		slots = count_slots(daemon, pool->id);
		for (size_t j = 0; j < pool->count; j++)
			if (farm_backend_exists(&pool->backends[j]))
				json_array_append_new(list,
					backend_json(daemon, pool, &pool->backends[j], &slots[pool->backends[j].id]));
		free(slots);
	}
	return protocol_ok(list);
}

json_t *report_stats(struct daemon *daemon, const struct request *request)
{
	const struct farm *farm = daemon->farm;
	json_t *verdicts = json_array(), *services = json_array(), *backends = json_array();
	struct verdict_counters counters;
	struct traffic traffic;

	(void)request;
	maps_verdicts(daemon->maps, &counters);
	for (int i = 0; i < VERDICT_COUNT; i++)
		json_array_append_new(verdicts, json_pack("{s:s, s:I, s:b, s:s}", "name", verdict_texts[i].name,
							"packets", ((const uint64_t *)&counters)[i], "normal",
							verdict_texts[i].normal, "text", verdict_texts[i].text));
	for (size_t i = 0; i < farm->config->service_count; i++) {
		maps_service_traffic(daemon->maps, farm->service_ids[i], &traffic);
		json_array_append_new(services, json_pack("{s:s, s:I, s:I}", "name", farm->config->services[i].name,
							"packets", traffic.packets, "bytes", traffic.bytes));
	}
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			const struct farm_backend *backend = &farm->pools[i].backends[j];

			if (!farm_backend_exists(backend))
				continue;
			maps_backend_traffic(daemon->maps, backend->id, &traffic);
			json_array_append_new(backends,
				json_pack("{s:s, s:s, s:I, s:I}", "pool", backend->record.pool, "name",
					backend->record.name, "packets", traffic.packets, "bytes", traffic.bytes));
		}
	return protocol_ok(
		json_pack("{s:o, s:o, s:o}", "verdicts", verdicts, "services", services, "backends", backends));
}

/* --- lookup */

json_t *report_lookup(struct daemon *daemon, const struct request *request)
{
	const struct config *config = daemon->farm->config;
	const struct config_service *service = NULL;
	const struct farm_pool *pool;
	const __u16 *slots;
	json_t *list;

	for (size_t i = 0; i < config->service_count; i++)
		if (!strcmp(config->services[i].name, request->service))
			service = &config->services[i];
	if (!service)
		return protocol_error(NULL, "no service '%s' (see 'sipxdp-ctl service list')", request->service);
	if (service->affinity != AFFINITY_CALL_ID)
		return protocol_error(NULL, "service '%s' goes by %s, not by Call-ID", service->name,
			config_affinity_name(service->affinity));
	pool = &daemon->farm->pools[service->pool];
	slots = image_slots(daemon->running, pool->id);
	list = json_array();
	for (size_t i = 0; i < request->call_ids.count; i++) {
		const char *call_id = request->call_ids.items[i];
		uint32_t slot = lookup_call_id(call_id, config->hash_key, daemon->running->contract.slots);
		const struct backend_record *record = &daemon->running->records[slots[slot]];

		json_array_append_new(
			list, json_pack("{s:s, s:s, s:o, s:o, s:i}", "call_id", call_id, "pool", pool->config->name,
				      "backend", slots[slot] ? json_string(record->name) : json_null(), "address",
				      slots[slot] ? address_json(&record->address) : json_null(), "slot", slot));
	}
	return protocol_ok(list);
}
