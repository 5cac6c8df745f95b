/* SPDX-License-Identifier: GPL-2.0 */
/* Owns how a list of objects becomes lines with aligned columns. */
#pragma once

#include <jansson.h>

#define COLUMNS_MAX 24

enum cell {
	CELL_TEXT,
	CELL_LIST, /* of texts */
	CELL_YES,  /* or no */
	CELL_NUMBER,
	CELL_PERCENT,
	CELL_USEC, /* as milliseconds; 0 is none */
	CELL_SECONDS,
	CELL_AGE, /* of a time in seconds since the epoch */
};

struct column {
	const char *title; /* NULL ends the columns */
	const char *key;
	enum cell cell;
};

/* Prints the rows, or `when_empty` if there are none. A cell with nothing in it is "-". */
void columns_print(const json_t *rows, const struct column *columns, const char *when_empty);
