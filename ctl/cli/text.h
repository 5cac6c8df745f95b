/* SPDX-License-Identifier: GPL-2.0 */
/* Prints text safely to a terminal. All text from the socket, from files and from the command line goes through
 * text_put(). */
#pragma once

#include <stdio.h>

/* Call this once before any output. */
void text_open(void);

/* Prints text and escapes control characters and invisible or direction-changing characters, except the ASCII
 * characters in `allowed`. */
void text_put(FILE *out, const char *text, const char *allowed);

/* The width of the output of text_put(), in columns of the terminal. */
int text_width(const char *text);

/* Formats a duration: "3d04h", "5h07m", "12m09s" or "8s". */
void text_put_age(FILE *out, long long seconds);
