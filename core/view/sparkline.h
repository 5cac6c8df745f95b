/* SPDX-License-Identifier: GPL-2.0 */
/* A plot of one line: one character for each value. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SPARKLINE_BYTES 3 /* of one character, at most */

/* Plots `count` values into `out`, which has room for SPARKLINE_BYTES * count + 1 bytes. The highest value gets the
 * full height; only 0 gets the lowest height. Returns `out`: UTF-8 blocks, or ASCII without `utf8`. */
char *sparkline(const double *values, size_t count, bool utf8, char *out);
