// SPDX-License-Identifier: GPL-2.0
/* The rate of a counter during the last 15 minutes. */
#include <criterion/criterion.h>
#include "core/base/history.h"

#define START 1000000

static void check_rates(const struct history *history, const double *rates, size_t count)
{
	cr_assert_eq(history_count(history), count, "%zu", history_count(history));
	for (size_t i = 0; i < count; i++)
		cr_expect_float_eq(history_rate(history, i), rates[i], 0.001, "%zu: %f", i, history_rate(history, i));
}

Test(history, needs_two_values_for_a_rate)
{
	struct history history = {0};

	history_add(&history, START, 700);
	cr_expect_eq(history_count(&history), 0);
	history_add(&history, START + HISTORY_INTERVAL - 1, 710);
	cr_expect_eq(history_count(&history), 0);
	history_add(&history, START + HISTORY_INTERVAL, 750);
	check_rates(&history, (double[]){10}, 1);
}

Test(history, gives_missed_intervals_the_mean_rate)
{
	struct history history = {0};

	history_add(&history, START, 0);
	history_add(&history, START + 5000, 5);
	history_add(&history, START + 21000, 165); /* 160 in 16 s; three intervals have ended */
	check_rates(&history, (double[]){1, 10, 10, 10}, 4);
	history_add(&history, START + 24999, 999); /* too early */
	cr_expect_eq(history_count(&history), 4);
	history_add(&history, START + 25000, 169); /* 4 in 4 s */
	check_rates(&history, (double[]){1, 10, 10, 10, 1}, 5);
}

Test(history, continues_when_the_counter_restarts)
{
	struct history history = {0};

	history_add(&history, START, 1000);
	history_add(&history, START + 5000, 20);
	check_rates(&history, (double[]){4}, 1);
}

Test(history, forgets_the_oldest_samples)
{
	struct history history = {0};
	uint64_t value = 0;

	for (unsigned int i = 0; i < 3 * HISTORY_SAMPLES + 7; i++)
		history_add(&history, START + (uint64_t)i * HISTORY_INTERVAL, value += 5 * i);
	cr_assert_eq(history_count(&history), HISTORY_SAMPLES);
	cr_expect_float_eq(history_rate(&history, HISTORY_SAMPLES - 1), 3 * HISTORY_SAMPLES + 6, 0.001);
	cr_expect_float_eq(history_rate(&history, 0), 2 * HISTORY_SAMPLES + 7, 0.001);
}

Test(history, a_gap_of_days_is_one_rate)
{
	struct history history = {0};

	history_add(&history, START, 0);
	history_add(&history, START + (uint64_t)7 * 24 * 3600 * 1000, 7 * 24 * 3600);
	cr_assert_eq(history_count(&history), HISTORY_SAMPLES);
	cr_expect_float_eq(history_rate(&history, 0), 1, 0.001);
	cr_expect_float_eq(history_rate(&history, HISTORY_SAMPLES - 1), 1, 0.001);
}
