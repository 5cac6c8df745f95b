// SPDX-License-Identifier: GPL-2.0
/* Which backend has a call: see report.h. */

#include <string.h>
#include "../core/lookup.h"
#include "drain.h"
#include "report_private.h"

static const struct config_service *find_service(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->service_count; i++)
		if (!strcmp(config->services[i].name, name))
			return &config->services[i];
	return NULL;
}

/* May have packets, as the program sees it. */
static bool is_alive(const struct daemon *daemon, uint16_t id)
{
	return id && id <= daemon->running->contract.backends && daemon->running->backends[id].alive;
}

/* Who gets messages with a key, as motion_steer() has it: what opens a call, and what belongs
 * to one that is there. For a call that has a note both are the same. */
struct owner {
	uint16_t backend;
	uint16_t former;
};

static struct owner owner_of(const struct daemon *daemon, uint32_t pool, uint64_t hash)
{
	uint32_t slot = hash & (daemon->running->contract.slots - 1);
	uint16_t backend = image_slots(daemon->running, pool)[slot];
	uint16_t former = image_former(daemon->running, pool)[slot];
	uint32_t tracked;

	if (!former)
		return (struct owner){backend, backend};
	if (!maps_tracked(daemon->maps, pool, hash, &tracked) && is_alive(daemon, tracked))
		return (struct owner){tracked, tracked};
	return (struct owner){backend, is_alive(daemon, former) ? former : backend};
}

static json_t *owner_json(const struct daemon *daemon, const struct farm_pool *pool, const char *key, uint64_t hash)
{
	uint32_t slot = hash & (daemon->running->contract.slots - 1);
	const struct owner owner = owner_of(daemon, pool->id, hash);
	const struct backend_record *records = daemon->running->records;

	return json_pack("{s:s, s:s, s:o, s:o, s:i, s:o}", "call_id", key, "pool", pool->config->name, "backend",
		owner.backend ? json_string(records[owner.backend].name) : json_null(), "address",
		owner.backend ? report_address(&records[owner.backend].address) : json_null(), "slot", slot, "former",
		owner.former != owner.backend ? json_string(records[owner.former].name) : json_null());
}

/* The pool that messages of a method go to: the service's own if none is given. */
static int pool_of(const struct config_service *service, const char *method, size_t *pool)
{
	enum method number = METHOD_NONE;

	if (method && config_method_find(method, &number))
		return -1;
	*pool = config_pool_of_method(service, number);
	return 0;
}

/* What cannot be looked up is told in its place: the others have their answers. */
static json_t *look_up(const struct daemon *daemon, const struct config_service *service, const struct farm_pool *pool,
	const char *key)
{
	bool by_call_id = service->affinity == AFFINITY_CALL_ID;
	uint64_t hash;

	if ((by_call_id ? lookup_call_id : lookup_user)(key, daemon->farm->config->hash_key, &hash))
		return json_pack("{s:s, s:s}", "call_id", key, "error",
			by_call_id ? "a Call-ID is not empty and has no white space in it"
				   : "no user in it: a user part is wanted, or a sip, sips or tel URI that has one");
	return owner_json(daemon, pool, key, hash);
}

json_t *report_lookup(struct daemon *daemon, const struct request *request)
{
	const struct config *config = daemon->farm->config;
	const struct config_service *service = find_service(config, request->service);
	json_t *list;
	size_t pool;

	if (!service)
		return protocol_error(NULL, "no service '%s' (see 'sipxdp-ctl service list')", request->service);
	if (service->affinity == AFFINITY_SOURCE || service->affinity == AFFINITY_FLOW)
		return protocol_error(NULL, "service '%s' goes by %s, not by anything in a message", service->name,
			config_affinity_name(service->affinity));
	if (pool_of(service, request->method, &pool))
		return protocol_error(NULL, "'%s' is no method of SIP, in capitals, or '*'", request->method);
	list = json_array();
	for (size_t i = 0; i < request->call_ids.count; i++)
		json_array_append_new(
			list, look_up(daemon, service, &daemon->farm->pools[pool], request->call_ids.items[i]));
	return protocol_ok(list);
}
