// SPDX-License-Identifier: GPL-2.0
/* See maps_report.h. */

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "core/farm/farm.h"
#include "core/farm/lookup.h"
#include "core/base/memory.h"
#include "maps_report.h"

json_t *maps_report_address(const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	return json_string(address_format(address, text));
}

#define ANOMALY false
#define NORMAL true
#define VERDICT_TEXT(name, action, normal, text) {#name, #action, text, ACTION_##action == ACTION_forwarded, normal},
const struct verdict_text maps_report_verdicts[VERDICT_COUNT] = {BALANCER_VERDICTS(VERDICT_TEXT)};
#undef VERDICT_TEXT
#undef NORMAL
#undef ANOMALY

#define COUNTER_TEXT(name, kind, label, detail, text) {#name, COUNTER_##kind, label, detail, text},
const struct counter_text maps_report_service_counters[SERVICE_COUNTER_COUNT] = {SERVICE_COUNTERS(COUNTER_TEXT)};
const struct counter_text maps_report_backend_counters[BACKEND_COUNTER_COUNT] = {BACKEND_COUNTERS(COUNTER_TEXT)};
#undef COUNTER_TEXT

json_t *maps_report_class(const struct counter_text *counter)
{
	const char *code = counter->detail;

	if (!strncmp(code, "other_", strlen("other_")))
		return json_string(code + strlen("other_"));
	return strlen(code) == 3 ? json_sprintf("%cxx", code[0]) : json_string(code);
}

/* --- stats */

static json_t *verdicts_json(const struct maps *maps)
{
	struct verdict_counters counters;
	json_t *list = json_array();

	maps_verdicts(maps, &counters);
	for (int i = 0; i < VERDICT_COUNT; i++)
		json_array_append_new(list,
			json_pack("{s:s, s:s, s:I, s:b, s:s}", "name", maps_report_verdicts[i].name, "action",
				maps_report_verdicts[i].action, "packets", (json_int_t)((const uint64_t *)&counters)[i],
				"normal", maps_report_verdicts[i].normal, "text", maps_report_verdicts[i].text));
	return list;
}

static bool exists(const struct backend_record *record)
{
	return record->name[0] && !(record->overrides & OVERRIDE_REMOVED);
}

/* The id of the pool's next backend after `id`; 0 if there is none. For the first backend, `id` is 0. */
static uint32_t next_backend(const struct image *image, const char *pool, uint32_t id)
{
	while (++id <= image->contract.backends)
		if (exists(&image->records[id]) && !strcmp(image->records[id].pool, pool))
			return id;
	return 0;
}

static json_t *counted_request(const char *service, const struct counter_text *counter, uint64_t messages)
{
	return json_pack("{s:s, s:s, s:s, s:I}", "service", service, "method", counter->method, "dialog",
		counter->detail, "messages", (json_int_t)messages);
}

static json_t *counted_response(const char *service, const struct counter_text *counter, uint64_t messages)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:I}", "service", service, "cseq", counter->method, "code",
		counter->detail, "class", maps_report_class(counter), "messages", (json_int_t)messages);
}

/* Omits message counters that are 0, because a service uses only a few of its counters. */
static void add_service(json_t *stats, const char *name, const struct service_traffic *traffic)
{
	const __u64 *values = (const __u64 *)traffic;

	json_array_append_new(json_object_get(stats, "services"),
		json_pack("{s:s, s:I, s:I, s:I}", "name", name, "packets", (json_int_t)traffic->packets, "bytes",
			(json_int_t)traffic->bytes, "not_sip", (json_int_t)traffic->not_sip));
	for (int i = 0; i < SERVICE_COUNTER_COUNT; i++) {
		const struct counter_text *counter = &maps_report_service_counters[i];

		if (values[i] && counter->kind == COUNTER_REQUEST)
			json_array_append_new(
				json_object_get(stats, "requests"), counted_request(name, counter, values[i]));
		if (values[i] && counter->kind == COUNTER_RESPONSE)
			json_array_append_new(
				json_object_get(stats, "responses"), counted_response(name, counter, values[i]));
	}
}

/* Adds all counters of a backend. */
static void add_backend(json_t *stats, const struct backend_record *record, const struct backend_traffic *traffic)
{
	json_t *backend = json_pack("{s:s, s:s}", "pool", record->pool, "name", record->name);

	for (int i = 0; i < BACKEND_COUNTER_COUNT; i++)
		json_object_set_new(backend, maps_report_backend_counters[i].name,
			json_integer((json_int_t)((const __u64 *)traffic)[i]));
	json_array_append_new(json_object_get(stats, "backends"), backend);
}

static void add_returned_service(json_t *returned, const struct maps *maps, const struct image *image, uint32_t id)
{
	const char *name = image->service_names[id].name;
	struct service_traffic traffic;

	if (!*name || maps_service_return(maps, id, &traffic) || !traffic.packets)
		return;
	add_service(returned, name, &traffic);
	maps_report_add_service_setup(json_object_get(returned, "service_setup"), maps, id, name);
}

static void add_returned_backend(json_t *returned, const struct maps *maps, const struct image *image, uint32_t id)
{
	const struct backend_record *record = &image->records[id];
	json_t *counters, *backend;

	if (!exists(record) || image->backends[id].forward != FORWARD_NAT)
		return;
	counters = maps_report_returned(maps, id);
	if (!counters)
		return;
	backend = json_pack("{s:s, s:s}", "pool", record->pool, "name", record->name);
	json_object_update(backend, counters);
	json_decref(counters);
	json_array_append_new(json_object_get(returned, "backends"), backend);
	maps_report_add_backend_setup(json_object_get(returned, "backend_setup"), maps, id, record);
}

/* The packets from servers with `forward: nat`. Omits services without such packets. */
static json_t *returned_json(const struct maps *maps, const struct image *image)
{
	json_t *returned = json_pack("{s:[], s:[], s:[], s:[], s:[], s:[]}", "services", "requests", "responses",
		"backends", "service_setup", "backend_setup");

	if (!(image->nat.flags & NAT_ACTIVE))
		return returned;
	for (uint32_t id = 0; id < image->contract.services; id++)
		add_returned_service(returned, maps, image, id);
	for (uint32_t id = 1; id <= image->contract.backends; id++)
		add_returned_backend(returned, maps, image, id);
	return returned;
}

json_t *maps_report_stats(const struct maps *maps, const struct image *image)
{
	json_t *stats = json_pack("{s:o, s:[], s:[], s:[], s:[], s:o}", "verdicts", verdicts_json(maps), "services",
		"requests", "responses", "backends", "returned", returned_json(maps, image));
	struct service_traffic service;
	struct backend_traffic backend;

	for (uint32_t id = 0; id < image->contract.services; id++) {
		if (!image->service_names[id].name[0])
			continue;
		maps_service_traffic(maps, id, &service);
		add_service(stats, image->service_names[id].name, &service);
	}
	for (uint32_t id = 1; id <= image->contract.backends; id++) {
		if (!exists(&image->records[id]))
			continue;
		maps_backend_traffic(maps, id, &backend);
		add_backend(stats, &image->records[id], &backend);
	}
	return protocol_ok(stats);
}

/* --- backends */

/* An array with 65536 elements, indexed by id. The caller frees it. */
static uint32_t *count_slots(const struct image *image, uint32_t pool)
{
	uint32_t *counts = allocate(UINT16_MAX + 1, sizeof(*counts));
	const __u16 *slots = image_slots(image, pool);

	for (uint32_t slot = 0; slot < image->contract.slots; slot++)
		counts[slots[slot]]++;
	return counts;
}

json_t *maps_report_calls(const struct call_estimate *calls)
{
	if (!calls->known)
		return json_pack("{s:n, s:n}", "calls", "calls_error");
	return json_pack("{s:I, s:I}", "calls", (json_int_t)calls->calls, "calls_error", (json_int_t)calls->error);
}

/* See config_pool_is_counted(). */
static bool is_counted(const struct image *image, uint32_t pool)
{
	struct hash_map_entry entry;
	size_t cursor = 0;

	while (hash_map_next(image->maps[IMAGE_SERVICES], &cursor, &entry)) {
		const struct service_key *key = entry.key;
		const struct service *service = entry.value;
		bool uses_pool = false;

		for (int method = 0; method < METHOD_COUNT; method++)
			uses_pool |= service->pool[method] == pool;
		if (uses_pool && key->protocol == IPPROTO_UDP && service->affinity == AFFINITY_CALL_ID)
			return true;
	}
	return false;
}

static struct call_estimate calls_of(const struct maps *maps, uint32_t id)
{
	const struct maps_load load = maps_load(maps, id);

	return call_estimate(load.sampled, load.placed, false);
}

static json_t *backend_json(
	const struct maps *maps, const struct image *image, uint32_t id, uint32_t slots, bool is_counted)
{
	const struct backend_record *record = &image->records[id];
	const struct call_estimate calls = is_counted ? calls_of(maps, id) : (struct call_estimate){0};
	const struct backend *backend = &image->backends[id];
	char interface[IF_NAMESIZE] = "", mac[MAC_TEXT_SIZE] = "";
	struct backend_traffic traffic;
	json_t *object, *numbers = maps_report_calls(&calls);

	maps_backend_traffic(maps, id, &traffic);
	if (backend->forward) {
		if_indextoname(backend->ifindex, interface);
		mac_format(&backend->next_hop, mac);
	}
	object = json_pack("{s:s, s:s, s:o, s:i, s:s, s:s, s:s, s:I, s:f, s:I, s:I, s:I, s:s, s:s}", "pool",
		record->pool, "name", record->name, "address", maps_report_address(&record->address), "weight",
		record->weight, "forward", config_forward_name(backend->forward), "admin", farm_admin_name(record),
		"state", farm_state_name(record->state), "since", (json_int_t)record->since, "share",
		100.0 * slots / image->contract.slots, "slots", (json_int_t)slots, "packets",
		(json_int_t)traffic.packets, "bytes", (json_int_t)traffic.bytes, "interface", interface, "mac", mac);
	if (backend->forward == FORWARD_NAT)
		json_object_set_new(object, "returned", maps_report_returned(maps, id));
	json_object_update(object, numbers);
	json_decref(numbers);
	return object;
}

json_t *maps_report_backend_list(const struct maps *maps, const struct image *image, const struct request *request)
{
	json_t *list = json_array();
	bool found = false, counted;

	for (uint32_t pool = 0; pool < image->contract.pools; pool++) {
		const char *name = image->pool_names[pool].name;
		uint32_t *slots;

		if (!*name || (request->pool && strcmp(request->pool, name)))
			continue;
		found = true;
		slots = count_slots(image, pool);
		counted = is_counted(image, pool);
		for (uint32_t id = 0; (id = next_backend(image, name, id));)
			json_array_append_new(list, backend_json(maps, image, id, slots[id], counted));
		free(slots);
	}
	if (found || !request->pool)
		return protocol_ok(list);
	json_decref(list);
	return protocol_error(NULL, "no pool '%s' in the maps", request->pool);
}

/* --- status */

static json_t *interfaces_json(const struct maps *maps, const char *pin_directory)
{
	struct if_nameindex *all = if_nameindex();
	json_t *list = json_array();

	for (size_t i = 0; all && all[i].if_index; i++) {
		const char *mode = maps_attach_mode(maps, pin_directory, all[i].if_name);

		if (strcmp(mode, "none"))
			json_array_append_new(list,
				json_pack("{s:s, s:b, s:s}", "name", all[i].if_name, "attached", 1, "mode", mode));
	}
	if (all)
		if_freenameindex(all);
	return list;
}

static json_int_t serving(const struct image *image)
{
	json_int_t count = 0;

	for (uint32_t pool = 0; pool < image->contract.pools; pool++) {
		uint32_t *slots;

		if (!image->pool_names[pool].name[0])
			continue;
		slots = count_slots(image, pool);
		for (uint32_t id = 0; (id = next_backend(image, image->pool_names[pool].name, id));)
			count += slots[id] > 0;
		free(slots);
	}
	return count;
}

static json_int_t count_names(const struct name *names, uint32_t limit)
{
	json_int_t count = 0;

	for (uint32_t id = 0; id < limit; id++)
		count += names[id].name[0] != '\0';
	return count;
}

static json_int_t count_backends(const struct image *image)
{
	json_int_t count = 0;

	for (uint32_t id = 1; id <= image->contract.backends; id++)
		count += exists(&image->records[id]);
	return count;
}

/* A daemon that runs may listen on a different socket. */
static json_t *no_answer(const char *socket)
{
	char text[256];

	snprintf(text, sizeof(text),
		"sipxdpd does not answer at %.120s: unless --socket is wrong, dead servers keep their slots "
		"('systemctl start sipxdpd')",
		socket);
	return protocol_text(text);
}

json_t *maps_report_status(
	const struct maps *maps, const struct image *image, const char *pin_directory, const char *socket)
{
	json_int_t packets = 0, forwarded = 0;
	struct verdict_counters counters;
	const uint64_t *counter = (const uint64_t *)&counters;
	json_t *anomalies = json_array(), *warnings = json_pack("[o]", no_answer(socket));

	if (image->state.away_since)
		json_array_append_new(warnings, json_string(WARNING_AWAY));
	maps_verdicts(maps, &counters);
	for (int i = 0; i < VERDICT_COUNT; i++) {
		packets += counter[i];
		forwarded += maps_report_verdicts[i].forwards ? counter[i] : 0;
		if (counter[i] && !maps_report_verdicts[i].normal)
			json_array_append_new(anomalies,
				json_pack("{s:s, s:I, s:s}", "verdict", maps_report_verdicts[i].name, "packets",
					(json_int_t)counter[i], "text", maps_report_verdicts[i].text));
	}
	return protocol_ok(json_pack("{s:b, s:s, s:I, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "running", 0,
		"version", SIPXDP_VERSION, "away_since", (json_int_t)image->state.away_since, "pin_dir", pin_directory,
		"interfaces", interfaces_json(maps, pin_directory), "services",
		count_names(image->service_names, image->contract.services), "pools",
		count_names(image->pool_names, image->contract.pools), "backends", count_backends(image), "in_table",
		serving(image), "packets", packets, "forwarded", forwarded, "anomalies", anomalies, "warnings",
		warnings));
}

/* --- away */

/* The daemon takes the state from the maps when it starts. */
static json_t *set_away(
	const struct maps *maps, const struct image *image, const struct request *request, const char *pin_directory)
{
	bool away = request->command == COMMAND_AWAY, same = away == (image->state.away_since != 0);
	int error = same ? 0 : maps_set_away(maps, pin_directory, away ? (uint32_t)time(NULL) : 0);
	json_t *steps;

	if (error == -EBUSY)
		return protocol_error(NULL, "sipxdpd is starting: try again in a second");
	if (error)
		return protocol_error(NULL, "cannot change the maps: %s", strerror(-error));
	steps = same ? json_array() : json_pack("[s]", plan_away_text(away));
	return protocol_ok(
		json_pack("{s:o, s:[], s:f, s:[]}", "steps", steps, "pools", "moved_percent", 0.0, "warnings"));
}

/* --- lookup */

static json_t *name_json(const struct image *image, uint16_t id)
{
	return id ? json_string(image->records[id].name) : json_null();
}

static json_t *owner_json(const struct lookup *lookup, const char *key, uint16_t backend, uint16_t previous)
{
	const struct image *image = lookup->image;

	return json_pack("{s:s, s:s, s:o, s:o, s:o}", "call_id", key, "pool", image->pool_names[lookup->pool].name,
		"backend", name_json(image, backend), "address",
		backend ? maps_report_address(&image->records[backend].address) : json_null(), "previous_owner",
		previous != backend ? name_json(image, previous) : json_null());
}

/* A hint in the message names the backend, so the key does not matter. */
static json_t *named_json(const struct lookup *lookup, const char *key)
{
	json_t *owner = owner_json(lookup, key, lookup->named, lookup->named);

	json_object_set_new(owner, "named_by", json_string(lookup->named_by));
	return owner;
}

/* The owner of one key, or the reason why the look-up failed: an invalid key does not affect the others. `text` is NULL
 * if the request gives no key. */
static json_t *look_up(const struct maps *maps, const struct lookup *lookup, const char *text, const char *key)
{
	struct lookup_owner owner;
	const char *reason;
	uint32_t tracked, slot, placed;
	uint64_t hash;
	json_t *json;

	if (lookup->named)
		return named_json(lookup, key);
	if (lookup_key(lookup, text, &hash, &reason))
		return json_pack("{s:s, s:s}", "call_id", key, "error", reason);
	slot = lookup_slot(lookup, hash);
	if (maps_tracked(maps, lookup->pool, lookup_tracked_key(lookup, hash), slot, &tracked))
		tracked = 0;
	owner = lookup_owner(lookup, hash, tracked);
	placed = maps_placed(maps, lookup->pool, hash, slot);
	if (placed && lookup->image->backends[placed].alive)
		owner = (struct lookup_owner){placed, placed};
	json = owner_json(lookup, key, owner.backend, owner.previous);
	json_object_set_new(json, "slot", json_integer(slot));
	return json;
}

/* The text to show in place of a key: the source or the name that the request gives. */
static const char *substitute_key(const struct request *request)
{
	const char *parts[] = {request->source, request->via, request->route, request->request_uri, request->tag};
	size_t i = 0;

	while (i < sizeof(parts) / sizeof(*parts) && !parts[i])
		i++;
	return i < sizeof(parts) / sizeof(*parts) ? parts[i] : "";
}

json_t *maps_report_lookup(const struct maps *maps, const struct image *image, const struct request *request)
{
	const struct lookup_question question = {.service = request->service,
		.method = request->method,
		.source = request->source,
		.via = request->via,
		.route = request->route,
		.request_uri = request->request_uri,
		.tag = request->tag};
	char error[LOOKUP_ERROR_SIZE];
	struct lookup lookup;
	json_t *list;

	if (lookup_open(&lookup, image, &question, error))
		return protocol_error(NULL, "%s", error);
	list = json_array();
	for (size_t i = 0; i < request->call_ids.count; i++)
		json_array_append_new(
			list, look_up(maps, &lookup, request->call_ids.items[i], request->call_ids.items[i]));
	if (!request->call_ids.count)
		json_array_append_new(list, look_up(maps, &lookup, NULL, substitute_key(request)));
	return protocol_ok(list);
}

/* --- without the daemon */

bool maps_report_can_answer(enum command command)
{
	return command == COMMAND_STATUS || command == COMMAND_STATS || command == COMMAND_BACKEND_LIST ||
	       command == COMMAND_LOOKUP || command == COMMAND_GUARD_STATS || command == COMMAND_AWAY ||
	       command == COMMAND_BACK;
}

static json_t *answer(const struct maps *maps, const struct image *image, const struct request *request,
	const char *pin_directory, const char *socket)
{
	switch (request->command) {
	case COMMAND_STATUS:
		return maps_report_status(maps, image, pin_directory, socket);
	case COMMAND_AWAY:
	case COMMAND_BACK:
		return set_away(maps, image, request, pin_directory);
	case COMMAND_STATS:
		return maps_report_stats(maps, image);
	case COMMAND_GUARD_STATS:
		return maps_report_guard_stats(maps, image);
	case COMMAND_BACKEND_LIST:
		return maps_report_backend_list(maps, image, request);
	default:
		return maps_report_lookup(maps, image, request);
	}
}

json_t *maps_report_answer(const struct request *request, const char *pin_directory, const char *socket)
{
	char error[MAPS_ERROR_SIZE];
	json_t *reply = NULL;
	struct image *image;
	struct maps *maps;

	if (maps_open(&maps, pin_directory, error))
		return NULL;
	if (!maps_read(maps, &image)) {
		reply = answer(maps, image, request, pin_directory, socket);
		image_free(image);
	}
	maps_close(maps);
	return reply;
}
