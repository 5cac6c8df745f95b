/* SPDX-License-Identifier: GPL-2.0 */
/* Writes lists in Markdown and in the man(7) macros. A text may contain `code` and *PLACEHOLDERS*, as in
 * Markdown. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct page {
	FILE *out;
	bool is_man;
};

/* Headings of the generated part: 1 is the highest. */
void page_heading(const struct page *page, int level, const char *title);
void page_paragraph(const struct page *page, const char *text);

/* A table in Markdown, a list of terms in man. NULL ends the columns. */
void page_table(const struct page *page, const char *const *columns);

/* A row has the columns of its table. The manual shows the first cell as the term, the last one as its text,
 * and the cells between them in brackets behind the term, except empty ones. */
void page_row(const struct page *page, const char *const *cells);
