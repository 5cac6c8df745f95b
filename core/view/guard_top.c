// SPDX-License-Identifier: GPL-2.0
/* See guard_top.h. */
#include <stdlib.h>
#include "bpf/guard_source.h"
#include "core/base/memory.h"
#include "core/net/address.h"
#include "guard_stats.h"
#include "guard_top.h"

#define ROWS 100

void guard_top_count(struct guard_top_count *count, const struct guard_source *sources, size_t length, uint64_t now)
{
	uint32_t ticks = guard_ticks(now), epoch = now >> GUARD_EPOCH_SHIFT;

	count->read += length;
	for (size_t i = 0; i < length; i++)
		count->limited += sources[i].refused && epoch - sources[i].epoch <= 1 && /* ticks wrap */
				  ticks - sources[i].refused < GUARD_TOP_SECONDS * GUARD_TICKS_A_SECOND;
}

json_t *guard_top_new(const struct guard_top_count *count)
{
	uint64_t limited = count->read ? count->limited * count->elements / count->read : 0;

	return json_pack("{s:I, s:[]}", "limited", (json_int_t)limited, "sources");
}

static json_t *source_json(const struct image *image, uint32_t guard, uint32_t rule,
	const struct guard_activity *activity, const struct guard_activity_source *source)
{
	char text[ADDRESS_TEXT_SIZE];

	return json_pack("{s:s, s:s, s:s, s:s, s:f, s:f}", "source", address_format(&source->address, text), "guard",
		guard_stats_name(image, guard), "rule", guard_rule_name(rule), "mode",
		activity->dropped_rate > activity->observed_rate ? "enforce" : "observe", "packets", source->rate,
		"share", 100 * guard_activity_share(activity, source));
}

void guard_top_add(json_t *top, const struct image *image, uint32_t guard, const struct guard_activity *rules)
{
	json_t *list = json_object_get(top, "sources");

	for (uint32_t rule = 0; rule < GUARD_RULES; rule++)
		for (size_t i = 0; i < GUARD_ACTIVITY_SOURCES && rules[rule].sources[i].rate > 0; i++)
			json_array_append_new(
				list, source_json(image, guard, rule, &rules[rule], &rules[rule].sources[i]));
}

static int compare(const void *left, const void *right)
{
	double a = json_real_value(json_object_get(*(json_t *const *)left, "packets"));
	double b = json_real_value(json_object_get(*(json_t *const *)right, "packets"));

	return (a < b) - (a > b);
}

json_t *guard_top_sort(json_t *top)
{
	const json_t *list = json_object_get(top, "sources");
	size_t count = json_array_size(list);
	json_t **order = allocate(count, sizeof(json_t *)), *sorted = json_array();

	for (size_t i = 0; i < count; i++)
		order[i] = json_array_get(list, i);
	qsort(order, count, sizeof(json_t *), compare);
	for (size_t i = 0; i < count && i < ROWS; i++)
		json_array_append(sorted, order[i]);
	free(order);
	json_object_set_new(top, "sources", sorted);
	return top;
}
