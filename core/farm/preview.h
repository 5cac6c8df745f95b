/* SPDX-License-Identifier: GPL-2.0 */
/* Computes the effects of a different farm. `plan`, `reload` and all changes at runtime report them through
 * this one function. It starts from the current migrations, like the change itself, and changes nothing. No
 * I/O. */
#pragma once

#include "desired.h"
#include "core/maps/plan.h"

/* Descriptions of all steps, and the slots that move. */
struct effects {
	struct messages steps;
	struct messages dangers; /* changes that would move live calls to other servers: a reload refuses them */
	struct plan_moves *moves;
	size_t move_count;
};

struct preview_now {
	uint64_t ms;        /* of the clock of `desired` */
	uint32_t epoch;     /* seconds since the epoch */
	uint64_t listening; /* since when the daemon has listened (farm_judge) */
	uint64_t listened;  /* of the clock of listening.h */
};

/* Computes the effects of running `farm` instead of the configuration `before`. Changes `farm`: a backend of
 * unknown state counts as reachable and up, and the states of all backends are updated. */
void preview(struct effects *effects, const struct desired *desired, const struct config *before, struct farm *farm,
	const struct image *running, struct preview_now now);

void effects_free(struct effects *effects);
