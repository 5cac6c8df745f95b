// SPDX-License-Identifier: GPL-2.0
/* See activity.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/net/address.h"
#include "activity.h"

#define SECOND 1000          /* ms */
#define FORGOTTEN_RATE 0.001 /* packets per second: a source with a lower rate is removed from the list */
#define SHARE_NAMED 0.1      /* the description names the heaviest source if its share is at least as high */

static uint64_t packets_of(const struct guard_counters *counters)
{
	return counters->dropped + counters->observed;
}

struct guard_counters guard_counters_sum(const struct guard_counters *counters, size_t cpus)
{
	struct guard_counters sum = {0};

	for (size_t i = 0; i < cpus; i++) {
		sum.dropped += counters[i].dropped;
		sum.refused += counters[i].refused;
		sum.observed += counters[i].observed;
		sum.bytes += counters[i].bytes;
		if (counters[i].seen <= sum.seen)
			continue;
		sum.seen = counters[i].seen;
		sum.source = counters[i].source;
	}
	return sum;
}

/* --- sources */

static bool is_used(const struct guard_activity_source *source)
{
	return source->address.word[0] | source->address.word[1] | source->address.word[2] | source->address.word[3];
}

/* Returns the element of this source; if there is none, a free element or the one with the lowest rate. */
static struct guard_activity_source *find_source(struct guard_activity *activity, const struct address *address)
{
	struct guard_activity_source *list = activity->sources, *least = list;

	for (size_t i = 0; i < GUARD_ACTIVITY_SOURCES; i++) {
		if (!is_used(&list[i]) || address_equal(&list[i].address, address))
			return &list[i];
		if (list[i].rate < least->rate)
			least = &list[i];
	}
	return least;
}

static void add_source(struct guard_activity *activity, const struct address *address, double rate)
{
	struct guard_activity_source *source = find_source(activity, address);

	if (address_equal(&source->address, address))
		source->rate += rate;
	else if (!is_used(source) || source->rate < rate)
		*source = (struct guard_activity_source){*address, rate};
}

static int compare_rates(const void *left, const void *right)
{
	const struct guard_activity_source *a = left, *b = right;

	return (a->rate < b->rate) - (a->rate > b->rate);
}

/* Multiplies all rates by `factor`, and removes those that are then too low. */
static void lower_sources(struct guard_activity *activity, double factor)
{
	struct guard_activity_source *list = activity->sources;
	size_t count = 0;

	for (size_t i = 0; i < GUARD_ACTIVITY_SOURCES; i++) {
		struct guard_activity_source source = list[i];

		source.rate *= factor;
		list[i] = (struct guard_activity_source){0};
		if (source.rate > FORGOTTEN_RATE)
			list[count++] = source;
	}
}

double guard_activity_share(const struct guard_activity *activity, const struct guard_activity_source *source)
{
	double all = activity->dropped_rate + activity->observed_rate;

	if (all <= source->rate)
		return is_used(source) ? 1 : 0;
	return source->rate / all;
}

/* --- samples */

static double increase(uint64_t before, uint64_t now)
{
	return now > before ? (double)(now - before) : 0;
}

/* Updates an average with the packets of the last `seconds`. */
static double average(double rate, double packets, double seconds, double weight)
{
	return rate + (packets / seconds - rate) * weight;
}

static void update_rates(struct guard_activity *activity, const struct guard_counters *total,
	const struct guard_counters *counters, uint64_t *before, size_t cpus, double seconds)
{
	double weight;

	activity->averaged = activity->since ? activity->averaged + seconds : seconds;
	if (activity->averaged > GUARD_ACTIVITY_MEAN)
		activity->averaged = GUARD_ACTIVITY_MEAN;
	weight = seconds < activity->averaged ? seconds / activity->averaged : 1;
	activity->dropped_rate =
		average(activity->dropped_rate, increase(activity->total.dropped, total->dropped), seconds, weight);
	activity->observed_rate =
		average(activity->observed_rate, increase(activity->total.observed, total->observed), seconds, weight);
	lower_sources(activity, 1 - weight);
	for (size_t i = 0; i < cpus; i++) {
		double packets = increase(before[i], packets_of(&counters[i]));

		if (packets > 0)
			add_source(activity, &counters[i].source, packets / seconds * weight);
	}
	qsort(activity->sources, GUARD_ACTIVITY_SOURCES, sizeof(activity->sources[0]), compare_rates);
}

void guard_activity_update(struct guard_activity *activity, const struct guard_counters *counters, uint64_t *before,
	size_t cpus, uint64_t now)
{
	struct guard_counters total = guard_counters_sum(counters, cpus);

	if (packets_of(&total) < packets_of(&activity->total)) { /* the id belongs to a new guard */
		*activity = (struct guard_activity){0};
		memset(before, 0, cpus * sizeof(*before));
	} else if (activity->sampled && now > activity->sampled) {
		update_rates(activity, &total, counters, before, cpus, (double)(now - activity->sampled) / SECOND);
		if (packets_of(&total) > packets_of(&activity->total)) {
			activity->since = activity->since ? activity->since : now;
			activity->last = now;
		} else if (activity->since && now - activity->last > GUARD_ACTIVITY_GAP) {
			activity->since = 0;
		}
	} else {
		activity->reported = total; /* packets from before the start of the daemon are not reported */
	}
	for (size_t i = 0; i < cpus; i++)
		before[i] = packets_of(&counters[i]);
	activity->total = total;
	activity->sampled = now;
}

bool guard_activity_is_long(const struct guard_activity *activity)
{
	return activity->since && activity->sampled - activity->since > GUARD_ACTIVITY_LONG;
}

/* --- texts */

bool guard_activity_report(
	struct guard_activity *activity, uint32_t rule, uint64_t now, char out[GUARD_ACTIVITY_TEXT_SIZE])
{
	const struct guard_counters *total = &activity->total, *before = &activity->reported;
	uint64_t dropped = total->dropped - before->dropped, refused = total->refused - before->refused;
	uint64_t observed = total->observed - before->observed;
	char source[ADDRESS_TEXT_SIZE], answered[64] = "", would[64] = "", did[64] = "";

	if (!dropped && !observed)
		return false;
	if (activity->report_time && now - activity->report_time < GUARD_ACTIVITY_REPORT)
		return false;
	if (dropped)
		snprintf(did, sizeof(did), "dropped %" PRIu64 " packets", dropped);
	if (refused)
		snprintf(answered, sizeof(answered), ", %" PRIu64 " of them passed to the daemon for a 503", refused);
	if (observed)
		snprintf(would, sizeof(would), "%swould drop %" PRIu64 " packets (mode observe)",
			dropped ? " and " : "", observed);
	snprintf(out, GUARD_ACTIVITY_TEXT_SIZE, "rule %s %s%s%s; the last source is %s", guard_rule_name(rule), did,
		answered, would, address_format(&total->source, source));
	activity->reported = *total;
	activity->report_time = now;
	return true;
}

static void describe_sources(const struct guard_activity *activity, char *out, size_t size)
{
	const struct guard_activity_source *heaviest = &activity->sources[0];
	double share = guard_activity_share(activity, heaviest);
	char address[ADDRESS_TEXT_SIZE];

	if (share < SHARE_NAMED)
		snprintf(out, size, "no source sends more than %.0f %% of them", 100 * SHARE_NAMED);
	else
		snprintf(out, size, "%s sends about %.0f %% of them", address_format(&heaviest->address, address),
			100 * share);
}

const char *guard_activity_describe(
	const struct guard_activity *activity, uint32_t rule, uint64_t now, char out[GUARD_ACTIVITY_TEXT_SIZE])
{
	double dropped = activity->dropped_rate, observed = activity->observed_rate;
	uint64_t minutes = activity->since ? (now - activity->since) / (60 * SECOND) : 0;
	char sources[96];

	describe_sources(activity, sources, sizeof(sources));
	snprintf(out, GUARD_ACTIVITY_TEXT_SIZE, "rule %s %s %.1f packets per second%s, for %" PRIu64 " min: %s; %s",
		guard_rule_name(rule), dropped > observed ? "drops" : "would drop",
		dropped > observed ? dropped : observed, dropped > observed ? "" : " (mode observe)", minutes,
		guard_rule_text(rule), sources);
	return out;
}
