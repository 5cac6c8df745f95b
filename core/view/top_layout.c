// SPDX-License-Identifier: GPL-2.0
/* The lines of `sipxdp-ctl top`. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sparkline.h"
#include "top_private.h"

#define NUMBER_WIDTH 6 /* minimum width, so that columns do not move with each sample */
#define NARROW_TEXT 24 /* the longest text of a column, if the screen is too narrow otherwise */
#define ALERTS_SHOWN 3 /* maximum number of warnings, and of anomalies; fewer on a low screen */
#define LINES_PER_ALERT 6
#define HIGHEST_RANK 9

static const char *const view_names[] = {[TOP_BACKENDS] = "Backends",
	[TOP_POOLS] = "Pools",
	[TOP_SERVICES] = "Services",
	[TOP_VERDICTS] = "Verdicts",
	[TOP_SOURCES] = "Sources",
	[TOP_CALL_IDS] = "Call-IDs"};

struct page {
	struct top_line *lines;
	struct top_line unseen; /* placeholder for the lines below a full page */
	int count;
	int height; /* without the line of keys */
	int alerts; /* maximum number of warnings, and of anomalies */
	int width;
};

static struct top_line *next_line(struct page *page, enum top_style style)
{
	struct top_line *line = page->count < page->height ? &page->lines[page->count++] : &page->unseen;

	*line = (struct top_line){.style = style};
	return line;
}

/* Appends as much of the ASCII text to a line as fits. */
__attribute__((format(printf, 3, 4))) static void put(
	struct top_line *line, const struct page *page, const char *format, ...)
{
	size_t length = strlen(line->text), room = (size_t)page->width + 1 - length;
	va_list values;

	va_start(values, format);
	vsnprintf(line->text + length, room, format, values);
	va_end(values);
}

/* --- above the table */

static void put_totals(const struct top *top, struct page *page)
{
	char packets[TOP_CELL_SIZE] = "-", calls[TOP_CELL_SIZE] = "-";
	const json_t *item;
	size_t i, in_table = 0;
	double invites = 0;

	if (top->packets >= 0)
		top_number_text(top->packets, packets);
	if (top->first_view == TOP_SOURCES) {
		put(next_line(page, TOP_BOLD), page, "packets %s/s  sources shown %zu  Call-IDs shown %zu", packets,
			json_array_size(top->rows[TOP_SOURCES]), json_array_size(top->rows[TOP_CALL_IDS]));
		return;
	}
	json_array_foreach(top->rows[TOP_BACKENDS], i, item) in_table +=
		json_integer_value(json_object_get(item, "slots")) > 0;
	json_array_foreach(top->rows[TOP_SERVICES], i, item) invites +=
		json_number_value(json_object_get(item, "invites"));
	if (top->packets >= 0)
		top_number_text(invites, calls);
	put(next_line(page, TOP_BOLD), page,
		"packets %s/s  calls %s/s  services %zu  pools %zu  backends %zu, %zu in the table", packets, calls,
		json_array_size(top->rows[TOP_SERVICES]), json_array_size(top->rows[TOP_POOLS]),
		json_array_size(top->rows[TOP_BACKENDS]), in_table);
}

/* Plots the last minute, or the part that fits. The newest value is at the right end. */
static void put_history(const struct top *top, struct page *page, bool utf8)
{
	struct top_line *line = next_line(page, TOP_PLAIN);
	char number[TOP_CELL_SIZE], plot[TOP_HISTORY * SPARKLINE_BYTES + 1];
	int room = page->width - 18;
	size_t shown = top->history_count;
	double highest = 0;

	if (room <= 0 || !shown)
		return;
	if (shown > (size_t)room)
		shown = (size_t)room;
	for (size_t i = top->history_count - shown; i < top->history_count; i++)
		if (top->history[i] > highest)
			highest = top->history[i];
	snprintf(line->text, sizeof(line->text), "%s max %s/s",
		sparkline(top->history + top->history_count - shown, shown, utf8, plot),
		top_number_text(highest, number));
}

/* "no_backend: 3.0/s, 8.1k in total: ..." */
static void put_anomaly(struct page *page, const json_t *verdict)
{
	char rate[TOP_CELL_SIZE] = "-", total[TOP_CELL_SIZE];
	const json_t *packets = json_object_get(verdict, "packets");

	if (json_is_number(packets))
		top_number_text(json_number_value(packets), rate);
	put(next_line(page, TOP_ALERT), page, "anomaly: %s %s/s, %s in total: %s",
		json_string_value(json_object_get(verdict, "name")), rate,
		top_number_text(json_number_value(json_object_get(verdict, "total")), total),
		json_string_value(json_object_get(verdict, "text")));
}

/* Growing counters come before all others. */
static void put_anomalies(const struct top *top, struct page *page)
{
	int shown = 0;

	for (int growing = 1; growing >= 0; growing--) {
		const json_t *verdict;
		size_t i;

		json_array_foreach(top->rows[TOP_VERDICTS], i, verdict)
		{
			bool grows = json_number_value(json_object_get(verdict, "packets")) > 0;

			if (json_is_true(json_object_get(verdict, "alert")) && grows == growing &&
				shown++ < page->alerts)
				put_anomaly(page, verdict);
		}
	}
}

static void put_warnings(const struct top *top, struct page *page)
{
	const json_t *warning;
	size_t i;

	if (*top->message)
		put(next_line(page, TOP_ALERT), page, "%s", top->message);
	json_array_foreach(json_object_get(top->status, "warnings"), i, warning)
	{
		char text[TOP_CELL_SIZE];

		if ((int)i < page->alerts && json_is_string(warning))
			put(next_line(page, TOP_ALERT), page, "warning: %s",
				top_ascii(json_string_value(warning), text));
	}
}

static void put_views(const struct top *top, struct page *page, size_t selected)
{
	struct top_line *line = next_line(page, TOP_PLAIN);

	for (enum top_view view = top->first_view; view <= top->last_view; view++) {
		if (view == top->view) {
			line->mark = (int)strlen(line->text);
			line->mark_width = (int)strlen(view_names[view]) + 2;
		}
		put(line, page, view == top->view ? "[%s] " : " %s  ", view_names[view]);
	}
	put(line, page, " %zu of %zu", selected, json_array_size(top->rows[top->view]));
	if (*top->filter)
		put(line, page, ", filter: %s", top->filter);
}

/* --- the table */

static int longest(const struct top_column *column, const json_t **rows, size_t count)
{
	char text[TOP_CELL_SIZE];
	size_t width = strlen(column->title);

	for (size_t i = 0; i < count; i++)
		if (strlen(top_cell_text(column, rows[i], text)) > width)
			width = strlen(text);
	return column->cell != TOP_TEXT && width < NUMBER_WIDTH ? NUMBER_WIDTH : (int)width;
}

/* The width of a table with all columns up to this rank. */
static int table_width(const struct top_column *columns, const int *widths, int rank)
{
	int width = -2;

	for (size_t i = 0; columns[i].title; i++)
		if (columns[i].rank <= rank)
			width += widths[i] + 2;
	return width;
}

/* Fits the table into the page: shortens long text, then omits columns. 0: an omitted column. The last column of
 * text may be cut at the edge. */
static void fit_columns(const struct page *page, const struct top_column *columns, int *widths)
{
	int rank = HIGHEST_RANK;

	for (size_t i = 0; columns[i].title; i++) {
		bool is_last_text = !columns[i + 1].title && columns[i].cell == TOP_TEXT;

		if (is_last_text)
			widths[i] = (int)strlen(columns[i].title);
		else if (table_width(columns, widths, rank) > page->width && columns[i].cell == TOP_TEXT &&
			 widths[i] > NARROW_TEXT)
			widths[i] = NARROW_TEXT;
	}
	while (rank > 0 && table_width(columns, widths, rank) > page->width)
		rank--;
	for (size_t i = 0; columns[i].title; i++)
		if (columns[i].rank > rank)
			widths[i] = 0;
}

static void put_cell(
	struct top_line *line, const struct page *page, const struct top_column *column, const char *text, int width)
{
	const char *gap = *line->text ? "  " : "";

	if (!width)
		return;
	if (column->cell != TOP_TEXT)
		put(line, page, "%s%*s", gap, width, text);
	else if (column[1].title && (int)strlen(text) > width)
		put(line, page, "%s%.*s~", gap, width - 1, text);
	else if (column[1].title)
		put(line, page, "%s%-*s", gap, width, text);
	else
		put(line, page, "%s%s", gap, text);
}

static void put_titles(const struct top *top, struct page *page, const int *widths)
{
	const struct top_column *columns = top_columns[top->view];
	struct top_line *line = next_line(page, TOP_BOLD);

	for (size_t i = 0; columns[i].title; i++) {
		int start = (int)strlen(line->text);

		put_cell(line, page, &columns[i], columns[i].title, widths[i]);
		if (i == top->sorted[top->view]) {
			line->mark = start ? start + 2 : 0;
			line->mark_width = widths[i];
		}
	}
}

static void put_rows(struct top *top, struct page *page, const json_t **rows, size_t count, const int *widths)
{
	const struct top_column *columns = top_columns[top->view];
	char text[TOP_CELL_SIZE];

	top->visible = page->height > page->count ? (size_t)(page->height - page->count) : 0;
	if (top->scroll + top->visible > count)
		top->scroll = count > top->visible ? count - top->visible : 0;
	for (size_t row = top->scroll; row < count && row < top->scroll + top->visible; row++) {
		bool alert = json_is_true(json_object_get(rows[row], "alert"));
		struct top_line *line = next_line(page, alert ? TOP_ALERT : TOP_PLAIN);

		for (size_t i = 0; columns[i].title; i++)
			put_cell(line, page, &columns[i], top_cell_text(&columns[i], rows[row], text), widths[i]);
	}
}

/* --- the page */

static void put_keys(const struct top *top, struct page *page)
{
	const struct top_column *column = &top_columns[top->view][top->sorted[top->view]];
	struct top_line *line = &page->lines[page->height];

	*line = (struct top_line){.style = TOP_KEYS};
	if (top->typing)
		put(line, page, "filter: %s_   Enter keep   Esc clear", top->filter);
	else
		put(line, page, "q quit  Tab view  < > sort (%s%s)  r reverse  / filter  arrows scroll", column->title,
			top->reversed[top->view] ? ", reversed" : "");
}

void top_layout(struct top *top, int width, int height, bool utf8, struct top_line *lines)
{
	struct page page = {.lines = lines,
		.height = height - 1,
		.alerts = height < ALERTS_SHOWN * LINES_PER_ALERT ? height / LINES_PER_ALERT : ALERTS_SHOWN,
		.width = width < TOP_LINE_SIZE / SPARKLINE_BYTES ? width : TOP_LINE_SIZE / SPARKLINE_BYTES};
	const struct top_column *columns = top_columns[top->view];
	int widths[TOP_COLUMNS];
	const json_t **rows;
	size_t count;

	rows = top_select(top, &count);
	put_totals(top, &page);
	put_history(top, &page, utf8);
	put_warnings(top, &page);
	put_anomalies(top, &page);
	put_views(top, &page, count);
	for (size_t i = 0; columns[i].title; i++)
		widths[i] = longest(&columns[i], rows, count);
	fit_columns(&page, columns, widths);
	put_titles(top, &page, widths);
	put_rows(top, &page, rows, count, widths);
	while (page.count < page.height)
		next_line(&page, TOP_PLAIN);
	put_keys(top, &page);
	free(rows);
}
