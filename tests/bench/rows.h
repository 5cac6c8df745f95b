/* SPDX-License-Identifier: GPL-2.0 */
/* The measurements of the bench: configured programs (setups), and the frame for each (rows). A new measurement is a
 * new row in rows.c. */
#pragma once

#include "subject.h"

#define NO_ROW (-1)

struct row {
	const char *id;    /* for --only, --json and the targets */
	const char *group; /* heading above the row */
	const char *text;
	int setup; /* index into setups */
	enum message message;
	uint32_t sweep;    /* MiB that are read before each run, so that the caches hold something else; 0: runs are
			      repeated */
	const char *needs; /* id of a row that must have run before, or NULL */
	const char *floor; /* id of the row that is subtracted and divided by */
	const char *flow;  /* id of the same program's flow-hashing row, or NULL */
	uint32_t action;   /* what the program must return [XDP_TX] */
	int verdict;       /* the counter that must increase; VERDICT_CONTINUE: not checked */
};

extern const struct subject_setup setups[];
extern const struct row rows[];
extern const int setup_count, row_count;

/* Index of a row, or NO_ROW. */
int row_find(const char *id);
