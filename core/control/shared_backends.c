// SPDX-License-Identifier: GPL-2.0
/* See shared_backends.h. */

#include <string.h>
#include "core/base/memory.h"
#include "core/base/name.h"
#include "shared_backends.h"

enum presence {
	PRESENCE_FILE,    /* as in the file: present, or absent if the file does not contain it */
	PRESENCE_REMOVED, /* in the file, but removed */
	PRESENCE_ADDED,
	PRESENCE_JOINED,
	PRESENCE_COUNT,
};

static const char *const presence_names[PRESENCE_COUNT] = {"file", "removed", "added", "joined"};
static const char *const admin_names[] = {[ADMIN_READY] = "ready", [ADMIN_DRAIN] = "drain", [ADMIN_MAINT] = "maint"};

#define ADMIN_COUNT (sizeof(admin_names) / sizeof(*admin_names))

/* The state of a backend as far as operators and servers can change it. */
struct difference {
	const char *pool, *name; /* owned by the farm or by the JSON */
	enum presence presence;
	struct address address;
	const char *options; /* of `backend add` (struct added_backend); NULL: none */
	int weight;          /* AS_IN_FILE, like `admin` */
	int admin;           /* enum admin_state */
	bool leaving;
};

#define AS_IN_FILE (-1) /* 1 and ADMIN_READY for a backend that is not in the file */

/* --- the farm */

static struct difference without_difference(const char *pool, const char *name)
{
	return (struct difference){.pool = pool, .name = name, .weight = AS_IN_FILE, .admin = AS_IN_FILE};
}

static int file_weight(const struct farm_pool *pool, const char *name)
{
	const struct config_backend *line = config_find_backend(pool->config, name);

	return line ? line->weight : 1;
}

static int file_admin(const struct farm_pool *pool, const char *name)
{
	const struct config_backend *line = config_find_backend(pool->config, name);

	return line ? line->admin : ADMIN_READY;
}

static struct difference find_difference(const struct farm_pool *pool, const struct farm_backend *backend)
{
	const struct backend_record *record = &backend->record;
	struct difference difference = without_difference(pool->config->name, record->name);

	if (record->overrides & OVERRIDE_REMOVED) {
		difference.presence = PRESENCE_REMOVED;
		return difference;
	}
	if (record->overrides & OVERRIDE_ADDED) {
		difference.presence = record->overrides & OVERRIDE_JOINED ? PRESENCE_JOINED : PRESENCE_ADDED;
		difference.address = record->address;
		difference.options = backend->added ? backend->added->value.text : NULL;
	}
	if (record->weight != file_weight(pool, record->name))
		difference.weight = record->weight;
	if (record->admin != file_admin(pool, record->name))
		difference.admin = record->admin;
	difference.leaving = record->overrides & OVERRIDE_LEAVING;
	return difference;
}

static bool same_presence(const struct difference *a, const struct difference *b)
{
	if (a->presence != b->presence || !address_equal(&a->address, &b->address) || !a->options != !b->options)
		return false;
	return !a->options || !strcmp(a->options, b->options);
}

static bool is_equal(const struct difference *a, const struct difference *b)
{
	return same_presence(a, b) && a->weight == b->weight && a->admin == b->admin && a->leaving == b->leaving;
}

/* --- JSON */

json_t *shared_backends_write(const struct farm *farm)
{
	json_t *list = json_array();

	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			const struct farm_backend *backend = &farm->pools[i].backends[j];
			const struct difference to = find_difference(&farm->pools[i], backend);
			const struct difference none = without_difference(to.pool, to.name);
			char address[ADDRESS_TEXT_SIZE] = "";

			if (is_equal(&none, &to))
				continue;
			if (to.presence >= PRESENCE_ADDED)
				address_format(&to.address, address);
			json_array_append_new(list,
				json_pack("{s:s, s:s, s:s, s:s, s:s*, s:i, s:s*, s:b}", "pool", to.pool, "name",
					to.name, "presence", presence_names[to.presence], "address", address, "options",
					to.options, "weight", to.weight, "admin",
					to.admin == AS_IN_FILE ? NULL : admin_names[to.admin], "leaving", to.leaving));
		}
	return list;
}

static size_t find_name(const char *name, const char *const names[], size_t count)
{
	size_t i = 0;

	while (i < count && strcmp(names[i], name))
		i++;
	return i;
}

/* Returns false if this is not a difference of a backend. */
static bool read_difference(const json_t *json, struct difference *out)
{
	const char *presence, *address, *admin = NULL;
	int leaving;

	*out = (struct difference){0};
	if (json_unpack((json_t *)json, "{s:s, s:s, s:s, s:s, s?s, s:i, s?s, s:b}", "pool", &out->pool, "name",
		    &out->name, "presence", &presence, "address", &address, "options", &out->options, "weight",
		    &out->weight, "admin", &admin, "leaving", &leaving))
		return false;
	out->presence = find_name(presence, presence_names, PRESENCE_COUNT);
	out->admin = admin ? (int)find_name(admin, admin_names, ADMIN_COUNT) : AS_IN_FILE;
	out->leaving = leaving;
	if (out->presence == PRESENCE_COUNT || out->admin == (int)ADMIN_COUNT || out->weight < AS_IN_FILE ||
		out->weight > MAX_WEIGHT || !config_name_is_valid(out->name))
		return false;
	return out->presence < PRESENCE_ADDED ||
	       (!address_parse(address, &out->address) && address_is_host(&out->address));
}

/* --- taking a list */

struct taking {
	struct farm *farm;
	const struct image *running;
	struct messages *errors;
	bool changed;
};

static int add_described(struct taking *taking, const struct difference *to, char error[FARM_ERROR_SIZE])
{
	struct added_backend value = {0};
	struct added_config *added = NULL;
	size_t length = strlen(to->options);

	if (length < sizeof(value.text)) {
		memcpy(value.text, to->options, length);
		added = added_read(&value);
	}
	if (added && !strcmp(added_backend(added)->name, to->name))
		return farm_add_described(taking->farm, taking->running, to->pool, added, error);
	added_free(added);
	snprintf(error, FARM_ERROR_SIZE, "its options cannot be read");
	return -1;
}

/* Adds a backend again that is in the file, as it is there. */
static int restore(struct taking *taking, struct farm_pool *pool, const char *name, char error[FARM_ERROR_SIZE])
{
	const struct config_backend *line = config_find_backend(pool->config, name);

	return farm_add_backend(
		taking->farm, taking->running, pool->config->name, name, &line->address, FARM_USUAL_WEIGHT, error);
}

static int make_present(
	struct taking *taking, struct farm_pool *pool, const struct difference *to, char error[FARM_ERROR_SIZE])
{
	int result;

	if (to->presence == PRESENCE_FILE)
		return restore(taking, pool, to->name, error);
	if (to->options)
		return add_described(taking, to, error);
	result = farm_add_backend(taking->farm, taking->running, to->pool, to->name, &to->address, 1, error);
	if (!result)
		farm_find_backend(pool, to->name)->record.overrides |=
			OVERRIDE_ADDED | (to->presence == PRESENCE_JOINED ? OVERRIDE_JOINED : 0);
	return result;
}

/* Removes a backend that must be absent, or present in a different way. */
static void remove_different(struct taking *taking, struct farm_pool *pool, const struct difference *to)
{
	struct farm_backend *backend = farm_find_backend(pool, to->name);
	char error[FARM_ERROR_SIZE];
	struct difference now;

	if (!backend)
		return;
	now = find_difference(pool, backend);
	if (same_presence(&now, to))
		return;
	taking->changed = true;
	farm_remove_backend(taking->farm, to->pool, to->name, error);
}

/* Adds a backend that must be present, and changes the rest. */
static void complete(struct taking *taking, struct farm_pool *pool, const struct difference *to)
{
	struct farm_backend *backend = farm_find_backend(pool, to->name);
	bool wanted = to->presence != PRESENCE_REMOVED &&
		      (to->presence != PRESENCE_FILE || config_find_backend(pool->config, to->name));
	char error[FARM_ERROR_SIZE];
	struct difference now;

	if (!wanted)
		return;
	if (!backend && make_present(taking, pool, to, error)) {
		messages_add(taking->errors, "backend %s/%s: %s", to->pool, to->name, error);
		return;
	}
	taking->changed |= !backend;
	backend = farm_find_backend(pool, to->name);
	now = find_difference(pool, backend);
	if (is_equal(&now, to))
		return;
	taking->changed = true;
	if (now.weight != to->weight)
		farm_set_weight(taking->farm, to->pool, to->name,
			to->weight == AS_IN_FILE ? file_weight(pool, to->name) : to->weight, error);
	if (now.admin != to->admin)
		farm_set_admin(taking->farm, to->pool, to->name,
			to->admin == AS_IN_FILE ? file_admin(pool, to->name) : to->admin, error);
	backend->record.overrides &= ~OVERRIDE_LEAVING;
	backend->record.overrides |= to->leaving ? OVERRIDE_LEAVING : 0;
}

/* A backend, with the name copied, because a removal may overwrite the backend. */
struct named {
	char name[NAME_SIZE];
	struct difference to;
};

/* The difference of a backend that is not in the list. A server that sends its requests to this balancer stays, without
 * the changes of an operator. A different server has left while this balancer did not hear it. */
static struct difference difference_not_listed(const struct farm_pool *pool, const struct farm_backend *backend)
{
	struct difference difference = find_difference(pool, backend);

	if (difference.presence != PRESENCE_JOINED || !backend->joined_here)
		return without_difference(NULL, NULL);
	difference.admin = AS_IN_FILE;
	return difference;
}

/* The differences that a pool should have: those of the list, and none for all other backends. */
static struct named *wanted_of(const struct farm_pool *pool, const json_t *list, size_t *count)
{
	struct named *wanted = allocate(pool->count + json_array_size(list), sizeof(*wanted));
	struct difference to;
	const json_t *item;
	size_t i, j;

	*count = 0;
	json_array_foreach(list, i, item)
	{
		if (!read_difference(item, &to) || strcmp(to.pool, pool->config->name))
			continue;
		name_copy(wanted[*count].name, to.name);
		wanted[(*count)++].to = to;
	}
	for (i = 0, j = *count; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];
		size_t k = 0;

		while (k < j && strcmp(wanted[k].name, backend->record.name))
			k++;
		if (k < j)
			continue;
		name_copy(wanted[*count].name, backend->record.name);
		wanted[(*count)++].to = difference_not_listed(pool, backend);
	}
	for (i = 0; i < *count; i++) {
		wanted[i].to.pool = pool->config->name;
		wanted[i].to.name = wanted[i].name;
	}
	return wanted;
}

bool shared_backends_take(struct farm *farm, const struct image *running, const json_t *list, struct messages *errors)
{
	struct taking taking = {.farm = farm, .running = running, .errors = errors};

	for (size_t i = 0; i < farm->config->pool_count; i++) {
		struct farm_pool *pool = &farm->pools[i];
		size_t count;
		struct named *wanted = wanted_of(pool, list, &count);

		for (size_t j = 0; j < count; j++)
			remove_different(&taking, pool, &wanted[j].to);
		for (size_t j = 0; j < count; j++)
			complete(&taking, pool, &wanted[j].to);
		free(wanted);
	}
	return taking.changed;
}
