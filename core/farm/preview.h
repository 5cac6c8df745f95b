/* SPDX-License-Identifier: GPL-2.0 */
/* What would follow if another farm ran: the one computation behind `plan`, and behind the answer of
 * `reload` and of each change by hand, which then do it. It starts from what is under way, as they
 * do, and changes nothing. Pure. */
#pragma once

#include "desired.h"
#include "core/maps/plan.h"

/* The steps in words, and the slots that move. */
struct effects {
	struct messages steps;
	struct messages dangers; /* what sends calls that are up to other servers: a reload refuses it */
	struct plan_moves *moves;
	size_t move_count;
};

struct preview_now {
	uint64_t ms;        /* of the clock of `desired` */
	uint32_t epoch;     /* seconds since the epoch */
	uint64_t listening; /* since when the daemon listens (farm_judge) */
	uint64_t listened;  /* ms of the clock of listening.h */
};

/* Of a farm, which is changed: its backends are taken to be reachable and alive where nothing is known of
 * them, and their states are brought up to date. `before` is the configuration that runs. */
void preview(struct effects *effects, const struct desired *desired, const struct config *before, struct farm *farm,
	const struct image *running, struct preview_now now);

void effects_free(struct effects *effects);
