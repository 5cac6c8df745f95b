/* SPDX-License-Identifier: GPL-2.0 */
/* Runs frames through a loaded XDP program with BPF_PROG_TEST_RUN and reads its counters. Works with any program. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "frame.h"

#define RUN_REASON_SIZE 160

/* Properties of a driver; newer kernels let a test set them. */
struct run_options {
	uint32_t direct; /* bytes that are directly readable; the others are in further buffers [a page] */
	uint32_t taken;  /* bytes of metadata in front of the frame; a multiple of 4 */
};

/* Returns whether this process may load XDP programs. If not, `reason` says why. */
bool run_is_allowed(char reason[RUN_REASON_SIZE]);

/* Runs one frame through a program, in place. Returns the XDP action, or -errno: -EINVAL for options that this
 * kernel does not support. */
int run_frame(int program, struct frame *frame, const struct run_options *options);

/* One element of a per-CPU map of __u64 counters, summed over all CPUs. */
void run_counters(int map, uint32_t key, uint64_t *sums, size_t count);

/* Ends the test with the text of errno if `error` is not 0. */
void run_must(int error, const char *what);
