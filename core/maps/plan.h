/* SPDX-License-Identifier: GPL-2.0 */
/* An ordered list of steps that change the maps from their current contents to the desired contents. The maps are
 * consistent after each step, so a plan may stop after any step. Additions come first, then the switch of tables,
 * then removals. No I/O. */
#pragma once

#include "image.h"
#include "core/base/messages.h"

enum plan_kind {
	PLAN_BACKEND_RECORD,  /* backend_records[index] */
	PLAN_SERVICE_NAME,    /* service_names[index] */
	PLAN_POOL_NAME,       /* pool_names[index] */
	PLAN_TRACKED_CALLS,   /* deletes the tracked calls of the backend ids that are true in `value`, a bool[] by id:
				 these ids now belong to different backends */
	PLAN_COUNTED_CALLS,   /* the same for counted calls */
	PLAN_BACKEND_ZERO,    /* all counters of the backend `index` = 0: the id now belongs to a different backend */
	PLAN_SERVICE_ZERO,    /* all counters of the service `index` = 0 */
	PLAN_BACKEND,         /* backends[index] */
	PLAN_TABLE,           /* tables[index], which no pool uses yet */
	PLAN_PREVIOUS_OWNERS, /* previous_owners[index]: valid with the old table and with the new one */
	PLAN_POOL,            /* pools[index]: activates the new table, or starts or ends the tracking of calls */
	PLAN_ENTRY,           /* puts [key] into the hash map enum image_map `index` */
	PLAN_ENTRY_REMOVE,    /* removes [key] from that hash map */
	PLAN_NAT,             /* nat_settings */
	PLAN_STATE,           /* balancer_state */
	PLAN_PASSIVE,         /* passive_rules[index] */
	PLAN_GUARD,           /* guards[index] */
	PLAN_GUARD_ZERO,      /* the counters of the guard `index` = 0: the id now belongs to a different guard */
	PLAN_GUARD_CLASS,     /* guard_classes[index] */
	PLAN_GUARD_NAME,      /* guard_names[index] */
	PLAN_GUARD_LIST_NAME, /* guard_list_names[index] */
	PLAN_SERVICE_SURGE,   /* service_surges[index] */
	PLAN_BACKEND_SURGE,   /* backend_surges[index] */
};

struct plan_step {
	enum plan_kind kind;
	uint32_t index;
	/* Key and value point into one of the images. The values of PLAN_TRACKED_CALLS and PLAN_COUNTED_CALLS point
	 * into the plan. */
	const void *key;
	const void *value;
	struct slots *slots; /* the value of PLAN_TABLE and PLAN_PREVIOUS_OWNERS */
	struct pool pool;    /* the value of PLAN_POOL */
	char *text; /* description for the operator; NULL: the text of a different step describes this change */
};

/* The numbers of slots of a pool that change their owner. */
struct plan_moves {
	uint32_t pool;
	char name[NAME_SIZE];
	uint32_t moved;   /* slots that this plan moves */
	uint32_t cut;     /* those of `moved` whose calls do not stay on their backends */
	uint32_t waiting; /* slots that will move after the recording phase */
	uint32_t slots;
};

struct plan {
	struct plan_step *steps;
	size_t count;
	struct plan_moves *moves; /* one for each pool of the desired image */
	size_t move_count;
	bool *reassigned;            /* by id: the plan gives this id to a different backend */
	struct messages disruptions; /* changes of services that would move live calls to other servers, or end them */
};

/* Compares two images. Both must outlive the plan. */
struct plan *plan_new(const struct image *running, const struct image *desired);
void plan_free(struct plan *plan);

/* The description of the step for `sipxdp-ctl away` or `back`. */
const char *plan_away_text(bool away);

/* Does the step change the name of a pool, or the pool, the name or the address of a backend id? Call this before
 * plan_step_apply(). */
bool plan_step_renames(const struct plan_step *step, const struct image *running);

/* Applies the step to the image, so that the image matches the changed maps. */
void plan_step_apply(const struct plan_step *step, struct image *running);
