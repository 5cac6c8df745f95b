/* SPDX-License-Identifier: GPL-2.0 */
/* Computes the desired image of the maps from a farm. Owns the tables of all pools, so that a change costs
 * only as much as the slots that it concerns, and the migrations between owners. No I/O. */
#pragma once

#include "farm.h"
#include "core/table/migration.h"

struct desired;

struct desired *desired_new(void);
void desired_free(struct desired *desired);

/* Continues the owners and migrations of an image whose maps are being replaced: those of the new maps are a
 * copy of it (image_resized_copy()). Call it before the first desired_image(), with a time of the same clock. */
void desired_inherit(struct desired *desired, const struct farm *farm, const struct image *inherited, uint64_t now);

/* The desired image for a farm at the time `now`, ms of any one clock, compared with the running image. A pool
 * whose slots change their owners gets them in the one of its two tables that is not in use. A pool that does
 * not change has no table in the result. Free it with image_free(). */
struct image *desired_image(
	struct desired *desired, const struct farm *farm, const struct image *running, uint64_t now);

/* The same image for a preview: the state of the migrations stays as it is. The tables of pools in `desired`
 * are updated, because they depend on the farm alone. */
struct image *desired_preview(
	const struct desired *desired, const struct farm *farm, const struct image *running, uint64_t now);

/* The image of the time `made` has reached the maps only now, or in part: recording starts now. Call this
 * after each image. */
void desired_postpone(struct desired *desired, uint64_t made, uint64_t now);

/* When a migration needs the next image; MIGRATION_NEVER if none does. */
uint64_t desired_next(const struct desired *desired);

/* Ends the migration of a pool with the next image, even if calls are still at previous owners. */
void desired_finish_pool(struct desired *desired, uint32_t pool);

/* Names the slots of a pool with calls at a backend that is not their owner (migration_rules.held), for the
 * next image only. Takes ownership of `held`. */
void desired_hold_slots(struct desired *desired, uint32_t pool, bool *held);
