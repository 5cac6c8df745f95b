// SPDX-License-Identifier: GPL-2.0
/* See guard_stats.h. */
#include <stdlib.h>
#include <string.h>
#include "core/base/memory.h"
#include "core/guard/activity.h"
#include "core/net/address.h"
#include "guard_stats.h"

#define SOURCES 3 /* maximum number in a row of the table */
#define NSEC 1e9

json_t *guard_stats_new(void)
{
	return json_pack("{s:[], s:[]}", "rules", "exempt");
}

/* --- names */

const char *guard_stats_name(const struct image *image, uint32_t guard)
{
	return guard < GUARDS && image->guard_names[guard].name[0] ? image->guard_names[guard].name : "?";
}

static int compare_texts(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

json_t *guard_stats_services(const struct image *image, uint32_t guard)
{
	const char **names = allocate(image->contract.services, sizeof(*names));
	json_t *list = json_array();
	struct hash_map_entry entry;
	size_t cursor = 0, count = 0;

	/* A service has an entry for each VIP. */
	while (hash_map_next(image->maps[IMAGE_SERVICES], &cursor, &entry)) {
		const struct service *service = entry.value;

		if (service->guard == guard && service->id < image->contract.services)
			names[service->id] = image->service_names[service->id].name;
	}
	for (size_t id = 0; id < image->contract.services; id++)
		if (names[id])
			names[count++] = names[id];
	qsort(names, count, sizeof(*names), compare_texts);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(names[i]));
	free(names);
	return list;
}

/* --- rows */

/* The sources of the last packets of the CPUs, without duplicates; the newest first. The elements are not needed any
 * more after this. */
static json_t *take_sources(struct guard_counters *counters, size_t cpus)
{
	char text[ADDRESS_TEXT_SIZE];
	json_t *list = json_array();

	while (json_array_size(list) < SOURCES) {
		struct guard_counters newest = guard_counters_sum(counters, cpus);

		if (!newest.seen)
			break;
		json_array_append_new(list, json_string(address_format(&newest.source, text)));
		for (size_t i = 0; i < cpus; i++)
			if (address_equal(&counters[i].source, &newest.source))
				counters[i].seen = 0;
	}
	return list;
}

static void add_rule(json_t *rules, const struct image *image, uint32_t guard, uint32_t rule,
	const struct guard_counters *counters, size_t cpus, double boot)
{
	const struct guard_counters sum = guard_counters_sum(counters, cpus);
	struct guard_counters *copy;

	if (!sum.dropped && !sum.observed)
		return;
	copy = allocate(cpus, sizeof(*copy));
	memcpy(copy, counters, cpus * sizeof(*copy));
	json_array_append_new(rules,
		json_pack("{s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:f, s:o, s:s}", "guard", guard_stats_name(image, guard),
			"services", guard_stats_services(image, guard), "rule", guard_rule_name(rule), "dropped",
			(json_int_t)sum.dropped, "refused", (json_int_t)sum.refused, "observed",
			(json_int_t)sum.observed, "bytes", (json_int_t)sum.bytes, "last", boot + sum.seen / NSEC,
			"sources", take_sources(copy, cpus), "text", guard_rule_text(rule)));
	free(copy);
}

void guard_stats_add(json_t *stats, const struct image *image, uint32_t guard, const struct guard_counters *counters,
	size_t cpus, const struct guard_exempt *exempt, double boot)
{
	for (uint32_t rule = 0; rule < GUARD_RULES; rule++)
		add_rule(json_object_get(stats, "rules"), image, guard, rule, counters + rule * cpus, cpus, boot);
	json_array_append_new(json_object_get(stats, "exempt"),
		json_pack("{s:s, s:o, s:I, s:I, s:I}", "guard", guard_stats_name(image, guard), "services",
			guard_stats_services(image, guard), "trusted", (json_int_t)exempt->trusted, "dialog",
			(json_int_t)exempt->dialog, "emergency", (json_int_t)exempt->emergency));
}
