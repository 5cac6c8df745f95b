// SPDX-License-Identifier: GPL-2.0
/* See desired_guard.h. */

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "bpf/guard_source.h"
#include "desired_guard.h"
#include "core/base/memory.h"
#include "core/base/name.h"
#include "core/maps/id_allocation.h"

#define SHARED_GUARD 1
#define RESERVED " " /* a name that no object can have */

/* The data that the functions of this file share. */
struct guarding {
	const struct farm *farm;
	const struct config *config;
	const struct image *running;
	struct image *image;
	uint16_t lists[GUARD_FILE_LISTS_MAX]; /* id of each list of the file */
	uint32_t list_end;                    /* number of classes of a guard; all ids of lists are lower */
};

static bool enforces(enum guard_mode own, enum guard_mode inherited)
{
	return (own ? own : inherited) == GUARD_ENFORCE;
}

/* --- ids */

/* Starts the allocation of ids: running names keep their ids. The first ids have the names `reserved`. Returns a list
 * that the caller frees after name_ids_end(). */
static struct name *start_ids(
	struct name_ids *ids, const struct name *running, uint32_t limit, const char *const *reserved, size_t count)
{
	struct name *names = allocate(limit, sizeof(*names));

	memcpy(names, running, limit * sizeof(*names));
	for (size_t i = 0; i < count; i++)
		name_copy(names[i].name, reserved[i]);
	name_ids_start(ids, names, limit);
	return names;
}

static void take_lists(struct guarding *g)
{
	static const char *const reserved[GUARD_LIST_FIRST] = {RESERVED, RESERVED, RESERVED};
	struct name_ids ids;
	struct name *names = start_ids(&ids, g->running->guard_list_names, GUARD_LISTS, reserved, GUARD_LIST_FIRST);

	g->list_end = GUARD_LIST_FIRST;
	for (size_t i = 0; i < g->config->guard.list_count; i++) {
		g->lists[i] = name_ids_take(&ids, g->config->guard.lists[i].name);
		name_copy(g->image->guard_list_names[g->lists[i]].name, g->config->guard.lists[i].name);
	}
	for (uint32_t id = GUARD_LIST_FIRST; id < GUARD_LISTS; id++) {
		if (g->farm->lists_pending && !g->image->guard_list_names[id].name[0])
			g->image->guard_list_names[id] = g->running->guard_list_names[id];
		if (g->image->guard_list_names[id].name[0])
			g->list_end = id + 1;
	}
	g->list_end = (g->list_end + GUARD_CLASS_BLOCK - 1) / GUARD_CLASS_BLOCK * GUARD_CLASS_BLOCK;
	name_ids_end(&ids);
	free(names);
}

static uint16_t *take_guards(struct guarding *g)
{
	static const char *const reserved[] = {RESERVED, GUARD_SHARED_NAME};
	uint16_t *of = allocate(g->config->service_count, sizeof(*of));
	struct name_ids ids;
	struct name *names = start_ids(&ids, g->running->guard_names, GUARDS, reserved, SHARED_GUARD + 1);

	for (size_t i = 0; i < g->config->service_count; i++) {
		const struct config_service *service = &g->config->services[i];

		if (config_service_has_own_guard(g->config, service))
			of[i] = name_ids_take(&ids, service->name);
		else if (config_service_is_guarded(g->config, service))
			of[i] = SHARED_GUARD;
		if (of[i])
			name_copy(g->image->guard_names[of[i]].name, config_guard_name(g->config, service));
	}
	name_ids_end(&ids);
	free(names);
	return of;
}

/* A name alone does not prove this: a plan may have stopped after the step that writes the name of a new guard. */
static bool is_running(const struct guarding *g, uint16_t guard)
{
	return g->running->guards[guard].first_class &&
	       !strcmp(g->running->guard_names[guard].name, g->image->guard_names[guard].name);
}

/* --- classes */

static struct guard_class limits_class(const struct config_limit_set *set, enum guard_mode mode)
{
	struct guard_class class = {.action = GUARD_LIMIT};

	for (int i = 0; i < GUARD_BUCKETS; i++) {
		const struct config_rate *rate = &set->rates[i];

		class.limits[i] = guard_limit_of(rate->rate, rate->burst);
		if (rate->rate && enforces(rate->mode, mode))
			class.enforced |= 1u << i;
		if (rate->rate && rate->refuse)
			class.refused |= 1u << i;
	}
	return class;
}

static struct guard_class action_class(enum guard_action action, bool enforced)
{
	return (struct guard_class){
		.action = action,
		.enforced = enforced && action == GUARD_DENY ? 1u << GUARD_RULE_DENIED | 1u << GUARD_RULE_BLOCKED : 0,
	};
}

static struct guard_class list_class(
	const struct guarding *g, const struct config_guard_settings *settings, const struct config_guard_list *list)
{
	enum guard_mode mode = list->mode ? list->mode : settings->mode;

	if (list->action == GUARD_LIMIT)
		return limits_class(config_limit_set(g->config, list->limits), mode);
	return action_class(list->action, mode == GUARD_ENFORCE);
}

/* The classes of a guard in the order of the ids of the lists; the caller frees them. */
static struct guard_class *wanted_classes(const struct guarding *g, const struct config_service *service)
{
	struct guard_class *classes = allocate(g->list_end, sizeof(*classes));
	struct config_guard_settings settings = config_guard_settings(g->config, service);
	struct guard_class unlisted = limits_class(config_limit_set(g->config, settings.limits), settings.mode);

	for (uint32_t list = 0; list < g->list_end; list++)
		classes[list] = unlisted;
	classes[GUARD_LIST_BLOCKED] = action_class(GUARD_DENY, settings.mode == GUARD_ENFORCE);
	classes[GUARD_LIST_TRUSTED] = action_class(GUARD_TRUST, false);
	for (size_t i = 0; i < g->config->guard.list_count; i++)
		if (config_service_uses_list(service, i))
			classes[g->lists[i]] = list_class(g, &settings, &g->config->guard.lists[i]);
	for (uint32_t list = 0; list < g->list_end; list++)
		classes[list].list = list;
	return classes;
}

static struct guard_limit looser_limit(struct guard_limit a, struct guard_limit b)
{
	if (!a.interval || !b.interval)
		return (struct guard_limit){0};
	return (struct guard_limit){
		.interval = a.interval < b.interval ? a.interval : b.interval,
		.window = a.window > b.window ? a.window : b.window,
	};
}

/* The class that drops a packet only if both classes drop it. */
static struct guard_class looser_class(const struct guard_class *a, const struct guard_class *b)
{
	const struct guard_class *deny = a->action == GUARD_DENY ? a : b;
	struct guard_class class = *a;

	if (a->action == GUARD_TRUST || b->action == GUARD_TRUST)
		return a->action == GUARD_TRUST ? *a : *b;
	if (a->action != b->action) { /* one denies, the other limits */
		class = deny == a ? *b : *a;
		class.enforced &= deny->enforced ? ~0u : 0;
		return class;
	}
	class.enforced &= b->enforced;
	class.refused &= b->refused;
	for (int i = 0; i < GUARD_BUCKETS; i++)
		class.limits[i] = looser_limit(a->limits[i], b->limits[i]);
	return class;
}

/* The running class of a list. If the guard has no class for the list: the class of sources on no list. */
static const struct guard_class *running_class(const struct guarding *g, uint16_t guard, uint32_t list)
{
	const struct guard_class *first = &g->running->guard_classes[g->running->guards[guard].first_class];

	return g->running->guard_list_names[list].name[0] || list < GUARD_LIST_FIRST ? &first[list] : first;
}

static void loosen_classes(const struct guarding *g, uint16_t guard, struct guard_class *classes)
{
	for (uint32_t list = 0; list < g->list_end; list++) {
		classes[list] = looser_class(running_class(g, guard, list), &classes[list]);
		classes[list].list = list;
	}
}

/* --- the positions of classes */

/* The index after the last class of a guard in an image. Class N of a guard belongs to list N. */
static uint32_t block_end(const struct image *image, uint16_t guard)
{
	uint32_t first = image->guards[guard].first_class, end = first + GUARD_LIST_FIRST;

	while (end < GUARD_CLASSES && image->guard_classes[end].list == end - first)
		end++;
	return end;
}

static bool overlaps(const struct image *image, uint32_t first, uint32_t size, uint32_t *end)
{
	for (uint16_t guard = 1; guard < GUARDS; guard++) {
		if (!image->guard_names[guard].name[0] || !image->guards[guard].first_class)
			continue;
		*end = block_end(image, guard);
		if (image->guards[guard].first_class < first + size && first < *end)
			return true;
	}
	return false;
}

/* Finds classes that neither image uses; 0: there are none. */
static uint16_t find_block(const struct guarding *g)
{
	uint32_t first = 1, end;

	while (first + g->list_end <= GUARD_CLASSES) {
		if (!overlaps(g->running, first, g->list_end, &end) && !overlaps(g->image, first, g->list_end, &end))
			return first;
		first = end;
	}
	return 0;
}

/* A guard keeps its classes if there is one for each list. */
static uint16_t place(const struct guarding *g, uint16_t guard)
{
	uint32_t first = g->running->guards[guard].first_class;

	if (is_running(g, guard) && block_end(g->running, guard) - first >= g->list_end)
		return first;
	return find_block(g);
}

/* --- guards */

static uint64_t words_of(const struct address *mask, int first)
{
	uint64_t words;

	memcpy(&words, &mask->word[first], sizeof(words));
	return words;
}

static void set_masks(struct guard *guard, const struct config_guard *config)
{
	static const struct address all = {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}};
	struct address ipv4 = prefix_of(&all, PREFIX_MAPPED + config->ipv4_bits).address;
	struct address ipv6 = prefix_of(&all, config->ipv6_bits).address;

	guard->ipv4_mask = words_of(&ipv4, 2);
	guard->ipv6_mask[0] = words_of(&ipv6, 0);
	guard->ipv6_mask[1] = words_of(&ipv6, 2);
}

static bool has_backend_surge(const struct config *config, const struct config_service *service)
{
	size_t pools[METHOD_COUNT], count = config_service_pools(service, pools);

	for (size_t i = 0; i < count; i++)
		if (config->pools[pools[i]].backend_surge.rate)
			return true;
	return false;
}

static uint32_t guard_flags(const struct guarding *g, const struct config_guard_settings *settings, uint16_t id,
	const uint16_t *guard_of, const struct guard_class *classes)
{
	const struct config_guard *config = &g->config->guard;
	uint32_t flags = 0;

	if (settings->scanners.state == SWITCH_ON)
		flags |= GUARD_FLAG_SCANNERS;
	if (settings->broken.state == SWITCH_ON)
		flags |= GUARD_FLAG_BROKEN;
	if (config->emergency.count)
		flags |= GUARD_FLAG_EMERGENCY;
	if (config->priorities.count)
		flags |= GUARD_FLAG_PRIORITY;
	for (size_t i = 0; i < g->config->service_count; i++) {
		if (guard_of[i] == id && g->config->services[i].guard.surge.rate)
			flags |= GUARD_FLAG_SERVICE_SURGE;
		if (guard_of[i] == id && has_backend_surge(g->config, &g->config->services[i]))
			flags |= GUARD_FLAG_BACKEND_SURGE;
	}
	for (uint32_t list = 0; list < g->list_end; list++)
		for (int i = 0; i < GUARD_BUCKETS; i++)
			if (classes[list].limits[i].interval)
				flags |= GUARD_FLAG_LIMITS;
	return flags;
}

static uint32_t guard_enforced(const struct config_guard_settings *settings)
{
	uint32_t enforced = 0;

	if (enforces(settings->scanners.mode, settings->mode))
		enforced |= 1u << GUARD_RULE_SCANNER;
	if (enforces(settings->broken.mode, settings->mode))
		enforced |= 1u << GUARD_RULE_BROKEN | 1u << GUARD_RULE_STRANGER;
	return enforced;
}

/* The rules that both the running and the wanted guard enforce, without new searches: these do not apply to trusted
 * sources, and the maps may not contain the new lists of trusted sources yet. */
static uint32_t looser_rules(const struct guard *running, const struct guard *wanted)
{
	uint32_t both = running->enforced & wanted->enforced, added = wanted->flags & ~running->flags;

	if (added & GUARD_FLAG_SCANNERS)
		both &= ~(1u << GUARD_RULE_SCANNER);
	if (added & GUARD_FLAG_BROKEN)
		both &= ~(1u << GUARD_RULE_BROKEN | 1u << GUARD_RULE_STRANGER);
	return both;
}

/* Sources are at most as large as in the running guard: the lists that are still in the maps may have an entry for each
 * of the smaller sources. An entry for a larger source also contains the smaller ones. */
static void keep_smaller_sources(struct guard *guard, const struct guard *running)
{
	guard->ipv4_mask |= running->ipv4_mask;
	guard->ipv6_mask[0] |= running->ipv6_mask[0];
	guard->ipv6_mask[1] |= running->ipv6_mask[1];
}

/* Fills the guard of a service, or of the file (NULL). If the maps have no room for its classes, the guard stays
 * empty. */
static void put_guard(
	const struct guarding *g, uint16_t id, const struct config_service *service, const uint16_t *guard_of)
{
	struct config_guard_settings settings = config_guard_settings(g->config, service);
	struct guard_class *classes = wanted_classes(g, service);
	const struct guard *running = &g->running->guards[id];
	struct guard *guard = &g->image->guards[id];
	uint16_t first_class = place(g, id);

	if (!first_class) {
		free(classes);
		return;
	}
	if (g->farm->lists_pending && is_running(g, id))
		loosen_classes(g, id, classes);
	*guard = (struct guard){
		.hash_key = {g->config->hash_key[0] ^ 0x6775617264ULL, g->config->hash_key[1]},
		.flags = guard_flags(g, &settings, id, guard_of, classes),
		.enforced = guard_enforced(&settings),
		.generation = running->generation + !is_running(g, id),
		.first_class = first_class,
		.retry_after = settings.retry_after,
		.emergency_starts = desired_emergency_starts(g->config),
	};
	set_masks(guard, &g->config->guard);
	if (g->farm->lists_pending && is_running(g, id)) {
		guard->enforced = looser_rules(running, guard);
		keep_smaller_sources(guard, running);
	}
	memcpy(&g->image->guard_classes[guard->first_class], classes, g->list_end * sizeof(*classes));
	free(classes);
}

/* --- surges */

static struct surge surge_of(const struct config_rate *rate, enum guard_mode mode)
{
	const uint64_t second = 1000000000;

	if (!rate->rate)
		return (struct surge){0};
	return (struct surge){
		.interval = second / rate->rate,
		.window = (rate->burst - 1) * second / rate->rate,
		.flags = (enforces(rate->mode, mode) ? SURGE_ENFORCED : 0) | (rate->refuse ? SURGE_REFUSED : 0),
	};
}

/* A backend has one limit for the calls of all services. If one of these services only observes, the limit does, too:
 * no call of this service may be refused. */
static enum guard_mode backend_mode(const struct guarding *g, size_t pool)
{
	for (size_t i = 0; i < g->config->service_count; i++) {
		const struct config_service *service = &g->config->services[i];

		if (config_service_is_guarded(g->config, service) && config_service_uses_pool(service, pool) &&
			config_guard_settings(g->config, service).mode != GUARD_ENFORCE)
			return GUARD_OBSERVE;
	}
	return GUARD_ENFORCE;
}

static void put_surges(const struct guarding *g)
{
	for (size_t i = 0; i < g->config->service_count; i++) {
		const struct config_service *service = &g->config->services[i];
		enum guard_mode mode = config_guard_settings(g->config, service).mode;

		if (config_service_is_guarded(g->config, service))
			g->image->service_surges[g->farm->service_ids[i]] = surge_of(&service->guard.surge, mode);
	}
	for (size_t i = 0; i < g->config->pool_count; i++) {
		const struct farm_pool *pool = &g->farm->pools[i];
		const struct surge surge = surge_of(&pool->config->backend_surge, backend_mode(g, i));

		for (size_t j = 0; j < pool->count; j++)
			g->image->backend_surges[pool->backends[j].id] = surge;
	}
}

static bool is_used(const struct guarding *g, const uint16_t *guard_of, uint16_t guard)
{
	for (size_t i = 0; i < g->config->service_count; i++)
		if (guard_of[i] == guard)
			return true;
	return false;
}

/* The guard that a service has in the running image; 0: none. */
static uint16_t running_guard(const struct guarding *g, const struct config_service *service)
{
	struct service_key key = {.vip = service->vips[0], .port = htons(service->port), .protocol = service->protocol};
	const struct service *running = hash_map_find(g->running->maps[IMAGE_SERVICES], &key);

	return running ? running->guard : 0;
}

/* Can the service have its guard now? A guard needs classes. While the lists are pending, a service has only the guard
 * that it had before. */
static bool is_ready(const struct guarding *g, const struct config_service *service, uint16_t guard)
{
	return g->image->guards[guard].first_class && (!g->farm->lists_pending || guard == running_guard(g, service));
}

uint16_t *desire_guards(const struct farm *farm, const struct image *running, struct image *image)
{
	struct guarding g = {.farm = farm, .config = farm->config, .running = running, .image = image};
	uint16_t *guard_of;

	/* A new guard continues the generation of an earlier guard with the same id, so that sources do not keep the
	 * lists of the earlier guard. */
	for (uint16_t id = 1; id < GUARDS; id++)
		image->guards[id].generation = running->guards[id].generation;
	take_lists(&g);
	guard_of = take_guards(&g);
	if (!g.config->guard.is_set)
		return guard_of;
	if (is_used(&g, guard_of, SHARED_GUARD))
		put_guard(&g, SHARED_GUARD, NULL, guard_of);
	for (size_t i = 0; i < g.config->service_count; i++)
		if (config_service_has_own_guard(g.config, &g.config->services[i]))
			put_guard(&g, guard_of[i], &g.config->services[i], guard_of);
	desire_guard_texts(g.config, image);
	put_surges(&g);
	for (size_t i = 0; i < g.config->service_count; i++)
		if (!is_ready(&g, &g.config->services[i], guard_of[i]))
			guard_of[i] = 0;
	return guard_of;
}

bool desire_guards_fit(const struct farm *farm, const struct image *running)
{
	struct image *image = image_new(&running->contract);
	struct farm next = *farm;
	bool fit = true;

	next.lists_pending = true; /* the lists of both configurations need classes */
	free(desire_guards(&next, running, image));
	for (uint16_t id = 1; id < GUARDS; id++)
		if (image->guard_names[id].name[0] && !image->guards[id].first_class)
			fit = false;
	image_free(image);
	return fit;
}
