/* SPDX-License-Identifier: GPL-2.0 */
/* Computes the desired image of the maps from a farm. Owns the tables and the migrations of all pools. Because it
 * keeps the tables, the cost of a change depends only on the slots that change. No I/O. */
#pragma once

#include "farm.h"
#include "core/table/migration.h"

struct desired;

struct desired *desired_new(void);
void desired_free(struct desired *desired);

/* Continues the owners and migrations of old maps whose contents image_resized_copy() has copied into new maps. Call
 * it before the first desired_image(), with a time of the same clock. */
void desired_inherit(struct desired *desired, const struct farm *farm, const struct image *inherited, uint64_t now);

/* Computes the desired image for a farm at the time `now`, in ms; all calls must use the same clock. If slots of a
 * pool change their owners, the image has the new owners in the pool's unused table (each pool has two tables). An
 * unchanged pool has no table in the image. The caller has updated the states of all backends of the farm
 * (farm_update_state()). Free the image with image_free(). */
struct image *desired_image(
	struct desired *desired, const struct farm *farm, const struct image *running, uint64_t now);

/* Computes the same image for a preview: does not change the state of the migrations. Updates the tables in
 * `desired`, because they depend only on the farm. */
struct image *desired_preview(
	const struct desired *desired, const struct farm *farm, const struct image *running, uint64_t now);

/* Reports that the image of the time `made` was written to the maps, at least in part, at the time `now`. The phases
 * of migrations that began with this image then count from `now`. Call it after each attempt to write an image. */
void desired_postpone(struct desired *desired, uint64_t made, uint64_t now);

/* When a migration needs the next image; MIGRATION_NEVER if no migration needs one. */
uint64_t desired_next(const struct desired *desired);

/* Ends the migration of a pool with the next image, even if calls are still at previous owners. */
void desired_finish_pool(struct desired *desired, uint32_t pool);

/* Marks the slots of a pool that have calls at a backend other than the owner (migration_rules.held). The marks
 * apply to the next image only. Takes ownership of `held`. */
void desired_hold_slots(struct desired *desired, uint32_t pool, bool *held);
