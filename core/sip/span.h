/* SPDX-License-Identifier: GPL-2.0 */
/* A span (slice) of bytes. SIP headers (RFC 3261, section 7.3) are parsed by taking pieces from
 * the front of a span. The bytes are arbitrary and need no terminating NUL. Pure. */
#pragma once

#include <stdbool.h>

struct span {
	const char *at, *end;
};

/* Is it a blank, tab, CR or LF? */
bool span_is_space(char c);
bool span_is_newline(char c);

/* The span without the space at both ends. */
struct span span_trim(struct span span);

/* Compares without regard to case. */
bool span_equals(struct span span, const char *text);

/* The number of a span of 1 to 9 digits; -1 for any other span. */
long span_number(struct span span);

/* Takes the part before the first `separator`, and removes the separator, too. Takes all if
 * there is no separator. */
struct span span_take(struct span *rest, char separator);

/* Takes the part before the first unquoted `a` or `b`, which stays in `rest`. */
struct span span_take_unquoted(struct span *rest, char a, char b);

/* Takes a line with its continuation lines (section 7.3.1). A blank line has none. False if no
 * newline ends the line: `line` is then all of `rest`. */
bool span_take_line(struct span *rest, struct span *line);

/* Removes the header name, in its full or compact form (NULL: there is none), from the line.
 * False if the line is a different header. */
bool span_take_name(struct span *line, const char *name, const char *compact);
