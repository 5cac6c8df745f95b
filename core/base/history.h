/* SPDX-License-Identifier: GPL-2.0 */
/* The rate of a counter during the last 15 minutes: the mean rate of each interval. No I/O: the caller reads the
 * counter and the clock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_INTERVAL 5000 /* ms */
#define HISTORY_SAMPLES 180

struct history {
	uint64_t value;   /* value of the counter at the time `read` */
	uint64_t read;    /* ms; 0: never */
	uint64_t due;     /* ms: end of the current interval */
	uint64_t samples; /* number of samples ever taken; the last HISTORY_SAMPLES are kept */
	float rates[HISTORY_SAMPLES];
};

/* Is the end of the current interval at or before `now`, ms? */
bool history_is_due(const struct history *history, uint64_t now);

/* Adds the value of the counter after the end of the interval; does nothing before the end. If the caller is late,
 * all missed intervals get the same mean rate. If the value is smaller than the previous value, the counter has
 * restarted at 0. */
void history_add(struct history *history, uint64_t now, uint64_t value);

/* Number of samples, and the rate per second of each one, from the oldest to the newest. */
size_t history_count(const struct history *history);
double history_rate(const struct history *history, size_t i);
