/* SPDX-License-Identifier: GPL-2.0 */
/* The steps of an explanation, as JSON: a list of objects with a name and a text. No I/O. */
#pragma once

#include <jansson.h>

#define STEP_TEXT_SIZE 512 /* a longer text is cut */

/* Adds a step to the list. */
void steps_add(json_t *steps, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
