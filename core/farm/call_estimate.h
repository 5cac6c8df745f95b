/* SPDX-License-Identifier: GPL-2.0 */
/* The number of live calls of a backend, estimated from the calls that the program counts (counted_calls in
 * bpf/abi.h). No I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct call_estimate {
	bool known; /* false: the program does not count the calls of the pool, and the numbers are 0 */
	uint64_t calls;
	uint64_t error; /* the true number is within `calls` +- `error` with a probability of at least 95 % */
};

/* `sampled` entries stand for CALL_SAMPLE calls each, `exact` entries for themselves. `all_counted`: the program counts
 * every call of the pool, so that without sampled entries the number is exact. */
struct call_estimate call_estimate(uint64_t sampled, uint64_t exact, bool all_counted);

/* The error of an estimate from this number of sampled entries: the larger half of the interval that Wilson's method
 * gives for a Poisson variable, 1.92 + 1.96 * sqrt(sampled + 0.96) entries. Without any entry it is 245 calls. */
uint64_t call_estimate_error(uint64_t sampled);
