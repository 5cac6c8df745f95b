// SPDX-License-Identifier: GPL-2.0
/* Which backend gets a packet: see view.h. */

#include "core/farm/lookup.h"
#include "view.h"

static json_t *backend_json(const struct image *image, uint16_t id)
{
	return id ? json_string(image->records[id].name) : json_null();
}

static json_t *owner_json(const struct lookup *lookup, const char *key, uint16_t backend, uint16_t previous)
{
	const struct image *image = lookup->image;

	return json_pack("{s:s, s:s, s:o, s:o, s:o}", "call_id", key, "pool", image->pool_names[lookup->pool].name,
		"backend", backend_json(image, backend), "address",
		backend ? view_address(&image->records[backend].address) : json_null(), "previous_owner",
		previous != backend ? backend_json(image, previous) : json_null());
}

/* A backend that the message names has it, whatever its key. */
static json_t *named_json(const struct lookup *lookup, const char *key)
{
	json_t *owner = owner_json(lookup, key, lookup->named, lookup->named);

	json_object_set_new(owner, "named_by", json_string(lookup->named_by));
	return owner;
}

/* A key that cannot be looked up has an error in its place: the others have their answers. `text` is NULL where
 * only the source is known. */
static json_t *look_up(const struct maps *maps, const struct lookup *lookup, const char *text, const char *key)
{
	struct lookup_owner owner;
	const char *reason;
	uint32_t tracked, slot;
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
	json = owner_json(lookup, key, owner.backend, owner.previous);
	json_object_set_new(json, "slot", json_integer(slot));
	return json;
}

/* What stands for the key where none is given. */
static const char *shown(const struct request *request)
{
	const char *name = request->via ? request->via : request->route ? request->route : request->request_uri;

	return request->source ? request->source : name ? name : "";
}

json_t *view_lookup(const struct maps *maps, const struct image *image, const struct request *request)
{
	const struct lookup_question question = {.service = request->service,
		.method = request->method,
		.source = request->source,
		.via = request->via,
		.route = request->route,
		.request_uri = request->request_uri};
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
		json_array_append_new(list, look_up(maps, &lookup, NULL, shown(request)));
	return protocol_ok(list);
}
