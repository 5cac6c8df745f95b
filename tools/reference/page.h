/* SPDX-License-Identifier: GPL-2.0 */
/* Writes lists in Markdown and in the man(7) macros. A text may contain `code` and *PLACEHOLDERS*, as in
 * Markdown. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct page {
	FILE *out;
	bool is_man;
	const char *const *columns; /* of the table that is being written */
};

/* Writes a heading in the generated part. Level 1 is the highest. */
void page_heading(const struct page *page, int level, const char *title);
void page_paragraph(const struct page *page, const char *text);

/* Starts a table in Markdown, or a list of terms in man. NULL ends the columns, which must outlive the rows. */
void page_table(struct page *page, const char *const *columns);

/* A row has the columns of its table. The manual shows the first cell as the term, the last one as its text,
 * and the cells between them, except empty ones, on separate lines: "default: 10". */
void page_row(const struct page *page, const char *const *cells);
