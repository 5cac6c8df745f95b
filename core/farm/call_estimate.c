// SPDX-License-Identifier: GPL-2.0
/* See call_estimate.h. */

#include "bpf/abi_calls.h"
#include "call_estimate.h"

/* The square of the quantile 1.96 of the normal distribution, times 10,000. */
#define QUANTILE_SQUARE 38416

/* Rounded down. */
static uint64_t square_root(uint64_t x)
{
	uint64_t root = 0;

	for (uint64_t bit = UINT64_C(1) << 31; bit; bit >>= 1)
		if ((root + bit) * (root + bit) <= x)
			root += bit;
	return root;
}

uint64_t call_estimate_error(uint64_t sampled)
{
	uint64_t square = (sampled * 10000 + QUANTILE_SQUARE / 4) * CALL_SAMPLE * CALL_SAMPLE;

	return CALL_SAMPLE * QUANTILE_SQUARE / 20000 + square_root(square / 10000 * QUANTILE_SQUARE / 10000) + 1;
}

struct call_estimate call_estimate(uint64_t sampled, uint64_t exact, bool all_counted)
{
	return (struct call_estimate){
		.known = true,
		.calls = sampled * CALL_SAMPLE + exact,
		.error = sampled || !all_counted ? call_estimate_error(sampled) : 0,
	};
}
