/* SPDX-License-Identifier: GPL-2.0 */
/* What the bench times: programs set up in some way (setups), and which frame each gets
 * (rows). A new thing to be timed is a new row in rows.c. */
#pragma once

#include "subject.h"

#define NO_ROW (-1)

struct row {
	const char *id;    /* for --only, --json and the targets */
	const char *group; /* under which it is printed */
	const char *text;
	int setup; /* index into setups */
	enum message message;
	uint32_t sweep;    /* MiB that are read before each run, so that the caches hold something else; 0: runs are
			      repeated */
	const char *needs; /* id of a row that must have run before, or NULL */
	const char *floor; /* id of the row that is subtracted and divided by */
	const char *flow;  /* id of the same program's flow-hashing row, or NULL */
	uint32_t action;   /* what the program must return [XDP_TX] */
	int verdict;       /* which counter must move; VERDICT_CONTINUE: not looked at */
};

extern const struct subject_setup setups[];
extern const struct row rows[];
extern const int setup_count, row_count;

/* Index of a row, or NO_ROW. */
int row_find(const char *id);
