/* SPDX-License-Identifier: GPL-2.0 */
/* The guard's decision about one packet, as `explain` and `guard test` show it. No I/O. */
#pragma once

#include <jansson.h>
#include "bpf/explanation.h"
#include "core/maps/image.h"

#define GUARD_STEP_SIZE 320

/* Writes the decision as text, and as members of `object`: guard, guard_list, guard_result, guard_rule, guard_text.
 * Returns false if the packet has no service with a guard. */
bool guard_step(
	const struct image *image, const struct explanation *explanation, json_t *object, char text[GUARD_STEP_SIZE]);
