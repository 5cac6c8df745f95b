// SPDX-License-Identifier: GPL-2.0
/* See steps.h. */
#include <stdarg.h>
#include <stdio.h>
#include "core/control/protocol.h"
#include "steps.h"

void steps_add(json_t *steps, const char *name, const char *format, ...)
{
	char text[STEP_TEXT_SIZE];
	va_list values;

	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	json_array_append_new(steps, json_pack("{s:s, s:o}", "name", name, "text", protocol_text(text)));
}
