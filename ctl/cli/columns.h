/* SPDX-License-Identifier: GPL-2.0 */
/* Prints a list of JSON objects as lines with aligned columns. */
#pragma once

#include <jansson.h>

#define COLUMNS_MAX 24

enum cell {
	CELL_TEXT,
	CELL_LIST, /* texts, separated by commas */
	CELL_YES,  /* "yes" or "no" */
	CELL_NUMBER,
	CELL_ESTIMATE, /* a number; "~640 ±320" if the row also has the key with "_error" appended, and it is not 0 */
	CELL_PERCENT,
	CELL_USEC,    /* microseconds, printed as milliseconds; 0 is empty */
	CELL_SECONDS, /* a duration; null is empty */
	CELL_AGE,     /* the value is in seconds since the epoch; the cell shows the time elapsed since then */
};

struct column {
	const char *title; /* NULL ends the columns */
	const char *key;
	enum cell cell;
};

/* Prints the rows, or `when_empty` if there are none. An empty cell is "-". */
void columns_print(const json_t *rows, const struct column *columns, const char *when_empty);
