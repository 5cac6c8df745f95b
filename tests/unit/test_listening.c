// SPDX-License-Identifier: GPL-2.0
/* The clock that runs only while the daemon listens. */
#include <criterion/criterion.h>
#include "core/health/listening.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* A call after this many ms, and the expected result. */
struct row {
	const char *sentence;
	uint64_t elapsed;
	uint64_t stall;
	uint64_t ms;
};

Test(listening, late_calls_stop_the_clock)
{
	static const struct row rows[] = {
		{"in time", 100, 0, 5100},
		{"early, after a step of 5 ms", 5, 0, 5105},
		{"late, as on a busy machine", 200, 0, 5305},
		{"later: one interval counts at most", 201, 101, 5405},
		{"stopped for a day", 86400000, 86399900, 5505},
		{"in time again", 100, 0, 5605},
		{"a second call at the same time", 0, 0, 5605},
	};
	struct listening listening = listening_begin(5000);
	uint64_t now = 5000;

	cr_expect_eq(listening_now(&listening, now), 5000);
	for (size_t i = 0; i < COUNT(rows); i++) {
		now += rows[i].elapsed;
		cr_expect_eq(listening_look(&listening, now), rows[i].stall, "%s", rows[i].sentence);
		cr_expect_eq(listening.ms, rows[i].ms, "%s: %lu", rows[i].sentence, listening.ms);
	}
}

Test(listening, at_most_one_interval_counts_between_calls)
{
	struct listening listening = listening_begin(5000);

	cr_expect_eq(listening_now(&listening, 5030), 5030);
	cr_expect_eq(listening_now(&listening, 5100), 5100);
	cr_expect_eq(listening_now(&listening, 17000), 5100);
	listening_look(&listening, 17000);
	cr_expect_eq(listening_now(&listening, 17000), 5100, "the stall does not count, and no time is taken back");
}
