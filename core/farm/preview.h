/* SPDX-License-Identifier: GPL-2.0 */
/* Computes the effects of a change to the farm. `plan`, `reload` and all changes at runtime report their effects
 * through this function. It starts from the current migrations, as the change itself does, and does not write to the
 * maps. No I/O. */
#pragma once

#include "desired.h"
#include "core/maps/plan.h"

/* The effects: descriptions of all steps, and the slots that move. */
struct effects {
	struct messages steps;
	struct messages disruptions; /* changes that would move live calls to other servers, or end them: a reload
					refuses them */
	struct messages warnings;    /* only of a new file */
	struct plan_moves *moves;
	size_t move_count;
};

struct preview_now {
	uint64_t ms;           /* by the clock of `desired` */
	uint32_t epoch;        /* seconds since the epoch */
	uint64_t listening;    /* when the daemon started to receive responses (farm_decide_outage()) */
	uint64_t listened;     /* by the clock of listening.h */
	const bool *has_calls; /* by backend id: of removed_backends_find() */
};

/* Computes the effects of a change from the configuration `before` to `farm`. Modifies `farm`: marks backends of
 * unknown state as reachable and up, and updates the states of all backends. */
void preview(struct effects *effects, const struct desired *desired, const struct config *before, struct farm *farm,
	const struct image *running, struct preview_now now);

/* Adds a warning if no healthy backend of the pool accepts new calls. */
void preview_warn(const struct farm_pool *pool, struct messages *warnings);

void effects_free(struct effects *effects);
