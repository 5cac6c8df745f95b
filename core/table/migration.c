// SPDX-License-Identifier: GPL-2.0
/* See migration.h. */

#include <string.h>
#include "core/base/memory.h"
#include "migration.h"

/* The times of a migrating slot: the start of its recording, and its last move (0: it has not moved since). */
struct progress {
	uint64_t recorded;
	uint64_t moved;
	uint64_t held;  /* the migration cannot end before this time, because calls remain elsewhere */
	uint64_t waits; /* since when the slot waits only for the group; 0: it does not wait */
	bool passed;    /* the moving phase has ended here: `previous` may become the owner */
	bool over;      /* the migration may end here, and waits only for the group */
	bool ended;     /* the other members have ended the moving phase without this balancer */
	bool settles;   /* in a group, at the end of the moving phase: `held` is the end of SETTLE_MSEC */
};

#define HELD_MSEC 10000 /* a held slot is examined again after this time */

/* In a group, the owner already receives every call that is not tracked, but the slot still migrates for this time: a
 * call may have begun at a previous owner after the tracked calls were read, or at a member that has not ended the
 * phase yet. */
#define SETTLE_MSEC 1000

struct migration {
	uint32_t slots;
	struct slots *owners;
	struct slots *previous;    /* NULL while no slot is migrating */
	struct progress *progress; /* by slot; NULL while no slot is migrating */
	uint32_t count;            /* number of migrating slots */
	uint64_t latest;           /* when a slot last began recording, or moved */
	bool missed;               /* no step since migration_adopt() or migration_missed() has known rules->others */
	struct migration_waits waits;
};

struct migration *migration_new(uint32_t slots)
{
	struct migration *migration = allocate(1, sizeof(*migration));

	migration->slots = slots;
	migration->owners = slots_new(slots);
	return migration;
}

struct migration *migration_copy(const struct migration *migration)
{
	struct migration *copy = allocate(1, sizeof(*copy));

	*copy = *migration;
	slots_hold(copy->owners);
	slots_hold(copy->previous);
	if (migration->progress)
		copy->progress = memcpy(allocate(migration->slots, sizeof(*copy->progress)), migration->progress,
			migration->slots * sizeof(*copy->progress));
	return copy;
}

void migration_free(struct migration *migration)
{
	if (!migration)
		return;
	slots_drop(migration->owners);
	slots_drop(migration->previous);
	free(migration->progress);
	free(migration);
}

/* Makes the arrays writable before a step. */
static void prepare(struct migration *migration)
{
	slots_own(&migration->owners);
	if (!migration->previous)
		migration->previous = slots_new(migration->slots);
	slots_own(&migration->previous);
	if (!migration->progress)
		migration->progress = allocate(migration->slots, sizeof(*migration->progress));
}

/* Frees the arrays when no slot is migrating any more. */
static void release_if_over(struct migration *migration)
{
	if (migration->count)
		return;
	slots_replace(&migration->previous, NULL);
	free(migration->progress);
	migration->progress = NULL;
}

static void begin_slot(struct migration *migration, uint32_t slot, uint16_t previous, uint64_t now)
{
	migration->progress[slot] = (struct progress){.recorded = now};
	migration->latest = now;
	migration->previous->ids[slot] = previous;
	migration->count++;
}

static void end_slot(struct migration *migration, uint32_t slot)
{
	migration->previous->ids[slot] = 0;
	migration->count--;
}

/* If owner and previous owner of a slot are equal, the maps do not show whether the slot is still recording, or has
 * moved away and back. Every slot therefore gets both times, so that no tracked call is deleted too early. */
void migration_adopt(struct migration *migration, struct slots *owners, struct slots *previous, uint64_t now)
{
	slots_replace(&migration->owners, owners);
	if (!previous)
		return;
	prepare(migration);
	migration->missed = true;
	for (uint32_t slot = 0; slot < migration->slots; slot++) {
		if (!previous->ids[slot])
			continue;
		begin_slot(migration, slot, previous->ids[slot], now);
		migration->progress[slot].moved = now;
	}
	release_if_over(migration);
}

void migration_missed(struct migration *migration)
{
	migration->missed = true;
}

bool migration_has_missed(const struct migration *migration)
{
	return migration->missed;
}

/* The previous owner is dead. If the slot has not moved, its migration ends. If it has moved, the migration continues,
 * because tracked calls may be at other backends; the wanted owner then becomes the previous owner, too. If there is no
 * wanted owner, the dead backend stays the previous owner, so that the migration continues. */
static void replace_previous(struct migration *migration, uint32_t slot, uint16_t wanted)
{
	if (!migration->progress[slot].moved)
		end_slot(migration, slot);
	else if (wanted)
		migration->previous->ids[slot] = wanted;
}

static void move_slot(struct migration *migration, uint32_t slot, uint16_t wanted, uint64_t now)
{
	migration->owners->ids[slot] = wanted;
	if (!migration->previous->ids[slot])
		return;
	migration->progress[slot].moved = now;
	migration->progress[slot].ended = false;
	migration->latest = now;
}

static bool contains(const uint64_t *set, uint32_t slot)
{
	return set[slot / 64] >> slot % 64 & 1;
}

/* The slot waits only for the group, from `since` on. Returns when it moves anyway. */
static uint64_t wait_for_group(
	struct migration *migration, uint32_t slot, uint64_t since, uint64_t patience, uint64_t now)
{
	struct progress *progress = &migration->progress[slot];

	if (!progress->waits)
		progress->waits = since;
	migration->waits.waiting += now < progress->waits + patience;
	migration->waits.overdue += now >= progress->waits + patience;
	return progress->waits + patience;
}

/* When the slot may move, although its owner is alive. After a second change, a slot that has moved before waits for
 * the group from now on, because it needs no further recording. */
static uint64_t move_time(struct migration *migration, uint32_t slot, const struct migration_rules *rules, uint64_t now)
{
	bool failing = rules->failing && rules->failing[migration->owners->ids[slot]];
	const struct progress *progress = &migration->progress[slot];
	uint64_t recorded = progress->recorded + rules->record_time;

	if (failing && (!rules->begun || contains(rules->begun, slot)))
		return 0;
	if (failing)
		return wait_for_group(migration, slot, now, rules->failing_patience, now);
	if (now < recorded || !rules->group || !contains(rules->group->recording, slot))
		return recorded;
	return wait_for_group(migration, slot, progress->moved ? now : recorded, rules->patience, now);
}

/* The moving phase of the slot is over. When it is over at all members, the owner receives every call that is not
 * tracked; if there is no owner, the previous owner keeps them. Ends the migration, unless calls are still at other
 * backends, or a different member still moves the slot. Returns when to call again. */
static uint64_t finish_slot(
	struct migration *migration, uint32_t slot, const struct migration_rules *rules, uint64_t now)
{
	struct progress *progress = &migration->progress[slot];
	uint16_t owner = migration->owners->ids[slot], *previous = &migration->previous->ids[slot];
	bool held = rules->held && rules->held[slot];
	bool is_moving = rules->group && contains(rules->group->moving, slot);
	bool differs = owner && *previous != owner;

	progress->passed = true;
	progress->over = !held;
	progress->settles = !held && rules->group && differs;
	if (differs && rules->group && contains(rules->group->unknown, slot))
		return MIGRATION_NEVER;
	if (!held && !is_moving && !progress->settles) {
		end_slot(migration, slot);
		return MIGRATION_NEVER;
	}
	if (!held && !progress->settles)
		return MIGRATION_NEVER; /* a different member still knows calls at other backends */
	if (owner)
		*previous = owner;
	progress->held = now + (held ? HELD_MSEC : SETTLE_MSEC);
	return progress->held;
}

/* The end of the moving phase of a slot that has moved. */
static uint64_t moving_end(const struct migration *migration, uint32_t slot, const struct migration_rules *rules)
{
	uint64_t end = migration->progress[slot].moved + rules->drain_timeout;

	if (migration->previous->ids[slot] == migration->owners->ids[slot] || end > rules->moving_until)
		return end;
	return rules->moving_until;
}

/* Must this step make up for an absence? */
static bool must_compare(const struct migration *migration, const struct migration_rules *rules)
{
	return migration->missed && rules->others;
}

/* After an absence: has the slot come to rest here, but not at the other members? */
static bool must_follow(const struct migration *migration, uint32_t slot, const struct migration_rules *rules)
{
	return must_compare(migration, rules) && contains(rules->others, slot) && migration->owners->ids[slot];
}

/* The same: has its moving phase ended there, but not here? */
static bool must_end(const struct migration *migration, uint32_t slot, const struct migration_rules *rules)
{
	return must_compare(migration, rules) && rules->others_agree && !contains(rules->others, slot);
}

/* The slot has moved at the others, and its calls may be anywhere. */
static void follow_slot(struct migration *migration, uint32_t slot, uint64_t now)
{
	begin_slot(migration, slot, migration->owners->ids[slot], now);
	migration->progress[slot].moved = now;
	migration->progress[slot].ended = true;
}

/* Advances one slot. Returns when to call again. */
static uint64_t step_slot(struct migration *migration, uint32_t slot, uint16_t wanted, const bool *alive,
	const struct migration_rules *rules, uint64_t now)
{
	const uint16_t *previous = &migration->previous->ids[slot];
	uint16_t owner = migration->owners->ids[slot];
	struct progress *progress;
	uint64_t again;

	if (*previous && !alive[*previous])
		replace_previous(migration, slot, wanted);
	if (owner != wanted && !alive[owner])
		move_slot(migration, slot, wanted, now);
	else if (!*previous && must_follow(migration, slot, rules))
		follow_slot(migration, slot, now);
	else if (owner != wanted && !*previous)
		begin_slot(migration, slot, owner, now);
	if (!*previous)
		return MIGRATION_NEVER;
	progress = &migration->progress[slot];
	progress->passed = progress->over = false;
	if (migration->owners->ids[slot] != wanted) {
		again = move_time(migration, slot, rules, now);
		if (now < again)
			return again;
		move_slot(migration, slot, wanted, now);
	}
	progress->waits = 0;
	progress->ended |= must_end(migration, slot, rules);
	again = moving_end(migration, slot, rules);
	if (progress->moved && now < again && !progress->ended) {
		migration->waits.prolonged += now >= progress->moved + rules->drain_timeout;
		return again;
	}
	if (now < progress->held) {
		progress->passed = *previous == migration->owners->ids[slot];
		progress->over = progress->settles;
		return progress->held;
	}
	return finish_slot(migration, slot, rules, now);
}

bool migration_is_complete(
	const struct migration *migration, const struct slots *wanted, const struct migration_rules *rules)
{
	return !migration->count && !must_compare(migration, rules) && slots_equal(migration->owners, wanted);
}

uint64_t migration_step(struct migration *migration, struct slots *wanted, const bool *alive,
	const struct migration_rules *rules, uint64_t now)
{
	uint64_t next = MIGRATION_NEVER, again;
	const uint16_t *owners, *previous;

	migration->waits = (struct migration_waits){0};
	if (migration_is_complete(migration, wanted, rules))
		return next;
	prepare(migration);
	owners = migration->owners->ids;
	previous = migration->previous->ids;
	for (uint32_t slot = 0; slot < migration->slots; slot++) {
		if (owners[slot] == wanted->ids[slot] && !previous[slot] && !must_follow(migration, slot, rules))
			continue; /* most slots */
		again = step_slot(migration, slot, wanted->ids[slot], alive, rules, now);
		if (again < next)
			next = again;
	}
	migration->missed &= !rules->others;
	release_if_over(migration);
	return next;
}

void migration_postpone(struct migration *migration, uint64_t step, uint64_t now)
{
	if (!migration->count || migration->latest != step)
		return;
	for (uint32_t slot = 0; slot < migration->slots; slot++) {
		struct progress *progress = &migration->progress[slot];

		if (progress->recorded == step)
			progress->recorded = now;
		if (progress->moved == step)
			progress->moved = now;
	}
	migration->latest = now;
}

void migration_finish(struct migration *migration, struct slots *wanted)
{
	slots_replace(&migration->owners, wanted);
	migration->count = 0;
	migration->waits = (struct migration_waits){0};
	release_if_over(migration);
}

struct slots *migration_owners(const struct migration *migration)
{
	return migration->owners;
}

struct slots *migration_previous(const struct migration *migration)
{
	return migration->previous;
}

bool migration_is_going_on(const struct migration *migration)
{
	return migration->count;
}

struct migration_phases migration_phases_new(size_t words)
{
	return (struct migration_phases){.recording = allocate(words, sizeof(uint64_t)),
		.moving = allocate(words, sizeof(uint64_t)),
		.unknown = allocate(words, sizeof(uint64_t))};
}

void migration_phases_free(struct migration_phases *phases)
{
	free(phases->recording);
	free(phases->moving);
	free(phases->unknown);
	*phases = (struct migration_phases){0};
}

void migration_phases(const struct migration *migration, const struct migration_rules *rules, uint64_t now,
	const struct migration_phases *out)
{
	memset(out->recording, 0, MIGRATION_WORDS(migration->slots) * sizeof(*out->recording));
	memset(out->moving, 0, MIGRATION_WORDS(migration->slots) * sizeof(*out->moving));
	memset(out->unknown, 0, MIGRATION_WORDS(migration->slots) * sizeof(*out->unknown));
	for (uint32_t slot = 0; migration->count && slot < migration->slots; slot++) {
		const struct progress *progress = &migration->progress[slot];
		uint64_t bit = UINT64_C(1) << slot % 64;

		if (!migration->previous->ids[slot])
			continue;
		out->recording[slot / 64] |= now < progress->recorded + rules->record_time ? bit : 0;
		out->moving[slot / 64] |= progress->over ? 0 : bit;
		out->unknown[slot / 64] |= progress->passed ? 0 : bit;
	}
}

struct migration_waits migration_waits(const struct migration *migration)
{
	return migration->waits;
}

bool tracked_call_has_dialog(const struct tracked_call *tracked)
{
	const struct dialogs *dialogs = &tracked->dialogs;

	return dialogs->known[0] || dialogs->known[1] || dialogs->overflow & CALL_MORE_DIALOGS;
}

static int64_t silence_limit(const struct tracked_call *tracked)
{
	if (tracked->kind == CALL_IS_CONNECTION)
		return MIGRATION_CONNECTION_SECONDS;
	return tracked_call_has_dialog(tracked) ? MIGRATION_CALL_SECONDS : MIGRATION_SETUP_SECONDS;
}

/* The kernel may have written the tracked call slightly later than `now`. */
bool tracked_call_is_live(const struct tracked_call *tracked, uint32_t now)
{
	return tracked->kind != CALL_IS_NONE && !tracked->ended &&
	       (int64_t)now - tracked->seen <= silence_limit(tracked);
}
