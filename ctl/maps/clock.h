/* SPDX-License-Identifier: GPL-2.0 */
/* CLOCK_MONOTONIC, which clock adjustments do not affect. bpf_ktime_get_ns() and the timers of the event
 * loop use the same clock. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000000) + now.tv_nsec / 1000;
}

static inline uint64_t clock_msec(void)
{
	return clock_usec() / 1000;
}

static inline uint32_t clock_seconds(void)
{
	return clock_usec() / 1000000;
}
