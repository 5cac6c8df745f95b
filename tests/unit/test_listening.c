// SPDX-License-Identifier: GPL-2.0
/* The clock of the time in which the daemon listened. */
#include <criterion/criterion.h>
#include "../../ctl/core/listening.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* Looks after so many ms, and what comes of it. */
struct row {
	const char *sentence;
	uint64_t elapsed;
	uint64_t stall;
	uint64_t ms;
};

Test(listening, looks)
{
	static const struct row rows[] = {
		{"in time", 1000, 0, 1001},
		{"early, after a step of 50 ms", 50, 0, 1051},
		{"late as on a busy machine", 1500, 0, 2551},
		{"later than that: nothing of it counts", 1501, 501, 2551},
		{"stopped for a day", 86400000, 86399000, 2551},
		{"in time again", 1000, 0, 3551},
		{"twice at once", 0, 0, 3551},
	};
	struct listening listening = listening_begin(5000);
	uint64_t now = 5000;

	cr_expect_eq(listening_now(&listening, now), 1);
	for (size_t i = 0; i < COUNT(rows); i++) {
		now += rows[i].elapsed;
		cr_expect_eq(listening_look(&listening, now), rows[i].stall, "%s", rows[i].sentence);
		cr_expect_eq(listening.ms, rows[i].ms, "%s: %lu", rows[i].sentence, listening.ms);
	}
}

Test(listening, between_looks_no_more_than_an_interval_counts)
{
	struct listening listening = listening_begin(5000);

	cr_expect_eq(listening_now(&listening, 5300), 301);
	cr_expect_eq(listening_now(&listening, 6000), 1001);
	cr_expect_eq(listening_now(&listening, 17000), 1001);
	listening_look(&listening, 17000);
	cr_expect_eq(listening_now(&listening, 17000), 1, "the stall does not count");
}
