/* SPDX-License-Identifier: GPL-2.0 */
/* Prints the results as a table or as JSON. */
#pragma once

#include <stdbool.h>
#include "measure.h"

struct result {
	bool wanted;
	struct samples samples;
	struct samples against; /* those of the build of --against, if given */
	uint32_t verified;
};

/* One result for each row of rows.h. */
void report_table(struct result *results);
void report_json(struct result *results);

/* The median of a row by its id; 0 if it was not timed. */
double report_median(struct result *results, const char *id);

/* The median of a row minus that of its floor. */
double report_net(struct result *results, const char *id);
