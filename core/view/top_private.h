/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by top*.c. */
#pragma once

#include "top.h"

enum top_cell {
	TOP_TEXT,
	TOP_NUMBER,
	TOP_ESTIMATE, /* a number of calls, with a mark if the row has `calls_error` */
	TOP_PERCENT,
	TOP_MILLISECONDS, /* of a value in microseconds; 0 is unknown */
};

struct top_column {
	const char *title; /* NULL ends the columns */
	const char *key;
	enum top_cell cell;
	int rank; /* a narrow screen omits the columns with the highest rank first; 0: never omitted */
};

#define TOP_COLUMNS 16
#define TOP_CELL_SIZE 256

extern const struct top_column top_columns[TOP_VIEWS][TOP_COLUMNS];

/* The rows of each view. `rates` are the rates of `stats`; NULL if unknown. */
json_t *top_backend_rows(const json_t *rates, const json_t *backends);
json_t *top_pool_rows(const json_t *backend_rows);
json_t *top_service_rows(const json_t *stats, const json_t *rates);
json_t *top_verdict_rows(const json_t *stats, const json_t *rates);

/* The text of a cell; "-" if its value is unknown. Returns `out`. */
char *top_cell_text(const struct top_column *column, const json_t *row, char out[TOP_CELL_SIZE]);

/* Replaces characters that a terminal might interpret. sipxdpd sends only ASCII names, but the reply may come from a
 * different program. Returns `out`. */
char *top_ascii(const char *text, char out[TOP_CELL_SIZE]);

/* "0", "4.2", "820", "12.3k", "1.5M". Returns `out`. */
char *top_number_text(double number, char out[TOP_CELL_SIZE]);

/* Returns the rows that match the filter, sorted: `count` pointers, which the caller must free. */
const json_t **top_select(const struct top *top, size_t *count);
