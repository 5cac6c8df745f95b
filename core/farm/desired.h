/* SPDX-License-Identifier: GPL-2.0 */
/* From what is to run (farm) to what the maps should hold (image). Owns the tables of all
 * pools, so that a change costs only the slots that it concerns, and what is migrating
 * between them. Pure. */
#pragma once

#include "farm.h"
#include "core/table/migration.h"

struct desired;

struct desired *desired_new(void);
void desired_free(struct desired *desired);

/* Starts with the owners and migrations of an image whose maps are to be replaced, of the same pools and
 * slots (image_heir). To be called before the first desired_image(); `now` is a time of its clock. */
void desired_inherit(struct desired *desired, const struct farm *farm, const struct image *heir, uint64_t now);

/* What the maps should hold for a farm at a time, ms of one clock, next to what they hold
 * now: a pool whose slots are to change gets them in that one of its two tables that is
 * not in use. Pools that do not change have no table in the result. To be given to
 * image_free. */
struct image *desired_image(
	struct desired *desired, const struct farm *farm, const struct image *running, uint64_t now);

/* The same as if that were the farm from now on; nothing is remembered of it. `desired` caches the
 * tables of pools, which follow from the farm alone. */
struct image *desired_preview(
	const struct desired *desired, const struct farm *farm, const struct image *running, uint64_t now);

/* The image that was made at the time `made` has come into the maps only now, or may have in part:
 * calls are recorded since then. To be told after each image. */
void desired_postpone(struct desired *desired, uint64_t made, uint64_t now);

/* When something migrating wants the image made anew; MIGRATION_NEVER if nothing does. */
uint64_t desired_next(const struct desired *desired);

/* Ends the migration of a pool with the next image, calls or not. */
void desired_finish_pool(struct desired *desired, uint32_t pool);

/* Says which slots of a pool have calls at a backend that is not their owner (migration_rules.held),
 * for the next image alone. Takes the list, to be given to free. */
void desired_hold_slots(struct desired *desired, uint32_t pool, bool *held);
