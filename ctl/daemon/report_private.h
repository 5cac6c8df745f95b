/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of report.h share. Nobody else's. */
#pragma once

#include "report.h"

/* Every verdict: its name, what it means, and whether it is usual and forwards. */
struct verdict_text {
	const char *name;
	const char *text;
	bool forwards;
	bool normal;
};

extern const struct verdict_text report_verdicts[VERDICT_COUNT];

/* Slots of a pool, as one id sees them. */
struct slot_counts {
	uint32_t owned;
	uint32_t coming;  /* shall be its own, and are another's yet */
	uint32_t leaving; /* are its own, and shall be another's */
	uint32_t left;    /* are another's, and it has the calls that were there */
};

/* By id: [65536], to be freed. */
struct slot_counts *report_slots(const struct daemon *daemon, uint32_t pool);

/* How many backends a pool has, and how many of them have slots. */
size_t report_backends(const struct farm_pool *pool);
size_t report_serving(const struct daemon *daemon, const struct farm_pool *pool);

json_t *report_address(const struct address *address);
