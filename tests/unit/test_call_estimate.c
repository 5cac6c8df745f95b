// SPDX-License-Identifier: GPL-2.0
/* The estimate of live calls from a sample (core/farm/call_estimate.h). */
#include <criterion/criterion.h>
#include <stdlib.h>
#include "bpf/abi_calls.h"
#include "core/farm/call_estimate.h"

/* Adds up the binomial probabilities of all samples of `calls` calls from the largest one, in both directions. */
static double coverage(uint64_t calls)
{
	const double odds = 1.0 / (CALL_SAMPLE - 1);
	uint64_t middle = calls / CALL_SAMPLE;
	double all = 0, covered = 0, probability = 1;

	for (uint64_t n = middle; n <= calls && probability > 1e-12; n++) {
		struct call_estimate estimate = call_estimate(n, 0, false);

		all += probability;
		covered += llabs((int64_t)(estimate.calls - calls)) <= (int64_t)estimate.error ? probability : 0;
		probability *= odds * (calls - n) / (n + 1);
	}
	probability = middle ? middle / (odds * (calls - middle + 1)) : 0;
	for (uint64_t n = middle; n-- > 0 && probability > 1e-12;) {
		struct call_estimate estimate = call_estimate(n, 0, false);

		all += probability;
		covered += llabs((int64_t)(estimate.calls - calls)) <= (int64_t)estimate.error ? probability : 0;
		probability *= n / (odds * (calls - n + 1));
	}
	return covered / all;
}

Test(call_estimate, the_error_of_an_estimate_covers_95_per_cent_of_the_samples)
{
	for (uint64_t calls = 0; calls <= 100000; calls += 1 + calls / 50)
		cr_expect_geq(coverage(calls), 0.95, "%lu calls: only %.3f", calls, coverage(calls));
}

Test(call_estimate, the_error_shrinks_with_the_number_of_calls)
{
	cr_expect_eq(call_estimate_error(0), 245);
	cr_expect_lt(call_estimate_error(10000), 640000 / 49, "2 per cent of 640,000 calls");
	for (uint64_t n = 0; n < 1000000; n = 2 * n + 1)
		cr_expect_lt(call_estimate_error(2 * n + 1), 2 * call_estimate_error(n), "%lu entries", n);
}

Test(call_estimate, a_count_of_all_calls_has_no_error)
{
	struct call_estimate exact = call_estimate(0, 17, true), mixed = call_estimate(10, 17, true);

	cr_expect_eq(exact.calls, 17);
	cr_expect_eq(exact.error, 0);
	cr_expect_eq(mixed.calls, 657, "calls from before the change of `balance` still stand for 64");
	cr_expect_eq(mixed.error, call_estimate_error(10));
}
