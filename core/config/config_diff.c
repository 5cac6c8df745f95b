// SPDX-License-Identifier: GPL-2.0
/* See config_diff.h. */

#include <netinet/in.h>
#include <string.h>
#include "config_private.h"
#include "config_diff.h"
#include "core/base/memory.h"

struct comparison {
	const struct config *old, *new;
	struct key_text before, after;
	struct messages *lines;
	struct messages *disruptions;
	bool with_defaults; /* the previous values are defaults that were not in effect: the lines do not show them */
};

/* The label of the compared object, "pool proxies: ", and a prefix for its keys, "probe ". */
struct label {
	const char *object;
	const char *keys;
};

static const char *or_none(const char *text)
{
	return *text ? text : "none";
}

static void compare_key(
	struct comparison *of, const struct label *label, const struct key *key, const void *before, const void *after)
{
	const char *was = key_text(&of->before, key, before), *is = key_text(&of->after, key, after);
	const char *open = key->advice ? " (" : "", *advice = key->advice ? key->advice : "";
	const char *close = key->advice ? ")" : "";

	if (!strcmp(was, is))
		return;
	if (key->flags & KEY_SECRET)
		messages_add(of->lines, "%s%s%s has a new value%s%s%s", label->object, label->keys, key->name, open,
			advice, close);
	else if (of->with_defaults)
		messages_add(of->lines, "%s%s%s %s%s%s%s", label->object, label->keys, key->name, or_none(is), open,
			advice, close);
	else
		messages_add(of->lines, "%s%s%s %s, was %s%s%s%s", label->object, label->keys, key->name, or_none(is),
			or_none(was), open, advice, close);
}

static void compare_keys(
	struct comparison *of, struct label label, const struct key *keys, const void *before, const void *after)
{
	for (const struct key *key = keys; key->name; key++)
		if (key->write && !(key->flags & KEY_IN_STEPS))
			compare_key(of, &label, key, before, after);
}

/* --- objects with the same name */

/* Any object whose first member is its name. */
struct named {
	char name[NAME_SIZE];
};

struct index {
	const struct named **sorted;
	size_t count;
};

static int compare_names(const void *left, const void *right)
{
	const struct named *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

static struct index index_new(const void *objects, size_t count, size_t size)
{
	struct index index = {allocate(count, sizeof(*index.sorted)), count};

	for (size_t i = 0; i < count; i++)
		index.sorted[i] = (const void *)((const char *)objects + i * size);
	qsort(index.sorted, count, sizeof(*index.sorted), compare_names);
	return index;
}

static const void *index_find(const struct index *index, const char *name)
{
	const struct named *key = (const void *)name, **found;

	found = bsearch(&key, index->sorted, index->count, sizeof(key), compare_names);
	return found ? *found : NULL;
}

/* --- backends */

static bool has_hint(const struct config_backend *backend, const struct config_hint *hint)
{
	for (size_t i = 0; i < backend->hint_count; i++)
		if (!strcmp(backend->hints[i].host, hint->host) && backend->hints[i].port == hint->port)
			return true;
	return false;
}

static void find_disruptions(struct comparison *of, const char *object, const struct config_backend *before,
	const struct config_backend *after)
{
	for (size_t i = 0; i < before->hint_count; i++)
		if (!has_hint(after, &before->hints[i]))
			messages_add(of->disruptions,
				"%shints: %s is removed: established calls that use this name go to other backends",
				object, before->hints[i].host);
	if (before->ports.first && (before->ports.first < after->ports.first || before->ports.last > after->ports.last))
		messages_add(
			of->disruptions, "%sports: packets to the removed ports no longer reach this backend", object);
}

static void compare_backends(struct comparison *of, const struct config_pool *pool, const struct config_pool *old,
	const struct index *known, const struct config_backend *backend)
{
	const struct config_backend *before = index_find(known, backend->name);
	const char *group = config_group_name(pool, backend), *was;
	char object[2 * NAME_SIZE + sizeof("backend /: ")];

	if (!before)
		return;
	snprintf(object, sizeof(object), "backend %s/%s: ", pool->name, backend->name);
	compare_keys(of, (struct label){object, ""}, config_backend_keys, before, backend);
	was = config_group_name(old, before);
	if (strcmp(group ? group : "", was ? was : ""))
		messages_add(
			of->lines, "%sgroup %s, was %s", object, or_none(group ? group : ""), or_none(was ? was : ""));
	find_disruptions(of, object, before, backend);
}

/* --- pools and services */

/* If the type changes, names the keys of the new probe that differ from the default values of its type. */
static void compare_probes(
	struct comparison *of, const char *object, const struct config_probe *before, const struct config_probe *after)
{
	struct config_probe usual;

	if (before->type == after->type) {
		compare_keys(of, (struct label){object, "probe "}, config_probe_keys, before, after);
		return;
	}
	messages_add(of->lines, "%sprobe %s, was %s", object, config_probe_name(after->type),
		config_probe_name(before->type));
	if (after->type == PROBE_NONE)
		return;
	config_default_probe(&usual, after->type);
	usual.transport = after->transport;
	of->with_defaults = true;
	compare_keys(of, (struct label){object, "probe "}, config_probe_keys, &usual, after);
	of->with_defaults = false;
}

static void compare_pools(struct comparison *of, const struct config_pool *before, const struct config_pool *after)
{
	char object[NAME_SIZE + sizeof("pool : ")];
	struct index known;

	snprintf(object, sizeof(object), "pool %s: ", after->name);
	compare_keys(of, (struct label){object, ""}, config_pool_keys, before, after);
	compare_probes(of, object, &before->probe, &after->probe);
	known = index_new(before->backends, before->backend_count, sizeof(*before->backends));
	for (size_t i = 0; i < after->backend_count; i++)
		compare_backends(of, after, before, &known, &after->backends[i]);
	free(known.sorted);
}

/* Does a backend have names or ports in a service, and stay in the pool? */
static bool has_names(const struct config_pool *old, const struct config_pool *pool)
{
	for (size_t i = 0; i < old->backend_count; i++)
		if ((old->backends[i].hint_count || old->backends[i].ports.first) &&
			config_find_backend(pool, old->backends[i].name))
			return true;
	return false;
}

/* The names and ports of the backends of a pool apply to a service only while it uses the pool. */
static void find_lost_pools(struct comparison *of, const char *object, const struct config_service *before,
	const struct config_service *after)
{
	size_t pools[METHOD_COUNT], count = config_service_pools(before, pools);

	for (size_t i = 0; i < count; i++) {
		const struct config_pool *old = &of->old->pools[pools[i]];
		const struct config_pool *pool = config_find_pool(of->new, old->name);

		if (pool && !config_service_uses_pool(after, pool - of->new->pools) && has_names(old, pool))
			messages_add(of->disruptions,
				"%spool %s is no longer used: established calls that use the `hints:` or `ports:` of "
				"its backends go to other backends",
				object, old->name);
	}
}

static void compare_services(
	struct comparison *of, const struct config_service *before, const struct config_service *after)
{
	char object[NAME_SIZE + sizeof("service : ")];

	snprintf(object, sizeof(object), "service %s: ", after->name);
	compare_keys(of, (struct label){object, ""}, config_service_keys, before, after);
	if (before->protocol == IPPROTO_UDP)
		find_lost_pools(of, object, before, after);
}

/* --- whole files */

/* The steps of a plan report a new guard. */
static void compare_guards(struct comparison *of, const struct config_guard *before, const struct config_guard *after)
{
	if (before->is_set && after->is_set)
		compare_keys(of, (struct label){"", "guard: "}, config_guard_keys, before, after);
	else if (before->is_set != after->is_set)
		messages_add(of->lines, after->is_set ? "guard set, was none" : "guard none, was set");
}

static void compare_files(struct comparison *of, const struct config *before, const struct config *after)
{
	compare_keys(of, (struct label){"", ""}, config_file_keys, before, after);
	compare_keys(of, (struct label){"", "limits: "}, config_limit_keys, &before->limits, &after->limits);
	compare_keys(of, (struct label){"", "join: "}, config_join_keys, &before->join, &after->join);
	compare_keys(of, (struct label){"", "metrics: "}, config_metrics_keys, &before->metrics, &after->metrics);
	compare_keys(of, (struct label){"", "capture: "}, config_capture_keys, &before->capture, &after->capture);
	compare_keys(of, (struct label){"", "group: "}, config_membership_keys, &before->group, &after->group);
	compare_guards(of, &before->guard, &after->guard);
}

void config_diff(
	const struct config *before, const struct config *after, struct messages *lines, struct messages *disruptions)
{
	struct index services = index_new(before->services, before->service_count, sizeof(*before->services));
	struct index pools = index_new(before->pools, before->pool_count, sizeof(*before->pools));
	struct comparison of = {.old = before, .new = after, .lines = lines, .disruptions = disruptions};
	const void *known;

	key_text_open(&of.before, before);
	key_text_open(&of.after, after);
	compare_files(&of, before, after);
	for (size_t i = 0; i < after->service_count; i++)
		if ((known = index_find(&services, after->services[i].name)))
			compare_services(&of, known, &after->services[i]);
	for (size_t i = 0; i < after->pool_count; i++)
		if ((known = index_find(&pools, after->pools[i].name)))
			compare_pools(&of, known, &after->pools[i]);
	key_text_close(&of.before);
	key_text_close(&of.after);
	free(services.sorted);
	free(pools.sorted);
}
