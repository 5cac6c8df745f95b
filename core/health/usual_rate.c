// SPDX-License-Identifier: GPL-2.0
/* See usual_rate.h. */
#include "usual_rate.h"

#define MEMORY 300.0       /* time constant of the averages, seconds */
#define SLOW_MEMORY 3000.0 /* time constant of the averages while the rate is unusual, seconds */
#define FACTOR 3.0         /* upper end of the range: the largest of USUAL_RATE_FLOOR, FACTOR * mean ... */
#define DEVIATIONS 6.0     /* ... and mean + DEVIATIONS * deviation */

#define LAST(seconds) ((UINT32_C(1) << (seconds)) - 1) /* mask for the last seconds in usual_rate.beyond */

static double larger(double a, double b)
{
	return a > b ? a : b;
}

double usual_rate_limit(const struct usual_rate *rate)
{
	return larger(USUAL_RATE_FLOOR, larger(FACTOR * rate->mean, rate->mean + DEVIATIONS * rate->deviation));
}

unsigned int usual_rate_quiet(const struct usual_rate *rate)
{
	return rate->unusual && rate->beyond ? __builtin_ctz(rate->beyond) : 0;
}

/* During the first MEMORY seconds, the averages are those of all seconds so far. The deviation of a flood does not
 * widen the range: otherwise the flood would be usual within minutes. */
static void learn(struct usual_rate *rate, double per_second)
{
	double memory = rate->unusual ? SLOW_MEMORY : rate->seconds < MEMORY ? rate->seconds : MEMORY;
	double distance = per_second - rate->mean;

	rate->mean += distance / memory;
	if (!rate->unusual)
		rate->deviation += ((distance < 0 ? -distance : distance) - rate->deviation) / memory;
}

static bool is_flood(uint32_t beyond)
{
	return __builtin_popcount(beyond & LAST(USUAL_RATE_BEGIN)) == USUAL_RATE_BEGIN ||
	       __builtin_popcount(beyond & LAST(USUAL_RATE_WINDOW)) >= USUAL_RATE_PULSES;
}

static void decide(struct usual_rate *rate, bool beyond)
{
	rate->beyond = rate->beyond << 1 | beyond;
	if (!rate->unusual) {
		rate->unusual = is_flood(rate->beyond);
	} else if (!(rate->beyond & LAST(USUAL_RATE_END))) {
		rate->unusual = false;
		rate->beyond = 0; /* seconds of this flood do not count towards the next one */
	}
}

enum usual_rate_event usual_rate_update(struct usual_rate *rate, double per_second)
{
	bool was_unusual = rate->unusual, beyond;

	rate->now = per_second;
	rate->seconds++;
	beyond = rate->seconds > USUAL_RATE_LEARNING && per_second > usual_rate_limit(rate);
	if (!beyond || rate->unusual)
		learn(rate, per_second);
	decide(rate, beyond);
	rate->silence -= rate->silence > 0;
	if (rate->unusual && !rate->silence) {
		rate->silence = USUAL_RATE_REPEAT;
		rate->reported = true;
		return USUAL_RATE_REPORT;
	}
	if (!was_unusual || rate->unusual || !rate->reported)
		return USUAL_RATE_NOTHING;
	rate->reported = false;
	return USUAL_RATE_USUAL;
}
