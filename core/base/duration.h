/* SPDX-License-Identifier: GPL-2.0 */
/* Times as people write them: 500ms, 2s, 5m, 1h, 7d. Pure. */
#pragma once

#include <stdint.h>

#define DURATION_TEXT_SIZE 16
#define SECOND 1000u /* in ms, as all times of the file */
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* Reads a whole number with its unit, which is never left out, into ms. 0, or -EINVAL. */
int duration_parse(const char *text, uint32_t *out);

/* Writes it in the largest unit that has no fraction, and returns `text`. */
const char *duration_format(uint32_t duration, char text[DURATION_TEXT_SIZE]);
