// SPDX-License-Identifier: GPL-2.0
/* See duration.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "duration.h"

static const struct {
	const char *name;
	uint32_t duration;
} units[] = {{"d", DAY}, {"h", HOUR}, {"m", MINUTE}, {"s", SECOND}, {"ms", 1}};

#define UNITS (sizeof(units) / sizeof(units[0]))

int duration_parse(const char *text, uint32_t *out)
{
	size_t digits = strspn(text, "0123456789"), i;
	uint64_t count;

	if (digits == 0 || digits > 9 || (text[0] == '0' && digits > 1))
		return -EINVAL;
	count = strtoul(text, NULL, 10);
	for (i = 0; i < UNITS; i++) {
		if (strcmp(text + digits, units[i].name) != 0 || count > UINT32_MAX / units[i].duration)
			continue;
		*out = count * units[i].duration;
		return 0;
	}
	return -EINVAL;
}

const char *duration_format(uint32_t duration, char text[DURATION_TEXT_SIZE])
{
	size_t i = 0;

	while (duration && duration % units[i].duration)
		i++;
	if (duration == 0)
		strcpy(text, "0s");
	else
		snprintf(text, DURATION_TEXT_SIZE, "%u%s", duration / units[i].duration, units[i].name);
	return text;
}
