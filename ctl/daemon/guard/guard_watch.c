// SPDX-License-Identifier: GPL-2.0
/* See guard_watch.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/memory.h"
#include "core/guard/activity.h"
#include "core/net/address.h"
#include "core/view/guard_stats.h"
#include "core/view/guard_top.h"
#include "ctl/daemon/log.h"
#include "ctl/maps/clock.h"
#include "guard_watch.h"

#define SCANNED_SLICES 256 /* maximum number of slices that `guard top` reads; each has GUARD_BATCH elements */
#define TEXT_SIZE (GUARD_ACTIVITY_TEXT_SIZE + 256)

/* The rules of one guard. */
struct watched {
	struct guard_activity rules[GUARD_RULES];
	uint64_t *packets; /* GUARD_RULES * CPUs, at the last sample */
};

struct guard_watch {
	uint32_t maps; /* id of the maps that were sampled last; 0: none */
	struct guard_counters *counters;
	struct watched *guards[GUARDS]; /* NULL: no such guard */
};

struct guard_watch *guard_watch_new(void)
{
	return allocate(1, sizeof(struct guard_watch));
}

static void forget(struct guard_watch *watch, uint32_t guard)
{
	if (watch->guards[guard])
		free(watch->guards[guard]->packets);
	free(watch->guards[guard]);
	watch->guards[guard] = NULL;
}

static void forget_all(struct guard_watch *watch)
{
	for (uint32_t guard = 0; guard < GUARDS; guard++)
		forget(watch, guard);
	free(watch->counters);
	watch->counters = NULL;
	watch->maps = 0;
}

void guard_watch_free(struct guard_watch *watch)
{
	if (watch)
		forget_all(watch);
	free(watch);
}

/* --- sampling */

/* No warning for packets that the operator wants to be dropped: packets from sources on a list with `deny`, from
 * blocked sources, and of scanners. */
static int priority(const struct guard_activity *activity, uint32_t rule)
{
	bool is_limit = rule < GUARD_BUCKETS || rule == GUARD_RULE_SERVICE_SURGE || rule == GUARD_RULE_BACKEND_SURGE;

	return is_limit && activity->dropped_rate > activity->observed_rate ? LOG_WARNING : LOG_INFO;
}

static void report(const char *name, struct guard_activity *activity, uint32_t rule, uint64_t now)
{
	char text[GUARD_ACTIVITY_TEXT_SIZE], source[ADDRESS_TEXT_SIZE];

	if (!guard_activity_report(activity, rule, now, text))
		return;
	log_event(priority(activity, rule),
		LOG_FIELDS({"event", "guard"}, {"guard", name}, {"rule", guard_rule_name(rule)},
			{"source", address_format(&activity->total.source, source)}),
		"guard %s: %s", name, text);
}

static void sample(struct guard_watch *watch, const struct daemon *daemon, uint32_t guard)
{
	size_t cpus = maps_cpus(daemon->maps);
	struct watched *watched = watch->guards[guard];
	uint64_t now = clock_msec();

	if (!watched) {
		watched = watch->guards[guard] = allocate(1, sizeof(*watched));
		watched->packets = allocate(GUARD_RULES * cpus, sizeof(*watched->packets));
	}
	if (maps_guard_counters(daemon->maps, guard, watch->counters))
		return;
	for (uint32_t rule = 0; rule < GUARD_RULES; rule++) {
		struct guard_activity *activity = &watched->rules[rule];

		guard_activity_update(
			activity, watch->counters + rule * cpus, watched->packets + rule * cpus, cpus, now);
		report(guard_stats_name(daemon->running, guard), activity, rule, now);
	}
}

void guard_watch_sample(struct guard_watch *watch, struct daemon *daemon)
{
	if (daemon->using_next_maps)
		return;
	if (watch->maps != maps_id(daemon->maps)) {
		forget_all(watch);
		watch->maps = maps_id(daemon->maps);
		watch->counters = allocate(GUARD_RULES * maps_cpus(daemon->maps), sizeof(*watch->counters));
	}
	for (uint32_t guard = 1; guard < GUARDS; guard++) {
		if (daemon->running->guard_names[guard].name[0])
			sample(watch, daemon, guard);
		else
			forget(watch, guard);
		worker_yield(daemon->worker);
	}
}

/* --- status */

void guard_watch_warnings(
	const struct guard_watch *watch, const struct daemon *daemon, guard_watch_warn *warn, void *data)
{
	char description[GUARD_ACTIVITY_TEXT_SIZE], text[TEXT_SIZE];
	uint64_t now = clock_msec();

	for (uint32_t guard = 1; guard < GUARDS; guard++)
		for (uint32_t rule = 0; watch->guards[guard] && rule < GUARD_RULES; rule++) {
			const struct guard_activity *activity = &watch->guards[guard]->rules[rule];

			if (!guard_activity_is_long(activity))
				continue;
			snprintf(text, sizeof(text), "guard %s: %s (see 'sipxdp-ctl guard top')",
				guard_stats_name(daemon->running, guard),
				guard_activity_describe(activity, rule, now, description));
			warn(data, text);
		}
}

/* --- top */

/* Counts the sources that were over a limit in the last seconds. If the map has more elements than this function reads,
 * it reads slices at equal distances, and the result is an estimate. */
static int count_sources(const struct daemon *daemon, uint32_t elements, struct guard_top_count *out)
{
	struct guard_source *slice = allocate(GUARD_BATCH, sizeof(*slice));
	uint32_t slices = elements / GUARD_BATCH, stride = (slices + SCANNED_SLICES - 1) / SCANNED_SLICES;
	int error = 0;

	*out = (struct guard_top_count){.elements = elements};
	for (uint32_t i = 0; i < slices && !error; i += stride) {
		error = maps_guard_sources(daemon->maps, i * GUARD_BATCH, GUARD_BATCH, slice);
		if (!error)
			guard_top_count(out, slice, GUARD_BATCH, clock_usec() * 1000);
	}
	free(slice);
	return error;
}

json_t *guard_watch_top(const struct guard_watch *watch, struct daemon *daemon)
{
	struct guard_top_count count;
	json_t *top;
	int error;

	worker_unlock(daemon->worker);
	error = count_sources(daemon, daemon->running->contract.guarded_sources, &count);
	worker_lock(daemon->worker);
	if (error)
		return protocol_error(NULL, "cannot read the map of guarded sources: %s", strerror(-error));
	top = guard_top_new(&count);
	for (uint32_t guard = 1; guard < GUARDS; guard++)
		if (watch->guards[guard])
			guard_top_add(top, daemon->running, guard, watch->guards[guard]->rules);
	return protocol_ok(guard_top_sort(top));
}
