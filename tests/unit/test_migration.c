// SPDX-License-Identifier: GPL-2.0
/* The migration of slots. Rows show the phases of one slot. A property test sends thousands of calls through
 * random changes, applies the kernel's rule for migrating slots, and checks the backend of each message. */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/table/migration.h"

#define A 1
#define B 2
#define C 3
#define IDS 6

static const struct migration_rules rules = {.record_time = 32, .drain_timeout = 1000};

/* Input at a time: wanted owner and live backends (bits; FAILS() of those that fail). Then the expected state of the
 * slot. */
struct moment {
	uint64_t now;
	uint16_t wanted;
	unsigned int alive;
	uint16_t owner, previous;
	const char *because;
};

#define BIT(id) (1U << (id))
#define FAILS(id) (1U << (16 + (id)))
#define ALL (BIT(A) | BIT(B) | BIT(C))
#define MOMENTS 8

struct story {
	const char *name;
	struct moment moments[MOMENTS];
};

static const struct story stories[] = {
	{"a first owner gets the slot at once", {{0, A, ALL, A, 0, "there are no calls yet"}}},
	{"a planned change records, moves and ends",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{41, B, ALL, A, A, "not quite 32"},
			{42, B, ALL, B, A, "moved"},
			{1041, B, ALL, B, A, "still"},
			{1042, B, ALL, B, 0, "done"},
		}},
	{"a change that is reverted while it records has no effect",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{20, A, ALL, A, 0, "nothing has moved"},
		}},
	{"a change that is reverted after the move keeps the new calls",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{42, B, ALL, B, A, "moved"},
			{50, A, ALL, A, A, "at once, because all new calls are tracked; the tracked calls of B stay"},
			{1049, A, ALL, A, A, "still"},
			{1050, A, ALL, A, 0, "done"},
		}},
	{"a second change after the first one has moved needs no recording",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{42, B, ALL, B, A, "moved"},
			{60, C, ALL, C, A, "calls that are not tracked still belong to A"},
			{1059, C, ALL, C, A, "the time counts from the last change"},
			{1060, C, ALL, C, 0, "done"},
		}},
	{"a second change during recording replaces the first one",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{20, C, ALL, A, A, "recording continues"},
			{42, C, ALL, C, A, "moved"},
		}},
	{"a dead owner loses the slot at once", {{0, A, ALL, A, 0, "start"}, {5, B, ALL & ~BIT(A), B, 0, "dead"}}},
	{"a dead owner loses a recording slot at once",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{20, B, ALL & ~BIT(A), B, 0, "all tracked calls belong to the dead backend"},
		}},
	{"after the death of the previous owner the owner receives the rest",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{42, B, ALL, B, A, "moved"},
			{50, B, ALL & ~BIT(A), B, B, "tracked calls may belong to any backend"},
			{1042, B, ALL & ~BIT(A), B, 0, "done"},
		}},
	{"after the death of the new owner the next one owns the slot, and the previous owner keeps its calls",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{42, B, ALL, B, A, "moved"},
			{50, C, ALL & ~BIT(B), C, A, "at once"},
		}},
	{"both backends die",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{42, B, ALL, B, A, "moved"},
			{50, C, BIT(C), C, C, "tracked calls may belong to any backend"},
		}},
	{"a failing owner loses the slot at once, and keeps its calls",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL | FAILS(A), B, A, "no recording"},
			{1009, B, ALL | FAILS(A), B, A, "still"},
			{1010, B, ALL | FAILS(A), B, 0, "done"},
		}},
	{"a failing owner that works again gets the slot back after its calls have been recorded",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL | FAILS(A), B, A, "no recording"},
			{20, A, ALL, B, A, "the migration has recorded for 10 of 32"},
			{42, A, ALL, A, A, "back"},
			{1042, A, ALL, A, 0, "done"},
		}},
	{"an owner that fails while its slot records",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{20, B, ALL | FAILS(A), B, A, "at once"},
		}},
	{"a new owner that fails",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{42, B, ALL, B, A, "moved"},
			{50, C, ALL | FAILS(B), C, A, "all calls of B are tracked"},
		}},
	{"a failing owner that dies",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL | FAILS(A), B, A, "no recording"},
			{20, B, ALL & ~BIT(A), B, B, "tracked calls may belong to any backend"},
		}},
	{"the only owner stops accepting new calls",
		{
			{0, A, ALL, A, 0, "start"},
			{10, 0, ALL, A, A, "recording"},
			{42, 0, ALL, 0, A, "new calls are refused"},
			{50, A, ALL, A, A, "until it accepts them again"},
		}},
	{"a previous owner dies while no backend takes new calls",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{42, B, ALL, B, A, "moved"},
			{50, 0, ALL, 0, A, "new calls are refused"},
			{60, 0, ALL & ~BIT(A), 0, A, "the tracked calls of B stay"},
			{70, C, ALL & ~BIT(A), C, C, "tracked calls may belong to any backend"},
		}},
	{"all backends die",
		{
			{0, A, ALL, A, 0, "start"},
			{10, 0, 0, 0, 0, "none"},
			{20, B, BIT(B), B, 0, "the first backend owns it at once"},
		}},
};

static uint16_t owner_of(const struct migration *migration, uint32_t slot)
{
	return migration_owners(migration)->ids[slot];
}

static uint16_t previous_owner_of(const struct migration *migration, uint32_t slot)
{
	return migration_previous(migration) ? migration_previous(migration)->ids[slot] : 0;
}

/* One step of a migration of `count` slots. */
static uint64_t step_to(struct migration *migration, const uint16_t *wanted, uint32_t count, const bool *alive,
	const struct migration_rules *with, uint64_t now)
{
	struct slots *slots = slots_copy(wanted, count);
	uint64_t next = migration_step(migration, slots, alive, with, now);

	slots_drop(slots);
	return next;
}

Test(migration, one_slot)
{
	for (size_t i = 0; i < sizeof(stories) / sizeof(*stories); i++) {
		struct migration *migration = migration_new(1);

		for (size_t j = 0; j < MOMENTS && stories[i].moments[j].because; j++) {
			const struct moment *moment = &stories[i].moments[j];
			bool alive[IDS], failing[IDS];
			const struct migration_rules with = {.record_time = rules.record_time,
				.drain_timeout = rules.drain_timeout,
				.failing = failing};

			for (int id = 0; id < IDS; id++) {
				alive[id] = moment->alive & BIT(id);
				failing[id] = moment->alive & FAILS(id);
			}
			step_to(migration, &moment->wanted, 1, alive, &with, moment->now);
			cr_expect(owner_of(migration, 0) == moment->owner &&
					  previous_owner_of(migration, 0) == moment->previous,
				"%s, at %d (%s): owner %u, previous %u", stories[i].name, (int)moment->now,
				moment->because, owner_of(migration, 0), previous_owner_of(migration, 0));
			cr_expect_eq(migration_is_going_on(migration), moment->previous != 0);
		}
		migration_free(migration);
	}
}

Test(migration, a_step_returns_the_time_of_the_next_step)
{
	const bool alive[IDS] = {false, true, true, true};
	uint16_t wanted[2] = {A, A};
	struct migration *migration = migration_new(2);

	cr_assert_eq(step_to(migration, wanted, 2, alive, &rules, 0), MIGRATION_NEVER);
	wanted[0] = B;
	cr_assert_eq(step_to(migration, wanted, 2, alive, &rules, 100), 132);
	wanted[1] = B;
	cr_assert_eq(step_to(migration, wanted, 2, alive, &rules, 110), 132, "the first of both");
	cr_assert_eq(step_to(migration, wanted, 2, alive, &rules, 132), 142);
	cr_assert_eq(step_to(migration, wanted, 2, alive, &rules, 142), 1132);
	cr_assert_eq(step_to(migration, wanted, 2, alive, &rules, 1132), 1142);
	cr_assert_eq(step_to(migration, wanted, 2, alive, &rules, 1142), MIGRATION_NEVER);
	migration_free(migration);
}

Test(migration, postponed_times_count_from_the_effect)
{
	const bool alive[IDS] = {false, true, true, true};
	uint16_t wanted[2] = {A, A};
	struct migration *migration = migration_new(2);

	step_to(migration, wanted, 2, alive, &rules, 0);
	wanted[0] = B;
	step_to(migration, wanted, 2, alive, &rules, 100);
	wanted[1] = B;
	step_to(migration, wanted, 2, alive, &rules, 110);
	migration_postpone(migration, 110, 125);
	step_to(migration, wanted, 2, alive, &rules, 142);
	cr_assert_eq(owner_of(migration, 0), B, "recording since 100");
	cr_assert_eq(owner_of(migration, 1), A);
	cr_assert_eq(step_to(migration, wanted, 2, alive, &rules, 150), 157);
	step_to(migration, wanted, 2, alive, &rules, 157);
	cr_assert_eq(owner_of(migration, 1), B);
	migration_free(migration);
}

Test(migration, a_restarted_daemon_continues)
{
	const bool alive[IDS] = {false, true, true, true};
	const uint16_t wanted[3] = {B, B, C};
	struct slots *owners = slots_copy((const uint16_t[]){A, B, C}, 3);
	struct slots *previous = slots_copy((const uint16_t[]){A, A, 0}, 3);
	struct migration *migration = migration_new(3);

	migration_adopt(migration, owners, previous, 500);
	slots_drop(owners);
	slots_drop(previous);
	cr_assert_eq(step_to(migration, wanted, 3, alive, &rules, 500), 532, "recording started again");
	cr_assert_eq(owner_of(migration, 0), A);
	step_to(migration, wanted, 3, alive, &rules, 532);
	cr_assert_eq(owner_of(migration, 0), B);
	step_to(migration, wanted, 3, alive, &rules, 1500);
	cr_assert_eq(previous_owner_of(migration, 1), 0, "ended after the whole time");
	cr_assert_eq(previous_owner_of(migration, 0), A);
	migration_free(migration);
}

Test(migration, finish_ends_a_migration_at_once)
{
	const bool alive[IDS] = {false, true, true, true};
	uint16_t wanted = A;
	struct slots *settled;
	struct migration *migration = migration_new(1);

	step_to(migration, &wanted, 1, alive, &rules, 0);
	wanted = B;
	step_to(migration, &wanted, 1, alive, &rules, 1);
	settled = slots_copy(&wanted, 1);
	migration_finish(migration, settled);
	slots_drop(settled);
	cr_assert_eq(owner_of(migration, 0), B);
	cr_assert_eq(previous_owner_of(migration, 0), 0);
	cr_assert_eq(step_to(migration, &wanted, 1, alive, &rules, 2), MIGRATION_NEVER);
	migration_free(migration);
}

Test(migration, a_call_is_live_until_its_end_or_a_long_silence)
{
	static const struct {
		uint32_t kind, seen, ended, now;
		uint32_t dialog; /* 0: an INVITE is pending */
		bool live;
	} rows[] = {
		{CALL_IS_INVITE, 5000, 0, 5000, 2, true},
		{CALL_IS_INVITE, 5000, 0, 6800, 2, true},
		{CALL_IS_INVITE, 5000, 0, 6801, 2, false},
		{CALL_IS_INVITE, 5000, 0, 5300, 0, true},
		{CALL_IS_INVITE, 5000, 0, 5301, 0, false},
		{CALL_IS_INVITE, 5000, 5001, 5002, 2, false},
		{CALL_IS_SUBSCRIPTION, 5000, 0, 6800, 2, true},
		{CALL_IS_CONNECTION, 5000, 0, 12200, 0, true},
		{CALL_IS_CONNECTION, 5000, 0, 12201, 0, false},
		{CALL_IS_NONE, 5000, 0, 5000, 0, false},
		{CALL_IS_INVITE, 60, 0, 100, 2, true}, /* soon after the machine has booted */
		{CALL_IS_INVITE, 101, 0, 100, 2, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct tracked_call tracked = {.backend = A,
			.kind = rows[i].kind,
			.seen = rows[i].seen,
			.ended = rows[i].ended,
			.dialogs = {.pending = !rows[i].dialog, .known = {0, rows[i].dialog}}};

		cr_expect_eq(tracked_call_is_live(&tracked, rows[i].now), rows[i].live, "row %zu", i);
	}
}

/* A slot with live calls at its previous owner continues to migrate: tracked calls stay there, and the owner
 * receives everything else. */
Test(migration, a_slot_with_calls_elsewhere_is_held)
{
	const bool alive[IDS] = {false, true, true, true, true, true};
	const struct migration_rules holding = {
		.record_time = rules.record_time, .drain_timeout = rules.drain_timeout, .held = (const bool[]){true}};
	struct migration *migration = migration_new(1);
	uint16_t wanted = A;
	uint64_t now, moved;

	step_to(migration, &wanted, 1, alive, &rules, 0);
	wanted = B;
	step_to(migration, &wanted, 1, alive, &rules, 0);
	moved = rules.record_time;
	step_to(migration, &wanted, 1, alive, &rules, moved);
	cr_assert_eq(owner_of(migration, 0), B);
	cr_assert_eq(previous_owner_of(migration, 0), A);
	now = step_to(migration, &wanted, 1, alive, &holding, moved + rules.drain_timeout);
	cr_assert(now > moved + rules.drain_timeout && now != MIGRATION_NEVER, "the next check is scheduled");
	cr_assert_eq(previous_owner_of(migration, 0), B, "calls that are not tracked belong to the owner");
	cr_assert_eq(step_to(migration, &wanted, 1, alive, &rules, now - 1), now, "not before");
	now = step_to(migration, &wanted, 1, alive, &holding, now);
	cr_assert_eq(previous_owner_of(migration, 0), B);
	cr_assert_eq(step_to(migration, &wanted, 1, alive, &rules, now), MIGRATION_NEVER);
	cr_assert_eq(previous_owner_of(migration, 0), 0, "the last call has ended");
	migration_free(migration);
}

/* All backends of the pool drain. */
Test(migration, a_slot_without_an_owner_is_held)
{
	const bool alive[IDS] = {false, true, true, true, true, true};
	const struct migration_rules holding = {
		.record_time = rules.record_time, .drain_timeout = rules.drain_timeout, .held = (const bool[]){true}};
	struct migration *migration = migration_new(1);
	uint64_t moved = rules.record_time, now;
	uint16_t wanted = A;

	step_to(migration, &wanted, 1, alive, &rules, 0);
	wanted = 0;
	step_to(migration, &wanted, 1, alive, &rules, 0);
	step_to(migration, &wanted, 1, alive, &rules, moved);
	cr_assert_eq(owner_of(migration, 0), 0);
	now = step_to(migration, &wanted, 1, alive, &holding, moved + rules.drain_timeout);
	cr_assert_neq(now, MIGRATION_NEVER, "the next check is scheduled");
	cr_assert_eq(previous_owner_of(migration, 0), A);
	wanted = B;
	now = step_to(migration, &wanted, 1, alive, &holding, now);
	cr_assert_eq(owner_of(migration, 0), B, "a backend is ready again");
	cr_assert_eq(previous_owner_of(migration, 0), A);
	wanted = 0;
	now = step_to(migration, &wanted, 1, alive, &holding, now);
	cr_assert_eq(step_to(migration, &wanted, 1, alive, &rules, now + rules.drain_timeout), MIGRATION_NEVER);
	cr_assert_eq(previous_owner_of(migration, 0), 0, "the last call has ended");
	migration_free(migration);
}

/* --- a group of balancers */

#define BEGUN (1U << 31) /* with `alive`: the slot migrates at all members */

/* A slot that records since 10 and may move at 42. Whether a member still records or moves it. */
static const struct {
	const char *name;
	struct {
		uint64_t now;
		bool recording, moving;
		unsigned int alive;
		uint16_t owner, previous;
		uint32_t waiting, overdue;
		uint16_t wanted; /* 0: B */
	} moments[MOMENTS];
} group_stories[] = {
	{"a slot moves when all members have recorded it, and ends when all have ended it",
		{
			{10, true, true, ALL, A, A, 0, 0, 0},
			{42, true, true, ALL, A, A, 1, 0, 0},
			{50, false, true, ALL, B, A, 0, 0, 0},
			{1049, false, true, ALL, B, A, 0, 0, 0},
			{1050, false, true, ALL, B, A, 0, 0, 0},
			{9000, false, true, ALL, B, A, 0, 0, 0},
			{9001, false, false, ALL, B, B, 0, 0, 0},
			{10001, false, false, ALL, B, 0, 0, 0, 0},
		}},
	{"a slot that has waited for too long moves anyway",
		{
			{10, true, true, ALL, A, A, 0, 0, 0},
			{141, true, true, ALL, A, A, 1, 0, 0},
			{142, true, true, ALL, B, A, 0, 1, 0},
			{143, true, true, ALL, B, A, 0, 0, 0},
		}},
	{"no member can make a slot move earlier",
		{
			{10, false, false, ALL, A, A, 0, 0, 0},
			{41, false, false, ALL, A, A, 0, 0, 0},
			{42, false, false, ALL, B, A, 0, 0, 0},
			{1041, false, false, ALL, B, A, 0, 0, 0},
			{1042, false, false, ALL, B, B, 0, 0, 0},
			{2041, false, false, ALL, B, B, 0, 0, 0},
			{2042, false, false, ALL, B, 0, 0, 0, 0},
		}},
	{"after a second change, a slot that has moved waits for the others as long as after the first one",
		{
			{10, true, true, ALL, A, A, 0, 0, 0},
			{42, false, true, ALL, B, A, 0, 0, 0},
			{500, true, true, ALL, B, A, 1, 0, A},
			{599, true, true, ALL, B, A, 1, 0, A},
			{600, true, true, ALL, A, A, 0, 1, A},
			{700, true, true, ALL, A, A, 1, 0, B},
			{701, false, true, ALL, B, A, 0, 0, B},
		}},
	{"a dead owner loses the slot at once",
		{
			{10, true, true, ALL, A, A, 0, 0, 0},
			{20, true, true, ALL & ~BIT(A), B, 0, 0, 0, 0},
		}},
	{"a failing owner loses the slot as soon as it migrates at all members",
		{
			{10, true, true, ALL | FAILS(A), A, A, 1, 0, 0},
			{12, true, true, ALL | FAILS(A) | BEGUN, B, A, 0, 0, 0},
		}},
	{"a slot that migrates at all members leaves a failing owner at once",
		{
			{10, true, true, ALL | BEGUN, A, A, 0, 0, 0},
			{12, true, true, ALL | FAILS(A) | BEGUN, B, A, 0, 0, 0},
		}},
	{"a failing owner does not wait long for the other members",
		{
			{10, true, true, ALL | FAILS(A), A, A, 1, 0, 0},
			{39, true, true, ALL | FAILS(A), A, A, 1, 0, 0},
			{40, true, true, ALL | FAILS(A), B, A, 0, 1, 0},
		}},
};

static bool is_in(uint64_t set)
{
	return set & 1;
}

Test(migration, a_slot_in_a_group)
{
	for (size_t i = 0; i < sizeof(group_stories) / sizeof(*group_stories); i++) {
		struct migration *migration = migration_new(1);
		bool alive[IDS] = {false, true, true, true}, failing[IDS] = {false};
		uint64_t recording = 0, moving = 0, begun = 0, own_recording, own_moving, own_unknown;
		const struct migration_phases group = {&recording, &moving, &moving},
					      own = {&own_recording, &own_moving, &own_unknown};
		const struct migration_rules with = {.record_time = rules.record_time,
			.drain_timeout = rules.drain_timeout,
			.failing = failing,
			.group = &group,
			.patience = 100,
			.begun = &begun,
			.failing_patience = 30};
		uint16_t wanted = A;

		step_to(migration, &wanted, 1, alive, &with, 0);
		for (size_t j = 0; j < MOMENTS && group_stories[i].moments[j].now; j++) {
			const uint64_t now = group_stories[i].moments[j].now;
			struct migration_waits waits;

			recording = group_stories[i].moments[j].recording;
			moving = group_stories[i].moments[j].moving;
			begun = group_stories[i].moments[j].alive & BEGUN ? 1 : 0;
			wanted = group_stories[i].moments[j].wanted ?: B;
			for (int id = A; id <= C; id++) {
				alive[id] = group_stories[i].moments[j].alive & BIT(id);
				failing[id] = group_stories[i].moments[j].alive & FAILS(id);
			}
			step_to(migration, &wanted, 1, alive, &with, now);
			waits = migration_waits(migration);
			cr_expect(owner_of(migration, 0) == group_stories[i].moments[j].owner &&
					  previous_owner_of(migration, 0) == group_stories[i].moments[j].previous &&
					  waits.waiting == group_stories[i].moments[j].waiting &&
					  waits.overdue == group_stories[i].moments[j].overdue,
				"%s, at %d: owner %u, previous %u, %u waiting, %u overdue", group_stories[i].name,
				(int)now, owner_of(migration, 0), previous_owner_of(migration, 0), waits.waiting,
				waits.overdue);
			migration_phases(migration, &with, now, &own);
			cr_expect_eq(is_in(own_recording), previous_owner_of(migration, 0) && now < 42);
			cr_expect(is_in(own_moving) || !previous_owner_of(migration, 0) || now >= 1042);
		}
		migration_free(migration);
	}
}

/* A migration whose slot has moved from A to B at 32. */
static struct migration *slot_moved_to_b(const bool alive[IDS], const struct migration_rules *with)
{
	struct migration *migration = migration_new(1);
	uint16_t wanted = A;

	step_to(migration, &wanted, 1, alive, with, 0);
	wanted = B;
	step_to(migration, &wanted, 1, alive, with, 0);
	step_to(migration, &wanted, 1, alive, with, 32);
	return migration;
}

/* A call may have begun at the previous owner after the tracked calls were read. */
Test(migration, a_call_from_the_end_of_the_moving_phase_keeps_the_slot)
{
	const bool alive[IDS] = {false, true, true, true, true, true};
	uint64_t none = 0, own_moving, own_unknown, now;
	const struct migration_phases group = {&none, &none, &none}, own = {&now, &own_moving, &own_unknown};
	struct migration_rules with = {
		.record_time = rules.record_time, .drain_timeout = rules.drain_timeout, .group = &group};
	struct migration *migration = slot_moved_to_b(alive, &with);
	uint16_t wanted = B;

	cr_assert_eq(step_to(migration, &wanted, 1, alive, &with, 1032), 2032);
	cr_assert_eq(previous_owner_of(migration, 0), B, "calls that are not tracked belong to the owner");
	step_to(migration, &wanted, 1, alive, &with, 1500);
	migration_phases(migration, &with, 1500, &own);
	cr_assert_not(is_in(own_moving), "the other members do not wait for this second");
	with.held = (const bool[]){true};
	cr_assert_eq(step_to(migration, &wanted, 1, alive, &with, 2032), 12032);
	cr_assert_eq(previous_owner_of(migration, 0), B);
	migration_phases(migration, &with, 2032, &own);
	cr_assert(is_in(own_moving));
	with.held = NULL;
	cr_assert_eq(step_to(migration, &wanted, 1, alive, &with, 12032), MIGRATION_NEVER);
	cr_assert_eq(previous_owner_of(migration, 0), 0);
	migration_free(migration);
}

/* All members send an unknown call to the same backend, whether they still know calls at other backends or not. */
Test(migration, a_held_slot_keeps_its_previous_owner_until_all_moving_phases_are_over)
{
	const bool alive[IDS] = {false, true, true, true, true, true};
	uint64_t none = 0, moving = 1, unknown = 1, now, own_moving, own_unknown;
	const struct migration_phases group = {&none, &moving, &unknown}, own = {&now, &own_moving, &own_unknown};
	struct migration_rules with = {
		.record_time = rules.record_time, .drain_timeout = rules.drain_timeout, .group = &group};
	struct migration *migration = slot_moved_to_b(alive, &with);
	uint16_t wanted = B;

	with.held = (const bool[]){true};
	cr_assert_eq(step_to(migration, &wanted, 1, alive, &with, 1032), MIGRATION_NEVER);
	cr_assert_eq(previous_owner_of(migration, 0), A, "the phase of a different member is not over");
	migration_phases(migration, &with, 1032, &own);
	cr_assert(is_in(own_moving) && !is_in(own_unknown));
	unknown = 0;
	cr_assert_eq(step_to(migration, &wanted, 1, alive, &with, 1040), 11040);
	cr_assert_eq(previous_owner_of(migration, 0), B);
	migration_free(migration);
}

Test(migration, a_slot_with_calls_that_only_another_member_knows_settles_and_waits_for_it)
{
	const bool alive[IDS] = {false, true, true, true, true, true};
	uint64_t none = 0, moving = 1, now, own_moving, own_unknown;
	const struct migration_phases group = {&none, &moving, &none}, own = {&now, &own_moving, &own_unknown};
	struct migration_rules with = {
		.record_time = rules.record_time, .drain_timeout = rules.drain_timeout, .group = &group};
	struct migration *migration = slot_moved_to_b(alive, &with);
	uint16_t wanted = B;

	cr_assert_eq(step_to(migration, &wanted, 1, alive, &with, 1032), 2032);
	cr_assert_eq(previous_owner_of(migration, 0), B);
	cr_assert_eq(step_to(migration, &wanted, 1, alive, &with, 2032), MIGRATION_NEVER);
	migration_phases(migration, &with, 2032, &own);
	cr_assert(!is_in(own_moving) && !is_in(own_unknown));
	cr_assert_eq(previous_owner_of(migration, 0), B, "it tracks the calls that the other member knows");
	moving = 0;
	step_to(migration, &wanted, 1, alive, &with, 2100);
	cr_assert_not(migration_is_going_on(migration));
	migration_free(migration);
}

/* A balancer that does not share its calls sends unknown calls to the previous owner. */
Test(migration, no_moving_phase_ends_while_a_balancer_does_not_share_its_calls)
{
	const bool alive[IDS] = {false, true, true, true, true, true};
	uint64_t none = 0, own_moving, own_unknown, now, end = 32 + rules.drain_timeout + 5000;
	const struct migration_phases group = {&none, &none, &none}, own = {&now, &own_moving, &own_unknown};
	struct migration_rules with = {
		.record_time = rules.record_time, .drain_timeout = rules.drain_timeout, .group = &group};
	struct migration *migration = slot_moved_to_b(alive, &with);
	uint16_t wanted = B;

	with.moving_until = end;
	cr_assert_eq(step_to(migration, &wanted, 1, alive, &with, 32 + rules.drain_timeout), end);
	cr_assert_eq(previous_owner_of(migration, 0), A);
	cr_assert_eq(migration_waits(migration).prolonged, 1);
	migration_phases(migration, &with, end - 1, &own);
	cr_assert(is_in(own_moving), "the other members wait, too");
	step_to(migration, &wanted, 1, alive, &with, end);
	cr_assert_eq(previous_owner_of(migration, 0), B);
	cr_assert_eq(migration_waits(migration).prolonged, 0);
	with.moving_until = end + 9000;
	cr_assert_eq(step_to(migration, &wanted, 1, alive, &with, end + 500), end + 1000,
		"no call goes to the previous owner");
	migration_free(migration);
}

/* Slot 0 still migrates at the other members; they have ended the migration of slot 1 while the daemon did not run. */
Test(migration, a_restarted_daemon_ends_what_the_others_have_ended)
{
	const bool alive[IDS] = {false, true, true, true, true, true};
	const uint16_t owners[] = {B, B}, before[] = {A, A};
	uint64_t none = 0, moving = 3, others = 1;
	const struct migration_phases group = {&none, &moving, &moving};
	struct migration_rules with = {
		.record_time = rules.record_time, .drain_timeout = rules.drain_timeout, .group = &group};
	struct migration *migration = migration_new(2);
	struct slots *running = slots_copy(owners, 2), *previous = slots_copy(before, 2);

	migration_adopt(migration, running, previous, 100);
	step_to(migration, owners, 2, alive, &rules, 110);
	cr_assert_eq(previous_owner_of(migration, 1), A, "before it agrees with the group");
	with.others = &others;
	with.others_agree = true;
	step_to(migration, owners, 2, alive, &with, 120);
	cr_assert_eq(
		previous_owner_of(migration, 1), A, "the message that it has ended the phase, too, has not returned");
	moving = 1;
	step_to(migration, owners, 2, alive, &with, 130);
	cr_assert_eq(previous_owner_of(migration, 0), A);
	cr_assert_eq(previous_owner_of(migration, 1), B);
	moving = 0;
	step_to(migration, owners, 2, alive, &with, 1130);
	cr_assert_eq(previous_owner_of(migration, 0), B, "its own moving phase is over");
	cr_assert_eq(previous_owner_of(migration, 1), 0);
	migration_free(migration);
	slots_drop(running);
	slots_drop(previous);
}

Test(migration, after_an_absence_the_calls_of_slots_that_still_migrate_elsewhere_are_tracked)
{
	const bool alive[IDS] = {false, true, true, true, true, true};
	const bool without_b[IDS] = {false, true, false, true, true, true};
	uint64_t none = 0, here = 1, others = 1, own_recording, own_moving, own_unknown;
	const struct migration_phases group = {&none, &here, &here}, own = {&own_recording, &own_moving, &own_unknown};
	struct migration_rules with = {.record_time = rules.record_time,
		.drain_timeout = rules.drain_timeout,
		.group = &group,
		.others = &others,
		.others_agree = true};
	struct migration *migration = migration_new(2);
	uint16_t wanted[] = {B, B};

	step_to(migration, wanted, 2, alive, &rules, 0);
	step_to(migration, wanted, 2, alive, &with, 100);
	cr_assert_not(migration_is_going_on(migration), "the others are late, or this balancer");
	migration_missed(migration);
	step_to(migration, wanted, 2, alive, &with, 110);
	cr_assert_eq(owner_of(migration, 0), B);
	cr_assert_eq(previous_owner_of(migration, 0), B);
	cr_assert_eq(previous_owner_of(migration, 1), 0, "it is at rest everywhere");
	migration_phases(migration, &with, 111, &own);
	cr_assert(is_in(own_recording));
	cr_assert_not(is_in(own_moving), "no other member waits for its end");
	step_to(migration, wanted, 2, alive, &with, 110 + 2 * rules.drain_timeout);
	cr_assert_eq(previous_owner_of(migration, 0), B, "the others still move it");
	wanted[0] = wanted[1] = C;
	step_to(migration, wanted, 2, without_b, &with, 115 + 2 * rules.drain_timeout);
	cr_assert_eq(owner_of(migration, 0), C);
	cr_assert_eq(previous_owner_of(migration, 0), C, "also after the death of its owner");
	cr_assert_eq(previous_owner_of(migration, 1), 0);
	here = others = 0;
	step_to(migration, wanted, 2, without_b, &with, 115 + 3 * rules.drain_timeout);
	cr_assert_not(migration_is_going_on(migration));
	migration_free(migration);
}

/* Later, a member without these slots may be one that has just started. */
Test(migration, only_the_first_step_after_an_absence_ends_what_the_others_have_ended)
{
	const bool alive[IDS] = {false, true, true, true, true, true};
	const uint16_t owners[] = {B}, before[] = {A};
	uint64_t none = 0, others = 1;
	const struct migration_phases group = {&none, &none, &none};
	const struct migration_rules with = {.record_time = rules.record_time,
		.drain_timeout = rules.drain_timeout,
		.group = &group,
		.others = &others,
		.others_agree = true};
	struct migration *migration = migration_new(1);
	struct slots *running = slots_copy(owners, 1), *previous = slots_copy(before, 1);

	migration_adopt(migration, running, previous, 100);
	step_to(migration, owners, 1, alive, &with, 110);
	others = 0;
	step_to(migration, owners, 1, alive, &with, 120);
	cr_assert_eq(previous_owner_of(migration, 0), A);
	migration_missed(migration);
	step_to(migration, owners, 1, alive, &rules, 130);
	cr_assert_eq(previous_owner_of(migration, 0), A, "it does not agree with the group");
	step_to(migration, owners, 1, alive, &with, 140);
	cr_assert_eq(previous_owner_of(migration, 0), B, "the others have not waited for this balancer");
	migration_free(migration);
	slots_drop(running);
	slots_drop(previous);
}

/* --- Calls */

#define SLOTS 8
#define CALLS 64
#define STEPS 3000

struct call {
	uint32_t slot;
	uint16_t backend; /* the backend of the call; 0: no call, or any backend may continue it */
	bool continues;   /* the call continues even though its backend died or the migration ended */
	uint16_t tracked;
	uint64_t spoke; /* time of its last message */
};

/* The rule of bpf/migration.h for a message. */
static uint16_t steer(const struct migration *migration, struct call *call, bool opening, const bool *alive)
{
	uint16_t owner = owner_of(migration, call->slot), previous = previous_owner_of(migration, call->slot), backend;

	if (!previous)
		return owner;
	if (call->tracked && alive[call->tracked])
		return call->tracked;
	backend = opening || !alive[previous] ? owner : previous;
	call->tracked = backend;
	return backend;
}

/* A call is lost if a message reaches a different backend than the message before, while that backend is live
 * and the change is not older than drain_timeout. Messages without a To tag (retransmissions, credentials)
 * follow the message before within record_time. Such messages are not protected if a backend fails. */
static void say(const struct migration *migration, struct call *call, uint64_t now, const bool *alive,
	const struct migration_rules *with, unsigned int seed)
{
	bool is_new = !call->backend && !call->continues;
	bool opening = is_new || (!with->failing && now - call->spoke < rules.record_time && rand() % 3 == 0);
	uint16_t backend;

	if (is_new) {
		call->slot = rand() % SLOTS;
		call->tracked = 0;
	}
	backend = steer(migration, call, opening, alive);
	if (call->backend)
		cr_assert_eq(backend, call->backend, "seed %u, at %d: a call of %u is sent to %u", seed, (int)now,
			call->backend, backend);
	call->backend = backend;
	call->continues = false;
	call->spoke = now;
}

/* A step of the daemon, and its effect in the kernel: the tracked calls of a slot are deleted when it begins
 * to migrate. When its migration is done, its owner receives all calls. */
static void step_with(struct migration *migration, struct call *calls, const uint16_t *wanted, const bool *alive,
	const struct migration_rules *with, uint64_t now)
{
	uint16_t before[SLOTS];

	for (uint32_t slot = 0; slot < SLOTS; slot++)
		before[slot] = previous_owner_of(migration, slot);
	step_to(migration, wanted, SLOTS, alive, with, now);
	for (int i = 0; i < CALLS; i++) {
		struct call *call = &calls[i];
		uint16_t previous = previous_owner_of(migration, call->slot);

		if (!before[call->slot] && previous)
			call->tracked = 0;
		if (before[call->slot] && !previous && call->backend != wanted[call->slot] && call->backend) {
			call->backend = 0;
			call->continues = true;
		}
	}
}

static struct migration *start_again(struct migration *before, uint64_t now)
{
	struct migration *migration = migration_new(SLOTS);

	migration_adopt(migration, migration_owners(before), migration_previous(before), now);
	migration_free(before);
	return migration;
}

/* `failing`: the array of `with`; NULL: no backend fails. */
static void run_calls(unsigned int seed, const struct migration_rules *with, bool *failing)
{
	struct migration *migration = migration_new(SLOTS);
	bool alive[IDS] = {false, true, true, true, true, true};
	uint16_t wanted[SLOTS];
	struct call calls[CALLS] = {};
	uint64_t now = 0;

	srand(seed);
	for (int i = 0; i < SLOTS; i++)
		wanted[i] = 1 + rand() % (IDS - 1);
	for (int i = 0; i < STEPS; i++) {
		struct call *call = &calls[rand() % CALLS];

		now += rand() % 3;
		if (rand() % 40 == 0)
			wanted[rand() % SLOTS] = 1 + rand() % (IDS - 1);
		if (rand() % 100 == 0)
			alive[1 + rand() % (IDS - 1)] ^= true;
		if (failing && rand() % 50 == 0)
			failing[1 + rand() % (IDS - 1)] ^= true;
		if (rand() % 100 == 0)
			migration = start_again(migration, now);
		for (int slot = 0; slot < SLOTS; slot++)
			for (int tries = 0; tries < IDS && !alive[wanted[slot]]; tries++)
				wanted[slot] = 1 + wanted[slot] % (IDS - 1);
		for (int j = 0; j < CALLS; j++)
			if (calls[j].backend && !alive[calls[j].backend]) {
				calls[j].backend = 0;
				calls[j].continues = rand() % 2;
			}
		step_with(migration, calls, wanted, alive, with, now);
		if (call->backend && rand() % 20 == 0)
			call->backend = 0; /* the call ends */
		else
			say(migration, call, now, alive, with, seed);
	}
	migration_free(migration);
}

Test(migration, no_call_moves)
{
	static const struct migration_rules never = {.record_time = 32, .drain_timeout = UINT32_MAX};

	for (unsigned int seed = 1; seed <= 300; seed++)
		run_calls(seed, seed % 2 ? &never : &rules, NULL);
}

Test(migration, no_call_moves_if_backends_fail)
{
	for (unsigned int seed = 1; seed <= 300; seed++) {
		bool failing[IDS] = {false};
		const struct migration_rules with = {
			.record_time = rules.record_time, .drain_timeout = UINT32_MAX, .failing = failing};

		run_calls(seed, &with, failing);
	}
}
