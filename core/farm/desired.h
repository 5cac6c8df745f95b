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

/* The configuration has changed, and with it perhaps the times of migrations: they need the next image now. */
void desired_reconfigured(struct desired *desired);

/* When a migration needs the next image; MIGRATION_NEVER if no migration needs one. */
uint64_t desired_next(const struct desired *desired);

/* Ends the migration of a pool with the next image, even if calls are still at previous owners. */
void desired_finish_pool(struct desired *desired, uint32_t pool);

/* Marks the slots of a pool that have calls at a backend other than the owner (migration_rules.held). The marks
 * apply to the next image only. Takes ownership of `held`. */
void desired_hold_slots(struct desired *desired, uint32_t pool, bool *held);

/* Makes the slots of all migrating pools wait for the other members of the group (migration_rules.group), in the next
 * image only. Call it while the group decides. */
void desired_read_group(
	struct desired *desired, const struct farm *farm, const struct image *running, const struct group *group);

/* The moving phases of all pools last at least until this time (migration_rules.moving_until). */
void desired_keep_moving(struct desired *desired, uint64_t until);

/* The other members of the group have not waited for this balancer for a while: see migration_missed(). */
void desired_missed(struct desired *desired);

/* Continues migrations of other members at a balancer whose maps are not in use yet. `owners` and `previous`: of each
 * slot that is migrating there; `previous` is 0 for other slots. Takes effect with the next image after the first
 * owners are known (`starting`). */
void desired_adopt(struct desired *desired, uint32_t pool, struct slots *owners, struct slots *previous);

/* The owners and previous owners of a pool; `*previous` is NULL if no slot is migrating. The caller holds the results
 * if it needs them after the next image. */
void desired_slots(const struct desired *desired, uint32_t pool, struct slots **owners, struct slots **previous);

/* The migration of a pool, for the other members of the group. */
struct desired_progress {
	bool is_migrating;
	uint64_t wanted; /* fingerprint of the wanted owners: equal at all balancers that want the same */
	struct migration_waits waits;
};

/* Writes the phases of a pool's slots at this balancer while it is migrating. `pool`: of the last image. Returns false
 * if the pool is unknown. */
bool desired_phases(struct desired *desired, const struct farm_pool *pool, uint64_t now,
	const struct migration_phases *out, struct desired_progress *progress);
