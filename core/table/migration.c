// SPDX-License-Identifier: GPL-2.0
/* See motion.h. */

#include <string.h>
#include "core/base/memory.h"
#include "migration.h"

/* Of a migrating slot: since when its calls are recorded, and when its owner changed last; 0 if
 * it has not since then. */
struct progress {
	uint64_t recorded;
	uint64_t moved;
	uint64_t held; /* until when its migration cannot end, because of calls elsewhere */
};

#define HELD_MSEC 10000 /* after which a slot that is held is looked at again */

struct motion {
	uint32_t slots;
	struct slots *owners;
	struct slots *former;      /* NULL while nothing is in motion */
	struct progress *progress; /* by slot; likewise */
	uint32_t count;            /* slots in motion */
	uint64_t latest;           /* when a slot began to be recorded, or moved, last */
};

struct motion *motion_new(uint32_t slots)
{
	struct motion *motion = allocate(1, sizeof(*motion));

	motion->slots = slots;
	motion->owners = slots_new(slots);
	return motion;
}

struct motion *motion_copy(const struct motion *motion)
{
	struct motion *copy = allocate(1, sizeof(*copy));

	*copy = *motion;
	slots_hold(copy->owners);
	slots_hold(copy->former);
	if (motion->progress)
		copy->progress = memcpy(allocate(motion->slots, sizeof(*copy->progress)), motion->progress,
			motion->slots * sizeof(*copy->progress));
	return copy;
}

void motion_free(struct motion *motion)
{
	if (!motion)
		return;
	slots_drop(motion->owners);
	slots_drop(motion->former);
	free(motion->progress);
	free(motion);
}

/* Slots may come into motion, or go on. */
static void set_out(struct motion *motion)
{
	slots_own(&motion->owners);
	if (!motion->former)
		motion->former = slots_new(motion->slots);
	slots_own(&motion->former);
	if (!motion->progress)
		motion->progress = allocate(motion->slots, sizeof(*motion->progress));
}

/* If nothing is in motion any more. */
static void arrive(struct motion *motion)
{
	if (motion->count)
		return;
	slots_replace(&motion->former, NULL);
	free(motion->progress);
	motion->progress = NULL;
}

static void begin(struct motion *motion, uint32_t slot, uint16_t former, uint64_t now)
{
	motion->progress[slot] = (struct progress){.recorded = now};
	motion->latest = now;
	motion->former->ids[slot] = former;
	motion->count++;
}

static void end(struct motion *motion, uint32_t slot)
{
	motion->former->ids[slot] = 0;
	motion->count--;
}

/* Whether a slot that its former owner has is recorded, or has moved and come back, does
 * not show: it is taken for both, so that no note is forgotten before its time. */
void motion_adopt(struct motion *motion, struct slots *owners, struct slots *former, uint64_t now)
{
	slots_replace(&motion->owners, owners);
	if (!former)
		return;
	set_out(motion);
	for (uint32_t slot = 0; slot < motion->slots; slot++) {
		if (!former->ids[slot])
			continue;
		begin(motion, slot, former->ids[slot], now);
		motion->progress[slot].moved = now;
	}
	arrive(motion);
}

/* Whose the slot was is gone. If it has moved, the notes for others go on to count; where
 * nobody wants it, he goes on to be named for that. */
static void replace_former(struct motion *motion, uint32_t slot, uint16_t wanted)
{
	if (!motion->progress[slot].moved)
		end(motion, slot);
	else if (wanted)
		motion->former->ids[slot] = wanted;
}

static void move(struct motion *motion, uint32_t slot, uint16_t wanted, uint64_t now)
{
	motion->owners->ids[slot] = wanted;
	if (!motion->former->ids[slot])
		return;
	motion->progress[slot].moved = now;
	motion->latest = now;
}

/* One slot. Returns when it wants to be looked at again. */
static uint64_t step(struct motion *motion, uint32_t slot, uint16_t wanted, const bool *alive,
	const struct motion_rules *rules, uint64_t now)
{
	const uint16_t *former = &motion->former->ids[slot];
	uint16_t owner = motion->owners->ids[slot];
	struct progress *progress;

	if (*former && !alive[*former])
		replace_former(motion, slot, wanted);
	if (owner != wanted && !alive[owner])
		move(motion, slot, wanted, now);
	else if (owner != wanted && !*former)
		begin(motion, slot, owner, now);
	if (!*former)
		return MOTION_NEVER;
	progress = &motion->progress[slot];
	if (motion->owners->ids[slot] != wanted) {
		if (now < progress->recorded + rules->record_time)
			return progress->recorded + rules->record_time;
		move(motion, slot, wanted, now);
	}
	if (progress->moved && now < progress->moved + rules->drain_timeout)
		return progress->moved + rules->drain_timeout;
	if (now < progress->held)
		return progress->held;
	if (rules->held && rules->held[slot] && motion->owners->ids[slot]) {
		motion->former->ids[slot] =
			motion->owners->ids[slot]; /* what is not noted is the owner's from now on */
		progress->held = now + HELD_MSEC;
		return progress->held;
	}
	end(motion, slot);
	return MOTION_NEVER;
}

bool motion_is_over(const struct motion *motion, const struct slots *wanted)
{
	return !motion->count && slots_equal(motion->owners, wanted);
}

uint64_t motion_step(
	struct motion *motion, struct slots *wanted, const bool *alive, const struct motion_rules *rules, uint64_t now)
{
	uint64_t next = MOTION_NEVER;

	if (motion_is_over(motion, wanted))
		return next;
	set_out(motion);
	for (uint32_t slot = 0; slot < motion->slots; slot++) {
		uint64_t again = step(motion, slot, wanted->ids[slot], alive, rules, now);

		if (again < next)
			next = again;
	}
	arrive(motion);
	return next;
}

void motion_postpone(struct motion *motion, uint64_t step, uint64_t now)
{
	if (!motion->count || motion->latest != step)
		return;
	for (uint32_t slot = 0; slot < motion->slots; slot++) {
		struct progress *progress = &motion->progress[slot];

		if (progress->recorded == step)
			progress->recorded = now;
		if (progress->moved == step)
			progress->moved = now;
	}
	motion->latest = now;
}

void motion_settle(struct motion *motion, struct slots *wanted)
{
	slots_replace(&motion->owners, wanted);
	motion->count = 0;
	arrive(motion);
}

struct slots *motion_owners(const struct motion *motion)
{
	return motion->owners;
}

struct slots *motion_former(const struct motion *motion)
{
	return motion->former;
}

bool motion_is_going_on(const struct motion *motion)
{
	return motion->count;
}

static int64_t patience(const struct note *note)
{
	if (note->kind == CALL_IS_CONNECTION)
		return MOTION_CONNECTION_SECONDS;
	return note->dialogs.known[0] || note->dialogs.known[1] ? MOTION_CALL_SECONDS : MOTION_SETUP_SECONDS;
}

/* The kernel may have written the note a moment later than `now`. */
bool motion_is_live(const struct note *note, uint32_t now)
{
	return note->kind != CALL_IS_NONE && !note->ended && (int64_t)now - note->seen <= patience(note);
}
