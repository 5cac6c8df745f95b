/* SPDX-License-Identifier: GPL-2.0 */
/* What the files plan*.c share. */
#pragma once

#include "plan.h"

/* What is compared, and the plan as far as it is made. */
struct draft {
	const struct image *running;
	const struct image *desired;
	struct plan *plan;
	bool *told; /* by service id: a step has words for it; NULL: none has */
};

struct plan_step *plan_add_step(struct draft *draft, enum plan_kind kind, uint32_t index, const void *value);

void plan_say(struct plan_step *step, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The names of services and what was said of backends that were added, before anything else; hints,
 * services and ranges, after the pools. */
void plan_names(struct draft *draft);
void plan_entries(struct draft *draft);
