/* SPDX-License-Identifier: GPL-2.0 */
/* The way from what the maps hold to what they should hold: an ordered list of steps,
 * each harmless by itself, so that a plan that is cut short leaves a balancer that
 * forwards. Puts come first, then swaps, then removals. Pure. */
#pragma once

#include "image.h"
#include "core/base/messages.h"

enum plan_kind {
	PLAN_BACKEND_RECORD,  /* backend_records[index] */
	PLAN_SERVICE_NAME,    /* service_names[index] */
	PLAN_POOL_NAME,       /* pool_names[index] */
	PLAN_TRACKED_CALLS,   /* forget those for each id that value, bool[], says: it is somebody else's now */
	PLAN_BACKEND_ZERO,    /* backend_traffic[index] = 0: the id is somebody else's now */
	PLAN_SERVICE_ZERO,    /* service_traffic[index] = 0 */
	PLAN_BACKEND,         /* backends[index] */
	PLAN_TABLE,           /* tables[index], which no pool uses yet */
	PLAN_PREVIOUS_OWNERS, /* previous_owners[index]: each slot of it is right before and after */
	PLAN_POOL,            /* pools[index]: from now on the new table counts, or notes are taken */
	PLAN_ENTRY,           /* of the map enum image_map `index`: [key] */
	PLAN_ENTRY_REMOVE,    /* likewise, removed */
};

struct plan_step {
	enum plan_kind kind;
	uint32_t index;
	const void *key; /* lies in one of the images, as does (but for PLAN_TRACKED_CALLS) */
	const void *value;
	struct slots *slots; /* of PLAN_TABLE and PLAN_PREVIOUS_OWNERS: what holds the value */
	struct pool pool;    /* of PLAN_POOL, which has no `value` */
	char *text;          /* for people; NULL where another step tells the same */
};

/* Slots of a pool that get another owner. */
struct plan_moves {
	uint32_t pool;
	char name[NAME_SIZE];
	uint32_t moved;   /* with this plan */
	uint32_t waiting; /* later, when their calls have been recorded */
	uint32_t slots;
};

struct plan {
	struct plan_step *steps;
	size_t count;
	struct plan_moves *moves; /* of every pool that was there before and will be */
	size_t move_count;
	bool *renamed;           /* by id: is another backend's from now on */
	struct messages dangers; /* changes of services that send calls that are up to other servers */
};

/* Both images must outlive the plan. */
struct plan *plan_new(const struct image *running, const struct image *desired);
void plan_free(struct plan *plan);

/* Does to the image what carrying out the step does to the maps. */
void plan_step_apply(const struct plan_step *step, struct image *running);
