// SPDX-License-Identifier: GPL-2.0
/* See history.h. */
#include "history.h"

/* After a gap of more than 15 minutes, all stored samples are equal. */
static void add_samples(struct history *history, uint64_t count, double rate)
{
	for (uint64_t i = 0; i < count && i < HISTORY_SAMPLES; i++)
		history->rates[history->samples++ % HISTORY_SAMPLES] = rate;
}

bool history_is_due(const struct history *history, uint64_t now)
{
	return !history->read || now >= history->due;
}

void history_add(struct history *history, uint64_t now, uint64_t value)
{
	uint64_t change = value >= history->value ? value - history->value : value;
	uint64_t intervals;

	if (!history_is_due(history, now))
		return;
	if (history->read) {
		intervals = (now - history->due) / HISTORY_INTERVAL + 1;
		add_samples(history, intervals, 1000.0 * change / (now - history->read));
		history->due += intervals * HISTORY_INTERVAL;
	} else {
		history->due = now + HISTORY_INTERVAL;
	}
	history->read = now;
	history->value = value;
}

size_t history_count(const struct history *history)
{
	return history->samples < HISTORY_SAMPLES ? history->samples : HISTORY_SAMPLES;
}

double history_rate(const struct history *history, size_t i)
{
	return history->rates[(history->samples - history_count(history) + i) % HISTORY_SAMPLES];
}
