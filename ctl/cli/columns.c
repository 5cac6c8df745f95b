// SPDX-License-Identifier: GPL-2.0
/* See columns.h. Formats all cells first, because the widest cell sets the width of its column. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "columns.h"
#include "text.h"

static void put_list(FILE *out, const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		fputs(i ? "," : "", out);
		text_put(out, json_is_string(item) ? json_string_value(item) : "?", "");
	}
}

static void put_number(FILE *out, const json_t *value)
{
	if (json_is_integer(value))
		fprintf(out, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		fprintf(out, "%.1f", json_real_value(value));
}

static void put_estimate(FILE *out, const char *name, const json_t *row)
{
	char name_of_error[64];
	json_int_t error;

	snprintf(name_of_error, sizeof(name_of_error), "%s_error", name);
	error = json_integer_value(json_object_get(row, name_of_error));
	fputs(error ? "~" : "", out);
	put_number(out, json_object_get(row, name));
	if (error)
		fprintf(out, " ±%lld", (long long)error);
}

static void put_cell(FILE *out, const struct column *column, const json_t *row)
{
	const json_t *value = json_object_get(row, column->key);

	switch (column->cell) {
	case CELL_TEXT:
		text_put(out, json_is_string(value) ? json_string_value(value) : "", "");
		break;
	case CELL_LIST:
		put_list(out, value);
		break;
	case CELL_YES:
		fputs(json_is_true(value) ? "yes" : "no", out);
		break;
	case CELL_NUMBER:
		put_number(out, value);
		break;
	case CELL_ESTIMATE:
		put_estimate(out, column->key, row);
		break;
	case CELL_PERCENT:
		if (json_is_number(value))
			fprintf(out, "%.1f%%", json_number_value(value));
		break;
	case CELL_USEC:
		if (json_integer_value(value))
			fprintf(out, "%.1fms", json_integer_value(value) / 1000.0);
		break;
	case CELL_SECONDS:
		if (json_is_integer(value))
			text_put_age(out, json_integer_value(value));
		break;
	case CELL_AGE:
		if (json_number_value(value) > 0)
			text_put_age(out, time(NULL) - (long long)json_number_value(value));
		break;
	}
}

/* The text of a cell, which the caller frees; NULL: out of memory. */
static char *cell_text(const struct column *column, const json_t *row)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return NULL;
	put_cell(out, column, row);
	if (ftell(out) == 0)
		fputc('-', out);
	fclose(out);
	return text;
}

static void put_padded(const struct column *column, const char *text, int width)
{
	bool right = column->cell >= CELL_NUMBER, last = !column[1].title;
	int padding = width - text_width(text);

	printf("%*s%s", right ? padding : 0, "", text);
	if (last)
		putchar('\n');
	else
		printf("%*s", right ? 2 : padding + 2, "");
}

/* Formats all cells, row by row, and computes the widths of the columns. NULL: out of memory. */
static char **make_cells(const json_t *rows, const struct column *columns, size_t count, int *widths)
{
	size_t cell_count = json_array_size(rows) * count;
	char **cells = calloc(cell_count, sizeof(*cells));

	for (size_t i = 0; i < count; i++)
		widths[i] = (int)strlen(columns[i].title);
	for (size_t i = 0; cells && i < cell_count; i++) {
		int width;

		cells[i] = cell_text(&columns[i % count], json_array_get(rows, i / count));
		width = cells[i] ? text_width(cells[i]) : 0;
		if (width > widths[i % count])
			widths[i % count] = width;
	}
	return cells;
}

void columns_print(const json_t *rows, const struct column *columns, const char *when_empty)
{
	size_t count = 0, row_count = json_array_size(rows);
	int widths[COLUMNS_MAX];
	char **cells;

	if (!row_count) {
		puts(when_empty);
		return;
	}
	while (count < COLUMNS_MAX && columns[count].title)
		count++;
	cells = make_cells(rows, columns, count, widths);
	for (size_t i = 0; i < count; i++)
		put_padded(&columns[i], columns[i].title, widths[i]);
	for (size_t i = 0; cells && i < row_count * count; i++) {
		put_padded(&columns[i % count], cells[i] ? cells[i] : "?", widths[i % count]);
		free(cells[i]);
	}
	free(cells);
}
