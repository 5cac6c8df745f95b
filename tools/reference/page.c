// SPDX-License-Identifier: GPL-2.0
/* See page.h. */
#include <string.h>
#include "page.h"

#define LINE_LENGTH 60 /* mandoc accepts at most 80; the last word may contain escapes */

/* A bar ends a table cell, also inside code, so it is escaped. */
static void put_markdown(FILE *out, const char *text)
{
	for (; *text; text++)
		fprintf(out, *text == '|' ? "\\%c" : "%c", *text);
}

static void put_man_character(FILE *out, char c, bool in_code)
{
	static const char *const escapes[] = {"\\\\e", "'\\(aq", "^\\(ha", "~\\(ti", NULL};

	for (size_t i = 0; escapes[i]; i++) {
		if (escapes[i][0] == c) {
			fputs(escapes[i] + 1, out);
			return;
		}
	}
	/* Without an escape, man may print a typographic hyphen, which a shell does not accept as an option. */
	fprintf(out, in_code && c == '-' ? "\\%c" : "%c", c);
}

/* No line may begin with a dot or an apostrophe. "\\&" prints nothing. */
static void put_man(FILE *out, const char *text, bool may_break)
{
	bool in_code = false, in_placeholder = false;
	long line = ftell(out);

	fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '`') {
			in_code = !in_code;
			fputs(in_code ? "\\fB" : "\\fR", out);
		} else if (*text == '*' && !in_code) {
			in_placeholder = !in_placeholder;
			fputs(in_placeholder ? "\\fI" : "\\fR", out);
		} else if (may_break && *text == ' ' && ftell(out) - line + strcspn(text + 1, " ") > LINE_LENGTH) {
			fputc('\n', out);
			line = ftell(out);
			fputs("\\&", out);
		} else {
			put_man_character(out, *text, in_code);
		}
	}
}

static void put(const struct page *page, const char *text, bool may_break)
{
	if (page->is_man)
		put_man(page->out, text, may_break);
	else
		put_markdown(page->out, text);
}

void page_heading(const struct page *page, int level, const char *title)
{
	if (page->is_man)
		fputs(".SS ", page->out);
	else
		fprintf(page->out, "\n%.*s ", level + 1, "######");
	put(page, title, false);
	fputc('\n', page->out);
}

void page_paragraph(const struct page *page, const char *text)
{
	if (!page->is_man)
		fputc('\n', page->out);
	put(page, text, true);
	fputc('\n', page->out);
}

void page_table(struct page *page, const char *const *columns)
{
	size_t count;

	page->columns = columns;
	if (page->is_man)
		return;
	fputs("\n|", page->out);
	for (count = 0; columns[count]; count++)
		fprintf(page->out, " %s |", columns[count]);
	fputs("\n|", page->out);
	while (count--)
		fputs("---|", page->out);
	fputc('\n', page->out);
}

static void put_man_row(const struct page *page, const char *const *cells)
{
	size_t last = 0;

	while (cells[last + 1])
		last++;
	fputs(".TP\n", page->out);
	put(page, cells[0], false);
	fputc('\n', page->out);
	put(page, cells[last], true);
	fputc('\n', page->out);
	for (size_t i = 1; i < last; i++) {
		if (!cells[i][0])
			continue;
		fprintf(page->out, ".br\n%s: ", page->columns[i]);
		put(page, cells[i], true);
		fputc('\n', page->out);
	}
}

void page_row(const struct page *page, const char *const *cells)
{
	if (page->is_man) {
		put_man_row(page, cells);
		return;
	}
	fputc('|', page->out);
	for (; *cells; cells++) {
		fputc(' ', page->out);
		put(page, *cells, false);
		fputs(" |", page->out);
	}
	fputc('\n', page->out);
}
