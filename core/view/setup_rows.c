// SPDX-License-Identifier: GPL-2.0
/* See setup_rows.h. */
#include "setup_summary.h"
#include "setup_rows.h"

static json_t *usec_json(uint64_t usec)
{
	return usec == SETUP_UNKNOWN ? json_null() : json_integer((json_int_t)usec);
}

static void set_summary(json_t *row, const struct setup_summary *summary)
{
	json_object_set_new(row, "mean", usec_json(summary->mean));
	json_object_set_new(row, "median", usec_json(summary->median));
	json_object_set_new(row, "p95", usec_json(summary->p95));
}

json_t *setup_row(const struct setup_times *times, enum setup_event event)
{
	const struct setup_summary summary = setup_summary(times, event);
	json_t *buckets = json_array(), *row;

	for (int i = 0; i <= SETUP_LIMITS; i++)
		json_array_append_new(buckets, json_integer((json_int_t)times->of[event].bucket[i]));
	row = json_pack("{s:s, s:I, s:I, s:o}", "event", setup_event_name(event), "sampled_calls",
		(json_int_t)summary.calls, "usec", (json_int_t)times->of[event].usec, "buckets", buckets);
	set_summary(row, &summary);
	return row;
}

bool setup_row_is(const json_t *object)
{
	return json_object_get(object, "sampled_calls") && json_object_get(object, "buckets");
}

/* The counters of a row, as those of the first event. */
static struct setup_times counters_of(const json_t *row)
{
	const json_t *buckets = json_object_get(row, "buckets");
	struct setup_times times = {.of[0].usec = json_integer_value(json_object_get(row, "usec"))};

	for (int i = 0; i <= SETUP_LIMITS; i++)
		times.of[0].bucket[i] = json_integer_value(json_array_get(buckets, i));
	return times;
}

static bool is_smaller(const struct setup_times *a, const struct setup_times *b)
{
	bool smaller = a->of[0].usec < b->of[0].usec;

	for (int i = 0; i <= SETUP_LIMITS; i++)
		smaller |= a->of[0].bucket[i] < b->of[0].bucket[i];
	return smaller;
}

void setup_row_between(json_t *rates, const json_t *before, const json_t *after)
{
	struct setup_times times = counters_of(after), start = counters_of(before);
	struct setup_summary summary;

	if (is_smaller(&times, &start))
		start = (struct setup_times){};
	times.of[0].usec -= start.of[0].usec;
	for (int i = 0; i <= SETUP_LIMITS; i++)
		times.of[0].bucket[i] -= start.of[0].bucket[i];
	summary = setup_summary(&times, 0);
	if (!json_object_get(after, "usec")) /* from the daemon of an earlier release */
		summary.mean = SETUP_UNKNOWN;
	set_summary(rates, &summary);
}
