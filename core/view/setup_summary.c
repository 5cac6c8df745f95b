// SPDX-License-Identifier: GPL-2.0
/* See setup_summary.h. */
#include "setup_summary.h"

static uint64_t percentile(const __u64 *buckets, uint64_t calls, unsigned int percent)
{
	uint64_t counted = 0;

	for (int i = 0; calls && i < SETUP_LIMITS; i++) {
		counted += buckets[i];
		if (counted * 100 >= calls * percent)
			return SETUP_LIMIT(i);
	}
	return SETUP_UNKNOWN;
}

struct setup_summary setup_summary(const struct setup_times *times, enum setup_event event)
{
	const __u64 *buckets = times->of[event].bucket;
	struct setup_summary summary = {.mean = SETUP_UNKNOWN};

	for (int i = 0; i <= SETUP_LIMITS; i++)
		summary.calls += buckets[i];
	if (summary.calls)
		summary.mean = times->of[event].usec / summary.calls;
	summary.median = percentile(buckets, summary.calls, 50);
	summary.p95 = percentile(buckets, summary.calls, 95);
	return summary;
}

const char *setup_event_name(enum setup_event event)
{
	static const char *const names[SETUP_EVENTS] = {
		[SETUP_RESPONSE] = "response", [SETUP_STATUS] = "status", [SETUP_ANSWER] = "answer"};

	return names[event];
}
