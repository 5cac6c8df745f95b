/* SPDX-License-Identifier: GPL-2.0 */
/* Measures the processor time of this thread over many runs of a program. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "tests/prog/frame.h"

#define SAMPLES_MAX 512

struct samples {
	double value[SAMPLES_MAX];
	size_t count;
};

/* Binds this thread to a processor. 0 or -errno. */
int measure_pin(int cpu);

/* Processor time that this thread has used, ns. */
uint64_t measure_cpu_ns(void);

/* Wall clock, ns. */
uint64_t measure_wall_ns(void);

/* ns per run for `repeat` runs of a program over a frame; *action receives the result of the last run. Negative:
 * -errno. */
double measure_program(int program, const struct frame *frame, uint32_t repeat, uint32_t *action);

/* The median ns per run of a program that returns its own time, after `sweep` MiB of other memory were read between
 * runs. Negative: -errno. */
double measure_cold(int program, const struct frame *frame, uint32_t sweep);

void samples_add(struct samples *samples, double value);

/* The quantile `part` (0 to 1) of the values. Sorts them. */
double samples_quantile(struct samples *samples, double part);
