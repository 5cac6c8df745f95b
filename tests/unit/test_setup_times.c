// SPDX-License-Identifier: GPL-2.0
/* The setup of calls: when a measurement ends, and the summary of the times. */
#include <criterion/criterion.h>
#include "core/farm/setup_end.h"
#include "core/view/setup_summary.h"

#define SECOND 1000000000ULL
#define RESPONSE SETUP_BIT(SETUP_RESPONSE)

Test(setup_times, a_measurement_ends)
{
	static const struct {
		const char *what;
		uint32_t events;
		uint64_t age; /* ns */
		enum setup_end end;
	} rows[] = {
		{"no response yet", 0, 32 * SECOND - 1, SETUP_END_NOT_YET},
		{"no response", 0, 32 * SECOND, SETUP_END_UNANSWERED},
		{"a final response, repetitions may follow", RESPONSE | SETUP_FINAL, 31 * SECOND, SETUP_END_NOT_YET},
		{"a final response", RESPONSE | SETUP_FINAL, 32 * SECOND, SETUP_END_MEASURED},
		{"it rings", RESPONSE, 299 * SECOND, SETUP_END_NOT_YET},
		{"it rings for too long", RESPONSE, 300 * SECOND, SETUP_END_MEASURED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct setup setup = {.invited = 5 * SECOND, .events = rows[i].events};

		cr_expect_eq(setup_end(&setup, 5 * SECOND + rows[i].age), rows[i].end, "%s", rows[i].what);
	}
	cr_expect_eq(setup_end(&(struct setup){.invited = 5 * SECOND}, 4 * SECOND), SETUP_END_NOT_YET,
		"an INVITE that arrived after the clock was read");
}

Test(setup_times, summary)
{
	struct setup_times times = {};
	struct setup_summary none = setup_summary(&times, SETUP_STATUS), summary;

	cr_expect_eq(none.calls, 0);
	cr_expect_eq(none.mean, SETUP_UNKNOWN);
	cr_expect_eq(none.median, SETUP_UNKNOWN);
	times.of[SETUP_STATUS].usec = 300000;
	times.of[SETUP_STATUS].bucket[0] = 50;
	times.of[SETUP_STATUS].bucket[3] = 45;
	times.of[SETUP_STATUS].bucket[SETUP_LIMITS] = 5;
	summary = setup_summary(&times, SETUP_STATUS);
	cr_expect_eq(summary.calls, 100);
	cr_expect_eq(summary.mean, 3000);
	cr_expect_eq(summary.median, 1000);
	cr_expect_eq(summary.p95, 8000);
	times.of[SETUP_STATUS].bucket[SETUP_LIMITS] = 6;
	cr_expect_eq(setup_summary(&times, SETUP_STATUS).p95, SETUP_UNKNOWN, "above the last limit");
	cr_expect_eq(setup_summary(&times, SETUP_ANSWER).calls, 0);
}
