/* SPDX-License-Identifier: GPL-2.0 */
/* Takes times: the processor time of this thread over many runs of a program. */
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

/* ns that each of `repeat` runs of a program over a frame takes; what the last returned goes
 * to *action. Negative: -errno. */
double measure_program(int program, const struct frame *frame, uint32_t repeat, uint32_t *action);

/* ns that a run takes of a program that returns them, when `sweep` MiB of other memory have been
 * read since the last one: the median of some runs. Negative: -errno. */
double measure_cold(int program, const struct frame *frame, uint32_t sweep);

void samples_add(struct samples *samples, double value);

/* The value that `part` of all (0 to 1) do not exceed. Sorts. */
double samples_quantile(struct samples *samples, double part);
