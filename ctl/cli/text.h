/* SPDX-License-Identifier: GPL-2.0 */
/* Owns how text reaches the terminal. Nothing that came over the socket, from a file or
 * from the command line is printed by any other way. */
#pragma once

#include <stdio.h>

/* Once, before anything is printed. */
void text_open(void);

/* Prints with everything escaped that a terminal might act upon or that would deceive a
 * reader, except the ASCII characters in `allowed`. */
void text_put(FILE *out, const char *text, const char *allowed);

/* Columns of the terminal that a text takes which text_put has written. */
int text_width(const char *text);

/* "3d04h", "5h07m", "12m09s", "8s" */
void text_put_age(FILE *out, long long seconds);
