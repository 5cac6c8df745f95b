// SPDX-License-Identifier: GPL-2.0
/* Services, hints and ranges of a plan: see plan.h. Decides which changes of a service would move live calls. */

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "core/config/config.h"
#include "core/base/memory.h"
#include "plan_private.h"

/* Only service entries have a description: hints and ranges follow from services and backends, which other steps
 * describe. */
static void describe_service(
	struct draft *draft, struct plan_step *step, const struct hash_map_entry *entry, const char *what)
{
	const struct image *image = step->kind == PLAN_ENTRY ? draft->desired : draft->running;
	const struct service_key *key = entry->key;
	const struct service *service = entry->value;
	char vip[ADDRESS_TEXT_SIZE];

	plan_describe(step, "service %s: %s %s %s port %u", image->service_names[service->id].name, what,
		address_format(&key->vip, vip), config_protocol_name(key->protocol), ntohs(key->port));
}

/* --- Changes of a service */

static const char *pool_of(const struct image *image, const struct service *service, enum method method)
{
	return image->pool_names[service->pool[method]].name;
}

/* REGISTER and PUBLISH do not belong to a call: they may go to a different server. */
static bool is_of_calls(enum method method)
{
	return method != METHOD_REGISTER && method != METHOD_PUBLISH;
}

/* Describes the changes of the pools in `out`. Returns true if live calls would move. */
static bool compare_pools(
	const struct draft *draft, const struct service *before, const struct service *after, FILE *out)
{
	const char *own = pool_of(draft->desired, after, METHOD_NONE), *last = own;
	const char *own_before = pool_of(draft->running, before, METHOD_NONE), *last_before = own_before;
	bool moves = false;

	if (strcmp(own, own_before))
		fprintf(out, "; pool %s, was %s", own, own_before);
	for (enum method method = 0; method < METHOD_COUNT; method++) {
		const char *pool = pool_of(draft->desired, after, method);
		const char *was = pool_of(draft->running, before, method);

		if (!strcmp(pool, was))
			continue;
		moves |= is_of_calls(method);
		if (!strcmp(pool, own) && !strcmp(was, own_before))
			continue;
		if (strcmp(pool, last) || strcmp(was, last_before))
			fprintf(out, "; pool %s, was %s, for %s", pool, was, config_method_name(method));
		else
			fprintf(out, ", %s", config_method_name(method));
		last = pool;
		last_before = was;
	}
	return moves;
}

/* Marks a service in `*marks`. Returns true if it has the mark already. */
static bool is_marked(const struct draft *draft, bool **marks, uint32_t service)
{
	bool marked;

	if (!*marks)
		*marks = allocate(draft->desired->contract.services, sizeof(**marks));
	marked = (*marks)[service];
	(*marks)[service] = true;
	return marked;
}

static const char *name_of(const struct image *image, const struct service *service)
{
	return image->service_names[service->id].name;
}

/* Describes the change from one service to the other: "; affinity source, was call-id". Returns true if live calls
 * would move. */
static bool compare_services(
	const struct draft *draft, const struct service *before, const struct service *after, FILE *out)
{
	bool same_key = !memcmp(before->hash_key, after->hash_key, sizeof(after->hash_key));
	const char *was = name_of(draft->running, before);
	bool pools_move;

	if (strcmp(name_of(draft->desired, after), was))
		fprintf(out, "; takes a VIP or ports from service %s", was);
	if (!same_key)
		fputs("; hash_key has a new value", out);
	if (before->affinity != after->affinity)
		fprintf(out, "; affinity %s, was %s", config_affinity_name(after->affinity),
			config_affinity_name(before->affinity));
	pools_move = compare_pools(draft, before, after, out);
	return pools_move || !same_key || before->affinity != after->affinity;
}

static FILE *open_text(char **text, size_t *length)
{
	FILE *out = open_memstream(text, length);

	if (!out)
		abort();
	return out;
}

static void describe_change(
	struct draft *draft, struct plan_step *step, const struct service *before, const struct service *after)
{
	const char *name = name_of(draft->desired, after);
	size_t length;
	char *text;
	FILE *out = open_text(&text, &length);
	bool moves;

	moves = compare_services(draft, before, after, out);
	fclose(out);
	if (length && !is_marked(draft, &draft->described, after->id)) {
		plan_describe(step, "service %s: %s", name, text + strlen("; "));
		if (moves)
			messages_add(
				&draft->plan->disruptions, "%s: live calls would move to other servers", step->text);
	} else if (moves && !draft->plan->disruptions.count) {
		messages_add(&draft->plan->disruptions, "service %s: %s: live calls would move to other servers", name,
			text + strlen("; "));
	}
	free(text);
}

/* Returns true if live calls of the service would move to this owner of their port. */
static bool describe_owner(const struct draft *draft, const struct service *before, struct port_owner after, FILE *out)
{
	const struct backend_record *record = &draft->desired->records[after.backend];

	if (!after.backend)
		return compare_services(draft, before, after.service, out);
	fprintf(out, "; backend %s/%s takes ports from it", record->pool, record->name);
	return true;
}

/* Removes the last line if an earlier line is equal: many ports of a service may have the same line. */
static void drop_repeated(struct messages *disruptions)
{
	for (size_t i = 0; i + 1 < disruptions->count; i++)
		if (!strcmp(disruptions->list[i], disruptions->list[disruptions->count - 1])) {
			free(disruptions->list[--disruptions->count]);
			return;
		}
}

static void compare_owners(struct draft *draft, const struct service *before, struct port_owner after)
{
	struct messages *disruptions = &draft->plan->disruptions;
	size_t length;
	char *text;
	FILE *out = open_text(&text, &length);

	if (describe_owner(draft, before, after, out)) {
		fflush(out);
		messages_add(disruptions, "service %s: %s: live calls would move to other servers",
			after.backend ? name_of(draft->running, before) : name_of(draft->desired, after.service),
			text + strlen("; "));
		drop_repeated(disruptions);
	}
	fclose(out);
	free(text);
}

/* Reports a service that loses a VIP or a port, once for each service: there may be very many ports. A whole service is
 * removed on purpose. */
static void report_removed(struct draft *draft, const struct service_key *key, const struct service *before)
{
	const char *name = name_of(draft->running, before);
	bool is_range = !hash_map_find(draft->running->maps[IMAGE_SERVICES], key);
	char vip[ADDRESS_TEXT_SIZE], port[16];

	if (strcmp(draft->desired->service_names[before->id].name, name) ||
		is_marked(draft, &draft->reduced, before->id))
		return;
	snprintf(port, sizeof(port), "port %u", ntohs(key->port));
	messages_add(&draft->plan->disruptions,
		"service %s: %s %s %s is removed: packets to it would no longer be forwarded, and live calls would end",
		name, address_format(&key->vip, vip), config_protocol_name(key->protocol),
		is_range ? "(some ports)" : port);
}

void plan_compare_port(
	struct draft *draft, const struct service_key *key, struct port_owner before, struct port_owner after)
{
	if (before.service && (after.service || after.backend))
		compare_owners(draft, before.service, after);
	else if (before.service)
		report_removed(draft, key, before.service);
}

/* --- Entries */

static struct plan_step *add_entry(
	struct draft *draft, enum plan_kind kind, enum image_map map, const struct hash_map_entry *entry)
{
	struct plan_step *step = plan_add_step(draft, kind, map, entry->value);

	step->key = entry->key;
	return step;
}

/* Lists the entries of `from` whose keys are not in `other`. With `changed`, also lists the entries whose values differ
 * from those in `other`. The list is sorted by key; the caller frees it. */
static struct hash_map_entry *differing(
	const struct hash_map *from, const struct hash_map *other, bool changed, size_t *count)
{
	struct hash_map_entry *list = NULL, entry;
	size_t cursor = 0;

	*count = 0;
	while (hash_map_next(from, &cursor, &entry)) {
		const void *known = hash_map_find(other, entry.key);

		if (known && !(changed && !hash_map_same_value(from, known, entry.value)))
			continue;
		list = array_grow(list, *count, sizeof(*list));
		list[(*count)++] = entry;
	}
	hash_map_sort(from, list, *count);
	return list;
}

static void put_entries(struct draft *draft, enum image_map map)
{
	const struct hash_map *before = draft->running->maps[map], *after = draft->desired->maps[map];
	size_t count;
	struct hash_map_entry *list = differing(after, before, true, &count);

	for (size_t i = 0; i < count; i++) {
		struct plan_step *step = add_entry(draft, PLAN_ENTRY, map, &list[i]);
		const void *known = hash_map_find(before, list[i].key);

		if (map == IMAGE_SERVICES && known)
			describe_change(draft, step, known, list[i].value);
		else if (map == IMAGE_SERVICES)
			describe_service(draft, step, &list[i], "add");
	}
	free(list);
}

static void remove_entries(struct draft *draft, enum image_map map)
{
	const struct hash_map *before = draft->running->maps[map], *after = draft->desired->maps[map];
	size_t count;
	struct hash_map_entry *list = differing(before, after, false, &count);

	for (size_t i = 0; i < count; i++) {
		struct plan_step *step = add_entry(draft, PLAN_ENTRY_REMOVE, map, &list[i]);

		if (map == IMAGE_SERVICES)
			describe_service(draft, step, &list[i], "remove");
	}
	free(list);
}

/* A text that exempts messages must be in the maps before the new limits. A text that drops messages is added after
 * them. */
void plan_texts(struct draft *draft)
{
	put_entries(draft, IMAGE_GUARD_EMERGENCY);
	put_entries(draft, IMAGE_GUARD_PRIORITIES);
	remove_entries(draft, IMAGE_GUARD_SCANNERS);
}

/* An element of passive_rules is only read while a source refers to it (NAT_PASSIVE). */
static void plan_passive(struct draft *draft)
{
	const struct image *running = draft->running, *desired = draft->desired;

	for (uint32_t id = 1; id <= desired->contract.backends; id++)
		if (memcmp(&running->passive[id], &desired->passive[id], sizeof(*desired->passive)))
			plan_add_step(draft, PLAN_PASSIVE, id, &desired->passive[id]);
}

void plan_nat(struct draft *draft)
{
	plan_passive(draft);
	put_entries(draft, IMAGE_NAT_SOURCES);
	put_entries(draft, IMAGE_NAT_RANGES);
	if (draft->desired->nat.flags & ~draft->running->nat.flags)
		plan_add_step(draft, PLAN_NAT, 0, &draft->desired->nat);
}

void plan_nat_end(struct draft *draft)
{
	const struct nat_settings *running = &draft->running->nat, *desired = &draft->desired->nat;
	bool new_key = memcmp(running->hash_key, desired->hash_key, sizeof(desired->hash_key));

	if (running->flags & ~desired->flags || (running->flags && new_key))
		plan_add_step(draft, PLAN_NAT, 0, desired);
	remove_entries(draft, IMAGE_NAT_RANGES);
	remove_entries(draft, IMAGE_NAT_SOURCES);
}

void plan_names(struct draft *draft)
{
	const struct image *running = draft->running, *desired = draft->desired;

	put_entries(draft, IMAGE_ADDED);
	for (uint32_t id = 0; id < desired->contract.services; id++) {
		if (!desired->service_names[id].name[0] ||
			!strcmp(running->service_names[id].name, desired->service_names[id].name))
			continue;
		plan_add_step(draft, PLAN_SERVICE_NAME, id, &desired->service_names[id]);
		plan_add_step(draft, PLAN_SERVICE_ZERO, id, NULL);
	}
}

static void remove_service_names(struct draft *draft)
{
	for (uint32_t id = 0; id < draft->desired->contract.services; id++)
		if (draft->running->service_names[id].name[0] && !draft->desired->service_names[id].name[0])
			plan_add_step(draft, PLAN_SERVICE_NAME, id, &draft->desired->service_names[id]);
}

/* Does the plan change the ports of a VIP? */
static bool changes_ports(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_step *step = &plan->steps[i];

		if ((step->kind == PLAN_ENTRY || step->kind == PLAN_ENTRY_REMOVE) &&
			(step->index == IMAGE_SERVICES || step->index == IMAGE_RANGES))
			return true;
	}
	return false;
}

void plan_entries(struct draft *draft)
{
	put_entries(draft, IMAGE_GUARD_SCANNERS);
	put_entries(draft, IMAGE_HINTS);
	put_entries(draft, IMAGE_SERVICES);
	put_entries(draft, IMAGE_VIPS);
	put_entries(draft, IMAGE_RANGES);
	remove_entries(draft, IMAGE_RANGES);
	remove_entries(draft, IMAGE_VIPS);
	remove_entries(draft, IMAGE_SERVICES);
	remove_entries(draft, IMAGE_HINTS);
	remove_entries(draft, IMAGE_ADDED);
	remove_entries(draft, IMAGE_GUARD_EMERGENCY);
	remove_entries(draft, IMAGE_GUARD_PRIORITIES);
	remove_service_names(draft);
	if (changes_ports(draft->plan))
		plan_ports(draft);
	messages_cut(&draft->plan->disruptions, MESSAGES_SHOWN);
	free(draft->described);
	free(draft->reduced);
}
