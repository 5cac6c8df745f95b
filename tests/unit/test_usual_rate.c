// SPDX-License-Identifier: GPL-2.0
/* The usual range of a rate (core/health/usual_rate.h), with simulated rates. */
#include <criterion/criterion.h>
#include "core/health/usual_rate.h"

/* Passes a constant rate for a few seconds. Returns the number of reports. */
static int run(struct usual_rate *rate, int seconds, double per_second)
{
	int reports = 0;

	while (seconds--)
		reports += usual_rate_update(rate, per_second) == USUAL_RATE_REPORT;
	return reports;
}

Test(usual_rate, a_flood_is_reported_within_three_seconds)
{
	struct usual_rate rate = {0};

	cr_expect_eq(run(&rate, 100, 20), 0);
	cr_expect_eq(run(&rate, 3, 50000), 1);
	cr_expect(rate.unusual);
	cr_expect_lt(usual_rate_limit(&rate), 1100);
}

Test(usual_rate, a_single_second_is_not_reported)
{
	struct usual_rate rate = {0};

	run(&rate, 100, 20);
	for (int i = 0; i < 10; i++)
		cr_expect_eq(run(&rate, 1, 50000) + run(&rate, USUAL_RATE_WINDOW / 2, 20), 0);
	cr_expect_not(rate.unusual);
	cr_expect_lt(usual_rate_limit(&rate), 1100, "it does not widen the range either");
}

Test(usual_rate, a_lasting_flood_is_reported_once_a_minute)
{
	struct usual_rate rate = {0};

	run(&rate, 100, 20);
	cr_expect_eq(run(&rate, 10 * 60, 50000), 10);
}

Test(usual_rate, short_floods_are_reported_once_a_minute)
{
	struct usual_rate rate = {0};
	int reports = 0;

	run(&rate, 100, 20);
	for (int i = 0; i < 10; i++)
		reports += run(&rate, 5, 50000) + run(&rate, 15, 20);
	cr_expect_eq(reports, 4, "%d reports in 200 seconds", reports);
}

/* Passes pulses of one second. Returns the number of reports. */
static int pulse(struct usual_rate *rate, int pulses, int pause)
{
	int reports = 0;

	while (pulses--)
		reports += run(rate, 1, 50000) + run(rate, pause, 20);
	return reports;
}

Test(usual_rate, pulses_are_reported)
{
	for (int pause = 1; (USUAL_RATE_PULSES - 1) * (pause + 1) < USUAL_RATE_WINDOW; pause++) {
		struct usual_rate rate = {0};

		run(&rate, 100, 20);
		cr_expect_eq(pulse(&rate, USUAL_RATE_PULSES - 1, pause), 0, "pause %d", pause);
		cr_expect_eq(pulse(&rate, 1, pause), 1, "pause %d", pause);
	}
}

Test(usual_rate, pulses_are_one_flood_until_they_end)
{
	struct usual_rate rate = {0};

	run(&rate, 100, 20);
	cr_expect_eq(pulse(&rate, 150, 1), 5, "once a minute");
	cr_expect(rate.unusual);
	run(&rate, USUAL_RATE_END, 20);
	cr_expect_not(rate.unusual);
	cr_expect_eq(pulse(&rate, USUAL_RATE_PULSES - 1, 1), 0);
	cr_expect_not(rate.unusual, "pulses before the end do not count");
}

Test(usual_rate, the_end_of_a_reported_flood_is_reported)
{
	struct usual_rate rate = {0};
	int ends = 0;

	run(&rate, 100, 20);
	run(&rate, 5, 50000);
	for (int i = 0; i < 60; i++)
		ends += usual_rate_update(&rate, 20) == USUAL_RATE_USUAL;
	cr_expect_eq(ends, 1);
	cr_expect_not(rate.unusual);
}

Test(usual_rate, less_than_the_floor_is_usual)
{
	struct usual_rate rate = {0};

	run(&rate, 1000, 0);
	cr_expect_eq(run(&rate, 100, USUAL_RATE_FLOOR), 0);
}

Test(usual_rate, the_rate_at_the_start_is_usual)
{
	struct usual_rate rate = {0};

	cr_expect_eq(run(&rate, 1000, 200000), 0);
	cr_expect_eq(run(&rate, 10, 500000), 0, "and so is less than three times as much");
	cr_expect_eq(run(&rate, 10, 900000), 1);
}

Test(usual_rate, a_rate_that_doubles_every_ten_minutes_is_usual)
{
	struct usual_rate rate = {0};
	double per_second = 5000;
	int reports = run(&rate, 300, per_second);

	for (int i = 0; i < 3600; i++) {
		per_second *= 1.001156; /* the 600th root of 2 */
		reports += run(&rate, 1, per_second);
	}
	cr_expect_eq(reports, 0);
}

Test(usual_rate, a_rate_that_varies_widely_has_a_wide_range)
{
	struct usual_rate rate = {0};
	int reports = 0;

	for (int i = 0; i < 600; i++)
		reports += run(&rate, 1, i % 4 ? 0 : 8000);
	cr_expect_eq(reports, 0);
	cr_expect_gt(usual_rate_limit(&rate), 8000);
}

Test(usual_rate, a_new_level_becomes_usual)
{
	struct usual_rate rate = {0};

	run(&rate, 1000, 2000);
	run(&rate, 10, 20000);
	cr_expect(rate.unusual);
	run(&rate, 10 * 60, 20000);
	cr_expect(rate.unusual);
	run(&rate, 10 * 60, 20000);
	cr_expect_not(rate.unusual);
	cr_expect_eq(run(&rate, 3600, 20000), 0);
}
