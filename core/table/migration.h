/* SPDX-License-Identifier: GPL-2.0 */
/* Changes the owners of a pool's slots without moving a live call (docs/design/migration.md). A slot whose owner is
 * dead moves at once. For any other slot, the kernel first records the calls, then the slot moves. The previous owner
 * keeps its calls until the migration ends. `previous_owners` in bpf/abi.h describes what the kernel does with
 * a migrating slot. No I/O. All times are ms of the same clock; any clock will do. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "bpf/abi_calls.h"
#include "slots.h"

struct migration;

/* Sets of migrating slots, one bit for each slot: bit slot % 64 of word slot / 64. */
struct migration_phases {
	uint64_t *recording; /* slots whose calls have not been recorded for record_time yet */
	uint64_t *moving;    /* slots whose migration must not end yet */
	uint64_t *unknown;   /* those of `moving` whose calls without an entry still go to the previous owner */
};

#define MIGRATION_WORDS(slots) (((slots) + 63) / 64)

/* Empty sets of MIGRATION_WORDS() words. */
struct migration_phases migration_phases_new(size_t words);

/* Frees the sets, and sets the pointers to NULL. */
void migration_phases_free(struct migration_phases *phases);

struct migration_rules {
	uint64_t record_time;   /* the recording phase: from its start to the move */
	uint64_t drain_timeout; /* the moving phase: from the move to the end of the migration */
	/* By slot: true if the slot has tracked calls at a backend other than its owner. Its migration then continues
	 * beyond drain_timeout, for these calls only. NULL: false for all slots. */
	const bool *held;
	/* By id: true if new calls must leave the backend at once. Its slots move without a recording phase; it stays
	 * their previous owner. NULL: false for all backends. In a group, such a slot waits for `failing_patience`
	 * until it migrates at all members: a member then tracks the calls that begin at others. */
	const bool *failing;
	const uint64_t *begun; /* the slots that migrate at all members; NULL: no group */
	/* The slots that migrate at other members; NULL: no group, or its members want different owners. The first step
	 * that knows them after migration_adopt() and migration_missed() makes up for what has been missed. It ends the
	 * moving phase of slots that do not migrate elsewhere: the others, of whom one agrees, have ended it without
	 * this balancer, and do not track new calls any more. And it tracks the calls of slots that still migrate there
	 * and are at rest here. */
	const uint64_t *others;
	bool others_agree;
	uint64_t failing_patience;
	/* The moving phase of no slot ends before this time, because a balancer may send calls that it does not know to
	 * the previous owners (group_separation()). */
	uint64_t moving_until;
	/* The phases of the same slots at the members of a group of balancers, as all members know them. A slot moves
	 * and ends only when no member has it in the set of this phase. After it has waited for `patience`, a slot
	 * moves anyway. NULL: no group. */
	const struct migration_phases *group;
	uint64_t patience;
};

#define MIGRATION_NEVER UINT64_MAX

/* The migration of a pool with this number of slots, all without an owner. All functions of this file abort when
 * memory is exhausted. */
struct migration *migration_new(uint32_t slots);
void migration_free(struct migration *migration);
struct migration *migration_copy(const struct migration *migration);

/* Continues after a restart of the daemon, with the owners and previous owners of the maps. A migrating
 * slot that must still move records again for the whole record_time. A migrating slot that has moved keeps its previous
 * owner for a whole drain_timeout from `now`. */
void migration_adopt(struct migration *migration, struct slots *owners, struct slots *previous, uint64_t now);

/* The other members of the group have not waited for this balancer for a while. */
void migration_missed(struct migration *migration);

/* Must the next step know migration_rules.others? */
bool migration_has_missed(const struct migration *migration);

/* Advances all slots towards the wanted owners. `alive`, indexed by id, marks the backends that can receive packets.
 * Returns when to call again, MIGRATION_NEVER when no slot is migrating. */
uint64_t migration_step(struct migration *migration, struct slots *wanted, const bool *alive,
	const struct migration_rules *rules, uint64_t now);

/* Reports that the result of the step at the time `step` took effect only at `now`. The phases that began with this
 * step then count from `now`. */
void migration_postpone(struct migration *migration, uint64_t step, uint64_t now);

/* Makes all wanted owners current at once, even if calls are still at previous owners. */
void migration_finish(struct migration *migration, struct slots *wanted);

/* The current owners, and the previous owner of each migrating slot (0 for other slots; NULL while no slot is
 * migrating). The results are valid until the next call, or longer if the caller holds them. */
struct slots *migration_owners(const struct migration *migration);
struct slots *migration_previous(const struct migration *migration);

/* Returns true if a step would change nothing. */
bool migration_is_complete(
	const struct migration *migration, const struct slots *wanted, const struct migration_rules *rules);

bool migration_is_going_on(const struct migration *migration);

/* Writes the phases of all slots at the time `now`. Both sets have MIGRATION_WORDS() words. */
void migration_phases(const struct migration *migration, const struct migration_rules *rules, uint64_t now,
	const struct migration_phases *out);

/* Of the last step, numbers of slots */
struct migration_waits {
	uint32_t waiting;   /* only for the group */
	uint32_t overdue;   /* moved because they have waited for too long */
	uint32_t prolonged; /* still moving because of moving_until */
};

struct migration_waits migration_waits(const struct migration *migration);

/* A call or connection without packets counts as live for this time. For a call with a known dialog this is the
 * recommended session interval (RFC 4028, section 4). For a pending INVITE it is timer C, more than 180 s, with a
 * margin (RFC 3261, section 16.6). For a TCP connection it is the keep-alive interval (RFC 1122, section 4.2.3.6). */
#define MIGRATION_CALL_SECONDS 1800
#define MIGRATION_SETUP_SECONDS 300
#define MIGRATION_CONNECTION_SECONDS 7200

/* Has the call a dialog that may be live, or more dialogs than are known? */
bool tracked_call_has_dialog(const struct tracked_call *tracked);

/* Is the tracked call live at this time, in seconds of CLOCK_MONOTONIC? */
bool tracked_call_is_live(const struct tracked_call *tracked, uint32_t now);
