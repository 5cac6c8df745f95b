// SPDX-License-Identifier: GPL-2.0
/* See motion.h. */

#include <string.h>
#include "memory.h"
#include "motion.h"

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
	uint16_t *owners;
	uint16_t *former;
	struct progress *progress; /* by slot; NULL while nothing is in motion */
	uint32_t count;            /* slots in motion */
};

struct motion *motion_new(uint32_t slots)
{
	struct motion *motion = allocate(1, sizeof(*motion));

	motion->slots = slots;
	motion->owners = allocate(slots, sizeof(*motion->owners));
	motion->former = allocate(slots, sizeof(*motion->former));
	return motion;
}

static void *duplicate(const void *array, size_t count, size_t size)
{
	return memcpy(allocate(count, size), array, count * size);
}

struct motion *motion_copy(const struct motion *motion)
{
	struct motion *copy = duplicate(motion, 1, sizeof(*motion));

	copy->owners = duplicate(motion->owners, motion->slots, sizeof(*motion->owners));
	copy->former = duplicate(motion->former, motion->slots, sizeof(*motion->former));
	if (motion->progress)
		copy->progress = duplicate(motion->progress, motion->slots, sizeof(*motion->progress));
	return copy;
}

void motion_free(struct motion *motion)
{
	if (!motion)
		return;
	free(motion->owners);
	free(motion->former);
	free(motion->progress);
	free(motion);
}

static void begin(struct motion *motion, uint32_t slot, uint16_t former, uint64_t now)
{
	if (!motion->progress)
		motion->progress = allocate(motion->slots, sizeof(*motion->progress));
	motion->progress[slot] = (struct progress){.recorded = now};
	motion->former[slot] = former;
	motion->count++;
}

static void end(struct motion *motion, uint32_t slot)
{
	motion->former[slot] = 0;
	motion->count--;
}

/* Whether a slot that its former owner has is recorded, or has moved and come back, does
 * not show: it is taken for both, so that no note is forgotten before its time. */
void motion_adopt(struct motion *motion, const uint16_t *owners, const uint16_t *former, uint64_t now)
{
	memcpy(motion->owners, owners, motion->slots * sizeof(*owners));
	for (uint32_t slot = 0; slot < motion->slots; slot++) {
		if (!former[slot])
			continue;
		begin(motion, slot, former[slot], now);
		motion->progress[slot].moved = now;
	}
}

/* Whose the slot was is gone. If it has moved, the notes for others go on to count; where
 * nobody wants it, he goes on to be named for that. */
static void replace_former(struct motion *motion, uint32_t slot, uint16_t wanted)
{
	if (!motion->progress[slot].moved)
		end(motion, slot);
	else if (wanted)
		motion->former[slot] = wanted;
}

static void move(struct motion *motion, uint32_t slot, uint16_t wanted, uint64_t now)
{
	motion->owners[slot] = wanted;
	if (motion->former[slot])
		motion->progress[slot].moved = now;
}

/* One slot. Returns when it wants to be looked at again. */
static uint64_t step(struct motion *motion, uint32_t slot, uint16_t wanted, const bool *alive,
	const struct motion_rules *rules, uint64_t now)
{
	uint16_t owner = motion->owners[slot];
	struct progress *progress;

	if (motion->former[slot] && !alive[motion->former[slot]])
		replace_former(motion, slot, wanted);
	if (owner != wanted && !alive[owner])
		move(motion, slot, wanted, now);
	else if (owner != wanted && !motion->former[slot])
		begin(motion, slot, owner, now);
	if (!motion->former[slot])
		return MOTION_NEVER;
	progress = &motion->progress[slot];
	if (motion->owners[slot] != wanted) {
		if (now < progress->recorded + rules->record_time)
			return progress->recorded + rules->record_time;
		move(motion, slot, wanted, now);
	}
	if (progress->moved && now < progress->moved + rules->drain_timeout)
		return progress->moved + rules->drain_timeout;
	if (now < progress->held)
		return progress->held;
	if (rules->held && rules->held[slot] && motion->owners[slot]) {
		motion->former[slot] = motion->owners[slot]; /* what is not noted is the owner's from now on */
		progress->held = now + HELD_MSEC;
		return progress->held;
	}
	end(motion, slot);
	return MOTION_NEVER;
}

uint64_t motion_step(struct motion *motion, const uint16_t *wanted, const bool *alive, const struct motion_rules *rules,
	uint64_t now)
{
	uint64_t next = MOTION_NEVER;

	if (!motion->count && !memcmp(motion->owners, wanted, motion->slots * sizeof(*wanted)))
		return next;
	for (uint32_t slot = 0; slot < motion->slots; slot++) {
		uint64_t again = step(motion, slot, wanted[slot], alive, rules, now);

		if (again < next)
			next = again;
	}
	if (!motion->count) {
		free(motion->progress);
		motion->progress = NULL;
	}
	return next;
}

void motion_settle(struct motion *motion, const uint16_t *wanted)
{
	memcpy(motion->owners, wanted, motion->slots * sizeof(*wanted));
	memset(motion->former, 0, motion->slots * sizeof(*motion->former));
	free(motion->progress);
	motion->progress = NULL;
	motion->count = 0;
}

const uint16_t *motion_owners(const struct motion *motion)
{
	return motion->owners;
}

const uint16_t *motion_former(const struct motion *motion)
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
