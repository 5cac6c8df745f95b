/* SPDX-License-Identifier: GPL-2.0 */
/* The lines of the text of metrics. Private to metrics.c and metrics_backends.c. */
#pragma once

#include "metrics.h"

struct text {
	char *bytes;
	size_t length, room;
	bool openmetrics;
};

#define LABELS 4

struct label {
	const char *name, *value;
};

/* A name or value of NULL ends the labels. */
struct labels {
	struct label list[LABELS + 1];
};

#define NO_LABELS                                                                                                      \
	(struct labels)                                                                                                \
	{                                                                                                              \
	}

/* The labels of a counter of bpf/counters.h. */
struct counter {
	enum counter_kind kind;
	const char *method, *detail;
};

/* An element of the lists in bpf/counters.h. */
#define COUNTER(name, kind, method, detail, help) {COUNTER_##kind, method, detail},

/* Adds a string without escapes. */
void metrics_put(struct text *text, const char *string);

/* Begins a metric. */
void metrics_put_family(struct text *text, const struct metric_text *metric);

void metrics_put_sample(struct text *text, enum metric metric, struct labels labels, uint64_t value);
void metrics_put_real(struct text *text, enum metric metric, struct labels labels, double value);

/* Writes the times of one event, unless there are none. `labels` has room for one more label. */
void metrics_put_histogram(
	struct text *text, enum metric metric, struct labels labels, const struct setup_times *times, int event);

/* In metrics_backends.c. */
void metrics_put_pools(struct text *text, const struct metrics *metrics);
void metrics_put_backends(struct text *text, const struct metrics *metrics);
