/* SPDX-License-Identifier: GPL-2.0 */
/* Prints what was measured: a table for people, or JSON. */
#pragma once

#include <stdbool.h>
#include "measure.h"

struct result {
	bool wanted;
	struct samples samples;
	struct samples against; /* the other build's, if there is one */
	uint32_t verified;
};

/* One result for each row of rows.h. */
void report_table(struct result *results);
void report_json(struct result *results);

/* The median of a row by its id; 0 where it was not timed. */
double report_median(struct result *results, const char *id);

/* ... and less that of its floor. */
double report_net(struct result *results, const char *id);
