// SPDX-License-Identifier: GPL-2.0
/* See sparkline.h. */
#include <string.h>
#include "sparkline.h"

#define LEVELS 8

char *sparkline(const double *values, size_t count, bool utf8, char *out)
{
	static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const ascii[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
	double highest = 0;
	char *end = out;

	for (size_t i = 0; i < count; i++)
		if (values[i] > highest)
			highest = values[i];
	*out = '\0';
	for (size_t i = 0; i < count; i++) {
		int level = values[i] > 0 ? 1 + (int)(values[i] / highest * (LEVELS - 2) + 0.5) : 0;

		end = stpcpy(end, (utf8 ? blocks : ascii)[level]);
	}
	return out;
}
