/* SPDX-License-Identifier: GPL-2.0 */
/* The times in which calls are set up (struct setup_times of bpf/abi_return.h), for display. No I/O. */
#pragma once

#include <stdint.h>
#include "bpf/abi_return.h"

#define SETUP_UNKNOWN UINT64_MAX

/* Times in us. The kernel counts times in buckets, so a percentile is the upper limit of its bucket. SETUP_UNKNOWN: no
 * calls, or above the last limit. */
struct setup_summary {
	uint64_t calls; /* sampled calls with this event */
	uint64_t mean, median, p95;
};

struct setup_summary setup_summary(const struct setup_times *times, enum setup_event event);

/* The name of an event in JSON and in labels: "response", "status", "answer". */
const char *setup_event_name(enum setup_event event);
