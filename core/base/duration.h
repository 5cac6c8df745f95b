/* SPDX-License-Identifier: GPL-2.0 */
/* Durations as users write them: 500ms, 2s, 5m, 1h, 7d. No I/O. */
#pragma once

#include <stdint.h>

#define DURATION_TEXT_SIZE 16
#define SECOND 1000u /* ms, like all durations of the configuration */
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* Converts a whole number with a required unit into ms. 0 or -EINVAL. */
int duration_parse(const char *text, uint32_t *out);

/* Writes the duration in the largest unit that gives a whole number. Returns `text`. */
const char *duration_format(uint32_t duration, char text[DURATION_TEXT_SIZE]);
