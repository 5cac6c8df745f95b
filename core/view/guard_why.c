// SPDX-License-Identifier: GPL-2.0
/* See guard_why.h. Reads the element of the source with the functions of the packet path (bpf/guard_source.h). */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "bpf/guard_source.h"
#include "core/base/duration.h"
#include "core/control/protocol.h"
#include "core/guard/rules.h"
#include "guard_stats.h"
#include "guard_why.h"
#include "steps.h"

#define TICK_NSEC (1u << GUARD_TICK_SHIFT)
#define NSEC 1e9

static const struct guard *guard_of(const struct guard_why *why)
{
	return &why->image->guards[why->guard];
}

/* --- the source */

static uint64_t hash_of(const struct guard *guard, uint32_t id, const struct address *address)
{
	struct address source __attribute__((aligned(8))) = *address; /* read as two words of 64 bits */

	guard_mask(&source, guard);
	return guard_hash(guard, id, &source);
}

uint32_t guard_why_index(const struct image *image, uint32_t guard, const struct address *address)
{
	return guard_index(hash_of(&image->guards[guard], guard, address), image->contract.guarded_sources);
}

/* The addresses that count as the same source. */
static const char *source_text(const struct guard_why *why, char text[PREFIX_TEXT_SIZE])
{
	const struct guard *guard = guard_of(why);
	uint32_t bits = address_is_ipv4(&why->address)
				? 64 + __builtin_popcountll(guard->ipv4_mask)
				: __builtin_popcountll(guard->ipv6_mask[0]) + __builtin_popcountll(guard->ipv6_mask[1]);
	const struct prefix_key prefix = prefix_of(&why->address, bits);

	return prefix_format(&prefix, text);
}

static bool has_element(const struct guard_why *why)
{
	return guard_owner_is(why->element.owner, hash_of(guard_of(why), why->guard, &why->address));
}

/* The list that applies to the next packet of the source. */
static uint32_t list_of(const struct guard_why *why)
{
	if (why->block)
		return why->block->value.list;
	if (why->knows_lists)
		return why->list;
	return has_element(why) ? guard_owner_list(why->element.owner) : GUARD_LIST_NONE;
}

static const char *list_name(const struct guard_why *why, uint32_t list)
{
	switch (list) {
	case GUARD_LIST_NONE:
		return "";
	case GUARD_LIST_BLOCKED:
		return "blocked";
	case GUARD_LIST_TRUSTED:
		return "trusted";
	}
	return why->image->guard_list_names[list % GUARD_LISTS].name;
}

static const struct guard_class *class_of(const struct guard_why *why)
{
	return &why->image->guard_classes[(guard_of(why)->first_class + list_of(why)) % GUARD_CLASSES];
}

/* --- limits */

/* The configured rate that gives this interval (guard_limit_of()). If there are several, returns the roundest one. */
static uint32_t rate_of(uint32_t interval)
{
	double most = NSEC / TICK_NSEC / interval, least = NSEC / TICK_NSEC / (interval + 1.0);

	for (uint32_t step = 1000000; step > 1; step /= 10) {
		uint32_t rate = (uint32_t)(most / step) * step;

		if (rate > least)
			return rate;
	}
	return (uint32_t)(most + 0.5);
}

static uint32_t burst_of(struct guard_limit limit)
{
	return (uint32_t)(limit.window * (double)TICK_NSEC * rate_of(limit.interval) / NSEC + 1.5);
}

static json_t *limit_json(const struct guard_why *why, uint32_t bucket)
{
	const struct guard_class *class = class_of(why);
	const struct guard_limit limit = class->limits[bucket];
	uint32_t ahead = has_element(why) ? guard_ahead(why->element.full[bucket], limit, guard_ticks(why->now)) : 0;
	uint32_t used = (ahead + limit.interval - 1) / limit.interval, burst = burst_of(limit);
	double wait = ahead > limit.window ? (ahead - limit.window) * (double)TICK_NSEC / NSEC : 0;

	return json_pack("{s:s, s:I, s:I, s:I, s:b, s:f, s:s, s:s}", "limit", guard_rule_name(bucket), "rate",
		(json_int_t)rate_of(limit.interval), "burst", (json_int_t)burst, "used",
		(json_int_t)(used < burst ? used : burst), "over", wait > 0, "wait", wait, "mode",
		class->enforced >> bucket & 1 ? "enforce" : "observe", "action",
		class->refused >> bucket & 1 ? "refuse" : "drop");
}

static json_t *limits_json(const struct guard_why *why)
{
	json_t *limits = json_array();

	if (class_of(why)->action != GUARD_LIMIT)
		return limits;
	for (uint32_t bucket = 0; bucket < GUARD_BUCKETS; bucket++)
		if (class_of(why)->limits[bucket].interval)
			json_array_append_new(limits, limit_json(why, bucket));
	return limits;
}

/* --- steps */

static void add_guard(const struct guard_why *why, const json_t *services, json_t *steps)
{
	char names[STEP_TEXT_SIZE / 2] = "";
	const json_t *name;
	size_t i;

	json_array_foreach(services, i, name)
	{
		size_t length = strlen(names);

		snprintf(names + length, sizeof(names) - length, "%s%s", i ? ", " : "", json_string_value(name));
	}
	steps_add(steps, "guard", "%s, of the services %s", guard_stats_name(why->image, why->guard), names);
}

static const char *action_text(const struct guard_why *why)
{
	const struct guard_class *class = class_of(why);
	uint32_t rule = list_of(why) == GUARD_LIST_BLOCKED ? GUARD_RULE_BLOCKED : GUARD_RULE_DENIED;

	switch (class->action) {
	case GUARD_TRUST:
		return "trusted: the limits for each source do not apply, and the guard does not search for scanners";
	case GUARD_DENY:
		return class->enforced >> rule & 1 ? "denied: all packets are dropped"
						   : "denied in mode observe: the packets are counted, and forwarded";
	}
	return "limited: the limits below apply";
}

static void add_list(const struct guard_why *why, json_t *steps)
{
	uint32_t list = list_of(why);
	char prefix[PREFIX_TEXT_SIZE];

	if (list == GUARD_LIST_NONE && !why->knows_lists && !has_element(why))
		steps_add(steps, "list", "unknown: the daemon has not read the lists yet, or their files have a fault");
	else if (list == GUARD_LIST_NONE)
		steps_add(steps, "list", "none");
	else if (!why->block && why->knows_lists)
		steps_add(steps, "list", "%s, entry %s", list_name(why, list), prefix_format(&why->prefix, prefix));
	else if (!why->block)
		steps_add(steps, "list", "%s", list_name(why, list));
}

static void add_block(const struct guard_why *why, json_t *steps)
{
	const struct guard_block *block = why->block ? &why->block->value : NULL;
	char prefix[PREFIX_TEXT_SIZE], rest[64] = "until it is removed";

	if (!block)
		return;
	if (why->block_rest)
		snprintf(rest, sizeof(rest), "for another %llu s", (unsigned long long)why->block_rest / SECOND);
	steps_add(steps, "block", "%s is %s by the %s %.*s %s%s%.*s", prefix_format(&why->block->prefix, prefix),
		list_name(why, block->list), block->by_server ? "server" : "operator", NAME_SIZE, block->who, rest,
		block->reason[0] ? ": " : "", GUARD_REASON_SIZE, block->reason);
}

static json_t *last_json(const struct guard_why *why)
{
	uint32_t ticks = guard_ticks(why->now) - why->element.refused;

	if (!has_element(why) || !why->element.refused)
		return json_null();
	return json_real(ticks * (double)TICK_NSEC / NSEC);
}

static void add_state(const struct guard_why *why, const json_t *limits, const json_t *last, json_t *steps)
{
	const json_t *limit;
	bool over = false;
	size_t i;

	if (!has_element(why)) {
		steps_add(steps, "state", "no entry: the guard has received no packet of this source recently");
		return;
	}
	json_array_foreach(limits, i, limit)
	{
		if (!json_is_true(json_object_get(limit, "over")))
			continue;
		over = true;
		steps_add(steps, "over", "the limit %s: the next packet conforms in %.1f s",
			json_string_value(json_object_get(limit, "limit")),
			json_real_value(json_object_get(limit, "wait")));
	}
	if (over)
		return;
	if (json_is_null(last))
		steps_add(steps, "state", "over no limit now");
	else
		steps_add(steps, "state", "over no limit now; it was %.1f s ago", json_real_value(last));
}

json_t *guard_why_json(const struct guard_why *given)
{
	static const char *const actions[] = {[GUARD_LIMIT] = "limit", [GUARD_TRUST] = "trust", [GUARD_DENY] = "deny"};
	struct guard_why why = *given;
	char source[PREFIX_TEXT_SIZE];
	json_t *services = guard_stats_services(given->image, given->guard), *limits, *last;
	json_t *steps = json_array();
	uint32_t list;

	guard_refresh(&why.element, why.now);
	list = list_of(&why);
	limits = limits_json(&why);
	last = last_json(&why);
	add_guard(&why, services, steps);
	steps_add(steps, "source", "%s", source_text(&why, source));
	add_block(&why, steps);
	add_list(&why, steps);
	steps_add(steps, "action", "%s", action_text(&why));
	add_state(&why, limits, last, steps);
	return json_pack("{s:s, s:o, s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "guard",
		guard_stats_name(why.image, why.guard), "services", services, "source", source, "list",
		list_name(&why, list), "action", actions[class_of(&why)->action % 3], "entry", has_element(&why),
		"over_ago", last, "limits", limits, "steps", steps);
}
