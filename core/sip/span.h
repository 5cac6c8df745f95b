/* SPDX-License-Identifier: GPL-2.0 */
/* A span of bytes, from which pieces are taken at the front: how SIP headers (RFC 3261,
 * section 7.3) are read. Pure; the bytes may be any, and need no NUL. */
#pragma once

#include <stdbool.h>

struct span {
	const char *at, *end;
};

/* Blank, tab, CR and LF are space. */
bool span_is_space(char c);
bool span_is_newline(char c);

/* Without the space at both ends. */
struct span span_trim(struct span span);

/* In letters of either case. */
bool span_equals(struct span span, const char *text);

/* Digits alone; -1 when it is no number, or one of more than 9 digits. */
long span_number(struct span span);

/* Takes what is before the first `separator`, and that too; all, if there is none. */
struct span span_take(struct span *rest, char separator);

/* Takes up to an unquoted `a` or `b`, which stays. */
struct span span_take_unquoted(struct span *rest, char a, char b);

/* Takes a line with the lines that continue it (7.3.1); none continues a blank one. False
 * if no newline ends it; then it is all that is left. */
bool span_take_line(struct span *rest, struct span *line);

/* Takes the name of a header, in full or compact (NULL: there is none), off its line.
 * False if it is another's. */
bool span_take_name(struct span *line, const char *name, const char *compact);
