// SPDX-License-Identifier: GPL-2.0
/* See health.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "health.h"

void health_begin(struct health_state *state, enum health before, const struct latency *latency)
{
	*state = (struct health_state){.health = before, .before = *latency};
}

#define UNSTEADY 1 /* a backend with more failures than this among its last 8 results is unsteady */

static void count(struct health_state *state, bool passed)
{
	if (passed != state->last_passed)
		state->row = 0;
	state->last_passed = passed;
	*state->trouble = '\0';
	state->recent = state->recent << 1 | !passed;
	if (state->row < ~0u)
		state->row++;
}

bool health_pass(struct health_state *state, const struct config_probe *probe, uint64_t began, uint32_t took)
{
	enum health before = state->health;

	count(state, true);
	state->last = took;
	state->answers[state->passed++ % HEALTH_ANSWERS] = took;
	state->answered_at = began;
	if (before == HEALTH_UNKNOWN || state->row >= probe->rise)
		state->health = HEALTH_UP;
	return state->row == 1 || state->health != before;
}

bool health_fail(struct health_state *state, const struct config_probe *probe, uint64_t began, const char *reason)
{
	count(state, false);
	state->failed++;
	state->failed_at = began;
	if (state->row == 1)
		state->failing_from = began;
	snprintf(state->reason, sizeof(state->reason), "%s", reason);
	if (state->row >= probe->fall)
		state->health = HEALTH_DOWN;
	return state->row == 1 || state->row == probe->fall;
}

uint32_t health_detection(const struct config_probe *probe)
{
	return probe->fall * probe->interval + probe->timeout;
}

struct evidence health_evidence(const struct health_state *state, const struct config_probe *probe)
{
	bool failing = state->row && !state->last_passed;

	return (struct evidence){
		.known = state->row,
		.failing = failing,
		.enough = failing && state->row >= probe->fall,
		.recovered = state->health == HEALTH_UP,
		.unsteady = __builtin_popcount(state->recent) > UNSTEADY,
		.answered = state->answered_at,
		.began = state->failing_from,
		.failed = state->failed_at,
		.detection = health_detection(probe),
		.again = (probe->fall - 1) * probe->interval,
	};
}

bool health_set_trouble(struct health_state *state, const char *reason)
{
	char before[HEALTH_REASON_SIZE];

	memcpy(before, state->trouble, sizeof(before));
	snprintf(state->trouble, sizeof(state->trouble), "%s", reason);
	return strcmp(before, state->trouble) != 0;
}

uint64_t health_pause(const struct config_probe *probe, uint64_t random)
{
	uint64_t interval = probe->interval * UINT64_C(1000);

	return interval - random % (interval / 10 + 1);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

struct latency health_latency(const struct health_state *state)
{
	size_t n = state->passed < HEALTH_ANSWERS ? state->passed : HEALTH_ANSWERS;
	uint32_t sorted[HEALTH_ANSWERS];
	uint64_t sum = 0;

	if (!n)
		return state->before;
	memcpy(sorted, state->answers, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare);
	for (size_t i = 0; i < n; i++)
		sum += sorted[i];
	return (struct latency){.last = state->last, .mean = sum / n, .p95 = sorted[(n * 95 + 99) / 100 - 1]};
}
