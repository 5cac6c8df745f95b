/* SPDX-License-Identifier: GPL-2.0 */
/* Learns the usual range of a rate, and detects when the rate leaves this range. No I/O: the caller passes the rate
 * once a second.
 *
 * The range follows the rate with a moving average, so a daily rise is usual and a flood is not. While the rate is
 * unusual, the range follows ten times as slowly: a rate that stays at a new level becomes usual after about 20
 * minutes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define USUAL_RATE_FLOOR 1000.0 /* per second: a lower rate is never unusual */
#define USUAL_RATE_LEARNING 10  /* seconds after the start in which every rate is usual */
#define USUAL_RATE_BEGIN 2      /* consecutive seconds above the range until the rate is unusual */
#define USUAL_RATE_PULSES 3     /* or this many seconds above the range ... */
#define USUAL_RATE_WINDOW 30    /* ... within this many seconds; at most 31 */
#define USUAL_RATE_END 10       /* consecutive seconds in the range until it is usual again */
#define USUAL_RATE_REPEAT 60    /* seconds between two reports */

/* Initially all zero: no rate is known yet. */
struct usual_rate {
	double now;       /* the last rate, per second */
	double mean;      /* moving average */
	double deviation; /* moving average of the difference between rate and `mean` */
	uint32_t beyond;  /* bit 0: the last second was above the range; bit 1: the second before it, and so on */
	unsigned int seconds;
	unsigned int silence; /* seconds until the next permitted report */
	bool unusual;
	bool reported; /* the current excess was reported */
};

enum usual_rate_event {
	USUAL_RATE_NOTHING,
	USUAL_RATE_REPORT, /* the rate is unusual, and was not reported in the last USUAL_RATE_REPEAT seconds */
	USUAL_RATE_USUAL,  /* a reported excess has ended */
};

/* Updates the range with the rate of the last second. */
enum usual_rate_event usual_rate_update(struct usual_rate *rate, double per_second);

/* For how many seconds an unusual rate has been in its range again. */
unsigned int usual_rate_quiet(const struct usual_rate *rate);

/* The upper end of the usual range, per second. */
double usual_rate_limit(const struct usual_rate *rate);
