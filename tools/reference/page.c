// SPDX-License-Identifier: GPL-2.0
/* See page.h. */
#include <string.h>
#include "page.h"

/* A table ends at a bar, also at one in code. */
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
	/* An unescaped hyphen may become a typographic one, which cannot be copied to a shell. */
	fprintf(out, in_code && c == '-' ? "\\%c" : "%c", c);
}

/* The text must not begin a line with a dot: a font request before it hides it. */
static void put_man(FILE *out, const char *text)
{
	bool in_code = false, in_placeholder = false;

	fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '`') {
			in_code = !in_code;
			fputs(in_code ? "\\fB" : "\\fR", out);
		} else if (*text == '*' && !in_code) {
			in_placeholder = !in_placeholder;
			fputs(in_placeholder ? "\\fI" : "\\fR", out);
		} else {
			put_man_character(out, *text, in_code);
		}
	}
}

static void put(const struct page *page, const char *text)
{
	if (page->is_man)
		put_man(page->out, text);
	else
		put_markdown(page->out, text);
}

void page_heading(const struct page *page, int level, const char *title)
{
	if (page->is_man)
		fputs(".SS ", page->out);
	else
		fprintf(page->out, "\n%.*s ", level + 1, "######");
	put(page, title);
	fputc('\n', page->out);
}

void page_paragraph(const struct page *page, const char *text)
{
	if (!page->is_man)
		fputc('\n', page->out);
	put(page, text);
	fputc('\n', page->out);
}

void page_table(const struct page *page, const char *const *columns)
{
	size_t count;

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

static void put_man_row(const struct page *page, const char *const cells[])
{
	const char *separator = " (";

	fputs(".TP\n", page->out);
	put(page, *cells);
	for (cells++; cells[1]; cells++) {
		if (!**cells)
			continue;
		fputs(separator, page->out);
		put(page, *cells);
		separator = "; ";
	}
	fprintf(page->out, "%s\n", *separator == ';' ? ")" : "");
	put(page, *cells);
	fputc('\n', page->out);
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
		put(page, *cells);
		fputs(" |", page->out);
	}
	fputc('\n', page->out);
}
