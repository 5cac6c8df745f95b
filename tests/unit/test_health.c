// SPDX-License-Identifier: GPL-2.0
/* Probe results are the input; health and latencies are the output. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "core/health/health.h"

/* `results`: + success, - failure, ! not sent. `health` after each result: u up, d down, ? unknown. */
static const struct {
	const char *what;
	unsigned int fall, rise;
	enum health before;
	const char *results;
	const char *health;
} rows[] = {
	{"one success is enough for a new backend", 3, 2, HEALTH_UNKNOWN, "+", "u"},
	{"a new backend is down only after `fall` failures", 3, 2, HEALTH_UNKNOWN, "---", "??d"},
	{"a new backend with failures before the first success", 3, 2, HEALTH_UNKNOWN, "--+", "??u"},
	{"only consecutive failures count", 3, 2, HEALTH_UP, "--+--+---", "uuuuuuuud"},
	{"only consecutive successes count", 3, 3, HEALTH_DOWN, "++-++-+++", "ddddddddu"},
	{"down and up again", 2, 2, HEALTH_UNKNOWN, "+--++--", "uudduud"},
	{"rise and fall of 1", 1, 1, HEALTH_UNKNOWN, "-+-+", "dudu"},
	{"up before a restart: stays up", 3, 2, HEALTH_UP, "--", "uu"},
	{"up before a restart: down by the same rule", 3, 2, HEALTH_UP, "---", "uud"},
	{"down before a restart: stays down", 3, 2, HEALTH_DOWN, "+-+-", "dddd"},
	{"down before a restart: up by the same rule", 3, 2, HEALTH_DOWN, "++", "du"},
	{"a probe that the balancer cannot send is not a result", 2, 2, HEALTH_UP, "-!!-+!+",
		"uuuddd"
		"u"},
	{"... and does not change an unknown state", 1, 1, HEALTH_UNKNOWN, "!!!", "???"},
	{"a long series of failures", 3, 1, HEALTH_UP, "--------+",
		"uudddddd"
		"u"},
};

static char letter(enum health health)
{
	return health == HEALTH_UP ? 'u' : health == HEALTH_DOWN ? 'd' : '?';
}

static bool give(struct health_state *state, const struct config_probe *probe, char result)
{
	if (result == '!')
		return health_set_trouble(state, "no descriptor");
	return result == '+' ? health_pass(state, probe, 0, 1000) : health_fail(state, probe, 0, "no answer");
}

Test(health, a_probe_that_cannot_be_sent_is_reported_once)
{
	struct config_probe probe = {.fall = 1, .rise = 1};
	struct health_state state;

	health_begin(&state, HEALTH_UP, &(struct latency){});
	cr_expect(health_set_trouble(&state, "no descriptor"));
	cr_expect(!health_set_trouble(&state, "no descriptor"));
	cr_expect(health_set_trouble(&state, "no memory"));
	health_pass(&state, &probe, 0, 1000);
	cr_expect_str_eq(state.trouble, "");
	health_set_trouble(&state, "no memory");
	health_fail(&state, &probe, 0, "no answer");
	cr_expect_str_eq(state.trouble, "");
}

Test(health, consecutive_results_decide)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct config_probe probe = {.fall = rows[i].fall, .rise = rows[i].rise};
		struct latency none = {};
		struct health_state state;
		char got[32] = "";
		size_t cannot = 0;

		health_begin(&state, rows[i].before, &none);
		for (size_t n = 0; rows[i].results[n]; n++) {
			enum health was = state.health;
			bool changed = give(&state, &probe, rows[i].results[n]);

			got[n] = letter(state.health);
			cannot += rows[i].results[n] == '!';
			if (rows[i].results[n] == '!')
				cr_expect_str_eq(state.trouble, "no descriptor");
			else if (state.health != was || state.row == 1)
				cr_expect(changed, "%s: result %zu", rows[i].what, n + 1);
		}
		cr_expect_str_eq(got, rows[i].health, "%s: %s", rows[i].what, got);
		cr_expect_eq(state.passed + state.failed + cannot, strlen(rows[i].results));
	}
}

/* If a pause could exceed the interval, a dead backend would be detected later than `fall` intervals and one
 * timeout. */
Test(health, a_probe_may_be_early_but_is_never_late)
{
	static const uint32_t intervals[] = {100, 101, 2000, 3600000};

	for (size_t i = 0; i < sizeof(intervals) / sizeof(*intervals); i++) {
		struct config_probe probe = {.interval = intervals[i]};
		uint64_t most = intervals[i] * UINT64_C(1000), least = most - most / 10, seen[2] = {UINT64_MAX, 0};

		for (uint64_t random = 0; random < 10000; random++) {
			uint64_t pause = health_pause(&probe, random * UINT64_C(0x9e3779b97f4a7c15));

			seen[0] = pause < seen[0] ? pause : seen[0];
			seen[1] = pause > seen[1] ? pause : seen[1];
		}
		cr_expect(seen[0] >= least && seen[0] < least + most / 100, "%u ms: %lu us", intervals[i], seen[0]);
		cr_expect(seen[1] <= most && seen[1] > most - most / 100, "%u ms: %lu us", intervals[i], seen[1]);
	}
}

Test(health, any_order_of_results)
{
	srand(1);
	for (int round = 0; round < 2000; round++) {
		struct config_probe probe = {.fall = 1 + rand() % 5, .rise = 1 + rand() % 5};
		enum health wanted = rand() % 3;
		unsigned int good = 0, bad = 0;
		struct latency none = {};
		struct health_state state;

		health_begin(&state, wanted, &none);
		for (int n = 0; n < 40; n++) {
			if (rand() % 2) {
				good++, bad = 0;
				if (good >= probe.rise || wanted == HEALTH_UNKNOWN)
					wanted = HEALTH_UP;
				health_pass(&state, &probe, 0, 1);
			} else {
				bad++, good = 0;
				if (bad >= probe.fall)
					wanted = HEALTH_DOWN;
				health_fail(&state, &probe, 0, "");
			}
			cr_assert_eq(state.health, wanted, "round %d, result %d", round, n);
		}
	}
}

Test(health, keeps_the_reason_of_the_last_failure)
{
	struct config_probe probe = {.fall = 3, .rise = 1};
	struct latency none = {};
	struct health_state state;
	char longest[HEALTH_REASON_SIZE * 2];

	health_begin(&state, HEALTH_UNKNOWN, &none);
	cr_expect_str_eq(state.reason, "");
	health_fail(&state, &probe, 0, "connection refused");
	health_fail(&state, &probe, 0, "503 Service Unavailable");
	health_pass(&state, &probe, 0, 1);
	cr_expect_str_eq(state.reason, "503 Service Unavailable");
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	health_fail(&state, &probe, 0, longest);
	cr_expect_eq(strlen(state.reason), HEALTH_REASON_SIZE - 1);
}

static void expect_latency(const struct health_state *state, uint32_t last, uint32_t mean, uint32_t p95)
{
	struct latency got = health_latency(state);

	cr_expect(got.last == last && got.mean == mean && got.p95 == p95,
		"after %lu answers: last %u mean %u 95 %% %u, wanted %u %u %u", state->passed, got.last, got.mean,
		got.p95, last, mean, p95);
}

Test(health, latency_uses_the_latest_responses_only)
{
	struct config_probe probe = {.fall = 3, .rise = 1};
	struct latency before = {.last = 7, .mean = 8, .p95 = 9};
	struct health_state state;

	health_begin(&state, HEALTH_UP, &before);
	expect_latency(&state, 7, 8, 9);
	health_fail(&state, &probe, 0, "no answer");
	expect_latency(&state, 7, 8, 9);
	health_pass(&state, &probe, 0, 100);
	expect_latency(&state, 100, 100, 100);
	health_pass(&state, &probe, 0, 301);
	expect_latency(&state, 301, 200, 301);
	health_fail(&state, &probe, 0, "no answer");
	expect_latency(&state, 301, 200, 301);
	/* 64 new values (10, 20, ... 640) replace 64 values of 1000; 61 responses are 95 % of 64 */
	for (uint32_t n = 0; n < HEALTH_ANSWERS; n++)
		health_pass(&state, &probe, 0, 1000);
	for (uint32_t n = 1; n <= HEALTH_ANSWERS; n++)
		health_pass(&state, &probe, 0, n * 10);
	expect_latency(&state, 640, 325, 610);
	health_pass(&state, &probe, 0, ~0u);
	expect_latency(&state, ~0u, (20800 - 10 + (uint64_t)~0u) / 64, 620);
}

Test(health, percentile_of_few_responses)
{
	static const struct {
		uint32_t count, p95; /* of responses with latencies 1, 2, ... */
	} few[] = {{1, 1}, {2, 2}, {10, 10}, {19, 19}, {20, 19}, {21, 20}, {40, 38}, {63, 60}};

	for (size_t i = 0; i < sizeof(few) / sizeof(*few); i++) {
		struct config_probe probe = {.fall = 1, .rise = 1};
		struct latency none = {};
		struct health_state state;

		health_begin(&state, HEALTH_UNKNOWN, &none);
		for (uint32_t n = 1; n <= few[i].count; n++)
			health_pass(&state, &probe, 0, few[i].count + 1 - n);
		expect_latency(&state, 1, (few[i].count + 1) / 2, few[i].p95);
	}
}

/* Results of probes 2 s apart, and the evidence after the last one. */
static const struct {
	const char *what;
	enum health before;
	const char *results;
	struct evidence evidence;
} evidences[] = {
	{"no results", HEALTH_UP, "", {.recovered = true}},
	{"responses only", HEALTH_UP, "++", {.known = true, .recovered = true, .answered = 4000}},
	{"one failure is not enough evidence", HEALTH_UP, "+-",
		{.known = true, .failing = true, .recovered = true, .answered = 2000, .began = 4000, .failed = 4000}},
	{"three failures are enough evidence", HEALTH_UP, "+---",
		{.known = true,
			.failing = true,
			.enough = true,
			.unsteady = true,
			.answered = 2000,
			.began = 4000,
			.failed = 8000}},
	{"... one response ends the failure, but the state stays down", HEALTH_UP, "+---+",
		{.known = true, .unsteady = true, .answered = 10000, .began = 4000, .failed = 8000}},
	{"... two responses are enough", HEALTH_UP, "+---++",
		{.known = true, .recovered = true, .unsteady = true, .answered = 12000, .began = 4000, .failed = 8000}},
	{"a later failure starts a new series", HEALTH_UP, "+---++-",
		{.known = true,
			.failing = true,
			.recovered = true,
			.unsteady = true,
			.answered = 12000,
			.began = 14000,
			.failed = 14000}},
	{"old failures are forgotten", HEALTH_UP, "---+++++++",
		{.known = true, .recovered = true, .answered = 20000, .began = 2000, .failed = 6000}},
};

Test(health, evidence_of_results)
{
	const struct config_probe probe = {.fall = 3, .rise = 2, .interval = 2000, .timeout = 1000};

	for (size_t i = 0; i < sizeof(evidences) / sizeof(*evidences); i++) {
		struct evidence wanted = evidences[i].evidence, got;
		struct health_state state;

		health_begin(&state, evidences[i].before, &(struct latency){0});
		for (size_t n = 0; evidences[i].results[n]; n++)
			if (evidences[i].results[n] == '+')
				health_pass(&state, &probe, 2000 * (n + 1), 1);
			else
				health_fail(&state, &probe, 2000 * (n + 1), "");
		got = health_evidence(&state, &probe);
		wanted.detection = 7000;
		wanted.again = 4000;
		cr_expect(got.known == wanted.known && got.failing == wanted.failing && got.enough == wanted.enough &&
				  got.recovered == wanted.recovered && got.unsteady == wanted.unsteady,
			"%s: known %d failing %d enough %d recovered %d unsteady %d", evidences[i].what, got.known,
			got.failing, got.enough, got.recovered, got.unsteady);
		cr_expect(got.answered == wanted.answered && got.began == wanted.began && got.failed == wanted.failed,
			"%s: answered %lu began %lu failed %lu", evidences[i].what, got.answered, got.began,
			got.failed);
		cr_expect(got.detection == wanted.detection && got.again == wanted.again);
	}
}
