// SPDX-License-Identifier: GPL-2.0
/* See usual_rate.h. */
#include "usual_rate.h"

#define MEMORY 300.0       /* seconds over which the averages forget */
#define SLOW_MEMORY 3000.0 /* likewise while the rate is unusual */
#define FACTOR 3.0         /* times the mean, and ... */
#define DEVIATIONS 6.0     /* ... deviations above it: the end of the range is the larger of both */

static double larger(double a, double b)
{
	return a > b ? a : b;
}

double usual_rate_limit(const struct usual_rate *rate)
{
	return larger(USUAL_RATE_FLOOR, larger(FACTOR * rate->mean, rate->mean + DEVIATIONS * rate->deviation));
}

/* Until the memory is full, the averages are those of all seconds so far. A flood does not widen the range by
 * its deviation, which would make it usual within minutes. */
static void learn(struct usual_rate *rate, double per_second)
{
	double memory = rate->unusual ? SLOW_MEMORY : rate->seconds < MEMORY ? rate->seconds : MEMORY;
	double distance = per_second - rate->mean;

	rate->mean += distance / memory;
	if (!rate->unusual)
		rate->deviation += ((distance < 0 ? -distance : distance) - rate->deviation) / memory;
}

/* Changes `unusual` after enough consecutive seconds that contradict it. */
static void decide(struct usual_rate *rate, bool beyond)
{
	rate->turning = beyond == rate->unusual ? 0 : rate->turning + 1;
	if (rate->turning < (rate->unusual ? USUAL_RATE_END : USUAL_RATE_BEGIN))
		return;
	rate->unusual = beyond;
	rate->turning = 0;
}

enum usual_rate_event usual_rate_judge(struct usual_rate *rate, double per_second)
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
