// SPDX-License-Identifier: GPL-2.0

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <bpf/bpf.h>
#include "measure.h"

int measure_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

uint64_t measure_cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t measure_wall_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

double measure_program(int program, const struct frame *frame, uint32_t repeat, uint32_t *action)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame->data, .data_size_in = frame->length, .repeat = repeat);
	uint64_t start = measure_cpu_ns();
	int error = bpf_prog_test_run_opts(program, &run);
	uint64_t end = measure_cpu_ns();

	if (error)
		return error;
	*action = run.retval;
	return (double)(end - start) / repeat;
}

#define COLD_RUNS 7
#define LINE 64

/* Reads a byte of each cache line, which evicts other data from the caches. */
static int sweep_caches(uint32_t mebibytes)
{
	static volatile uint8_t *memory;
	static size_t size;
	size_t wanted = (size_t)mebibytes << 20;

	if (size < wanted) {
		free((void *)memory);
		memory = malloc(wanted);
		size = memory ? wanted : 0;
		if (!memory)
			return -ENOMEM;
		memset((void *)memory, 1, size); /* otherwise all pages would be the same zero page */
	}
	for (size_t at = 0; at < wanted; at += LINE)
		memory[at];
	return 0;
}

double measure_cold(int program, const struct frame *frame, uint32_t sweep)
{
	struct samples runs = {};

	for (int i = 0; i < COLD_RUNS; i++) {
		uint32_t ns = 0;
		int error = sweep_caches(sweep);
		double time = error ? error : measure_program(program, frame, 1, &ns);

		if (time < 0)
			return time;
		samples_add(&runs, ns);
	}
	return samples_quantile(&runs, 0.5);
}

void samples_add(struct samples *samples, double value)
{
	if (samples->count < SAMPLES_MAX)
		samples->value[samples->count++] = value;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double samples_quantile(struct samples *samples, double part)
{
	size_t at = part * (samples->count - 1) + 0.5;

	if (!samples->count)
		return 0;
	qsort(samples->value, samples->count, sizeof(double), by_value);
	return samples->value[at];
}
