/* SPDX-License-Identifier: GPL-2.0 */
/* A span (slice) of arbitrary bytes without a terminating NUL. Parsers of SIP headers (RFC 3261, section 7.3) take
 * pieces from the front of a span. No I/O. */
#pragma once

#include <stdbool.h>

struct span {
	const char *at, *end;
};

bool span_is_empty(struct span span);

/* Is the character a space, tab, CR or LF? */
bool span_is_space(char c);
bool span_is_newline(char c);

/* The span without white space at both ends. */
struct span span_trim(struct span span);

/* Compares the span with the text, ignoring case. */
bool span_equals(struct span span, const char *text);

/* The value of a span of 1 to 9 digits; -1 for any other span. */
long span_number(struct span span);

/* Takes the part before the first `separator` and removes the separator. Takes the complete span if there is no
 * separator. */
struct span span_take(struct span *rest, char separator);

/* Takes the part before the first unquoted `a` or `b`, which stays in `rest`. */
struct span span_take_unquoted(struct span *rest, char a, char b);

/* Takes a parameter with the `;` before it (section 7.3.1). `value` is empty if it has none. Both are without white
 * space at their ends. Returns false if `rest` does not begin with `;`. */
bool span_take_parameter(struct span *rest, struct span *name, struct span *value);

/* Takes a line with its continuation lines (section 7.3.1). A blank line has no continuation lines. Returns false
 * and sets `line` to all of `rest` if the line does not end in a newline. */
bool span_take_line(struct span *rest, struct span *line);

/* Removes the header name, in its full or compact form (NULL: no compact form), from the line. Returns false if the
 * line is a different header. */
bool span_take_name(struct span *line, const char *name, const char *compact);
