// SPDX-License-Identifier: GPL-2.0
/* How slots move. Rows say what becomes of one slot; a property has thousands of calls go
 * through random changes, with the kernel's rule for slots in motion beside it, and looks
 * at where each of their messages ends up. */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/table/migration.h"

#define A 1
#define B 2
#define C 3
#define IDS 6

static const struct motion_rules rules = {.record_time = 32, .drain_timeout = 1000};

/* What happens at a time, and what the slot is then. Who wants it, who is alive (bits). */
struct moment {
	uint64_t now;
	uint16_t wanted;
	unsigned int alive;
	uint16_t owner, former;
	const char *because;
};

#define BIT(id) (1U << (id))
#define ALL (BIT(A) | BIT(B) | BIT(C))
#define MOMENTS 8

struct story {
	const char *name;
	struct moment moments[MOMENTS];
};

static const struct story stories[] = {
	{"a first owner has the slot at once", {{0, A, ALL, A, 0, "nobody has calls yet"}}},
	{"a planned change records, moves, settles",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{41, B, ALL, A, A, "not quite 32"},
			{42, B, ALL, B, A, "moved"},
			{1041, B, ALL, B, A, "still"},
			{1042, B, ALL, B, 0, "settled"},
		}},
	{"a change that is taken back while it is recorded has never been",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{20, A, ALL, A, 0, "nothing has moved"},
		}},
	{"a change that is taken back after it moved keeps the calls that were new meanwhile",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{42, B, ALL, B, A, "moved"},
			{50, A, ALL, A, A, "at once, since all that is new was noted; and the notes for B count on"},
			{1049, A, ALL, A, A, "still"},
			{1050, A, ALL, A, 0, "settled"},
		}},
	{"a second change on top of a first waits for nothing",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{42, B, ALL, B, A, "moved"},
			{60, C, ALL, C, A, "what is not noted is still A's"},
			{1059, C, ALL, C, A, "the time is that of the last change"},
			{1060, C, ALL, C, 0, "settled"},
		}},
	{"a second change while the first is recorded takes its place",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{20, C, ALL, A, A, "recording goes on"},
			{42, C, ALL, C, A, "moved"},
		}},
	{"who dies loses the slot at once", {{0, A, ALL, A, 0, "start"}, {5, B, ALL & ~BIT(A), B, 0, "dead"}}},
	{"who dies while he is recorded loses it at once",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{20, B, ALL & ~BIT(A), B, 0, "there are no notes but for the dead"},
		}},
	{"a former owner who dies leaves the rest to the owner",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{42, B, ALL, B, A, "moved"},
			{50, B, ALL & ~BIT(A), B, B, "notes may be for anybody"},
			{1042, B, ALL & ~BIT(A), B, 0, "settled"},
		}},
	{"a new owner who dies leaves the slot to the next, and the former keeps his calls",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{42, B, ALL, B, A, "moved"},
			{50, C, ALL & ~BIT(B), C, A, "at once"},
		}},
	{"both die",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{42, B, ALL, B, A, "moved"},
			{50, C, BIT(C), C, C, "notes may be for anybody"},
		}},
	{"who takes new calls no more, and nobody else is there",
		{
			{0, A, ALL, A, 0, "start"},
			{10, 0, ALL, A, A, "recording"},
			{42, 0, ALL, 0, A, "what is new is turned away"},
			{50, A, ALL, A, A, "until he does again"},
		}},
	{"a former owner dies while nobody takes new calls",
		{
			{0, A, ALL, A, 0, "start"},
			{10, B, ALL, A, A, "recording"},
			{42, B, ALL, B, A, "moved"},
			{50, 0, ALL, 0, A, "what is new is turned away"},
			{60, 0, ALL & ~BIT(A), 0, A, "the notes for B count on"},
			{70, C, ALL & ~BIT(A), C, C, "notes may be for anybody"},
		}},
	{"all die",
		{
			{0, A, ALL, A, 0, "start"},
			{10, 0, 0, 0, 0, "nobody"},
			{20, B, BIT(B), B, 0, "the first who comes has it at once"},
		}},
};

static uint16_t owner_of(const struct motion *motion, uint32_t slot)
{
	return motion_owners(motion)->ids[slot];
}

static uint16_t former_of(const struct motion *motion, uint32_t slot)
{
	return motion_former(motion) ? motion_former(motion)->ids[slot] : 0;
}

/* A step of a motion of `count` slots. */
static uint64_t step_to(struct motion *motion, const uint16_t *wanted, uint32_t count, const bool *alive,
	const struct motion_rules *with, uint64_t now)
{
	struct slots *slots = slots_copy(wanted, count);
	uint64_t next = motion_step(motion, slots, alive, with, now);

	slots_drop(slots);
	return next;
}

Test(motion, stories)
{
	for (size_t i = 0; i < sizeof(stories) / sizeof(*stories); i++) {
		struct motion *motion = motion_new(1);

		for (size_t j = 0; j < MOMENTS && stories[i].moments[j].because; j++) {
			const struct moment *moment = &stories[i].moments[j];
			bool alive[IDS];

			for (int id = 0; id < IDS; id++)
				alive[id] = moment->alive & BIT(id);
			step_to(motion, &moment->wanted, 1, alive, &rules, moment->now);
			cr_expect(owner_of(motion, 0) == moment->owner && former_of(motion, 0) == moment->former,
				"%s, at %d (%s): owner %u, former %u", stories[i].name, (int)moment->now,
				moment->because, owner_of(motion, 0), former_of(motion, 0));
			cr_expect_eq(motion_is_going_on(motion), moment->former != 0);
		}
		motion_free(motion);
	}
}

Test(motion, a_step_says_when_the_next_is_due)
{
	const bool alive[IDS] = {false, true, true, true};
	uint16_t wanted[2] = {A, A};
	struct motion *motion = motion_new(2);

	cr_assert_eq(step_to(motion, wanted, 2, alive, &rules, 0), MOTION_NEVER);
	wanted[0] = B;
	cr_assert_eq(step_to(motion, wanted, 2, alive, &rules, 100), 132);
	wanted[1] = B;
	cr_assert_eq(step_to(motion, wanted, 2, alive, &rules, 110), 132, "the first of both");
	cr_assert_eq(step_to(motion, wanted, 2, alive, &rules, 132), 142);
	cr_assert_eq(step_to(motion, wanted, 2, alive, &rules, 142), 1132);
	cr_assert_eq(step_to(motion, wanted, 2, alive, &rules, 1132), 1142);
	cr_assert_eq(step_to(motion, wanted, 2, alive, &rules, 1142), MOTION_NEVER);
	motion_free(motion);
}

Test(motion, times_count_from_when_a_step_has_its_effect)
{
	const bool alive[IDS] = {false, true, true, true};
	uint16_t wanted[2] = {A, A};
	struct motion *motion = motion_new(2);

	step_to(motion, wanted, 2, alive, &rules, 0);
	wanted[0] = B;
	step_to(motion, wanted, 2, alive, &rules, 100);
	wanted[1] = B;
	step_to(motion, wanted, 2, alive, &rules, 110);
	motion_postpone(motion, 110, 125);
	step_to(motion, wanted, 2, alive, &rules, 142);
	cr_assert_eq(owner_of(motion, 0), B, "was recorded from 100 on");
	cr_assert_eq(owner_of(motion, 1), A);
	cr_assert_eq(step_to(motion, wanted, 2, alive, &rules, 150), 157);
	step_to(motion, wanted, 2, alive, &rules, 157);
	cr_assert_eq(owner_of(motion, 1), B);
	motion_free(motion);
}

Test(motion, a_daemon_that_starts_again_goes_on)
{
	const bool alive[IDS] = {false, true, true, true};
	const uint16_t wanted[3] = {B, B, C};
	struct slots *owners = slots_copy((const uint16_t[]){A, B, C}, 3);
	struct slots *former = slots_copy((const uint16_t[]){A, A, 0}, 3);
	struct motion *motion = motion_new(3);

	motion_adopt(motion, owners, former, 500);
	slots_drop(owners);
	slots_drop(former);
	cr_assert_eq(step_to(motion, wanted, 3, alive, &rules, 500), 532, "recorded anew");
	cr_assert_eq(owner_of(motion, 0), A);
	step_to(motion, wanted, 3, alive, &rules, 532);
	cr_assert_eq(owner_of(motion, 0), B);
	step_to(motion, wanted, 3, alive, &rules, 1500);
	cr_assert_eq(former_of(motion, 1), 0, "settled after the whole time");
	cr_assert_eq(former_of(motion, 0), A);
	motion_free(motion);
}

Test(motion, it_can_be_told_to_settle)
{
	const bool alive[IDS] = {false, true, true, true};
	uint16_t wanted = A;
	struct slots *settled;
	struct motion *motion = motion_new(1);

	step_to(motion, &wanted, 1, alive, &rules, 0);
	wanted = B;
	step_to(motion, &wanted, 1, alive, &rules, 1);
	settled = slots_copy(&wanted, 1);
	motion_settle(motion, settled);
	slots_drop(settled);
	cr_assert_eq(owner_of(motion, 0), B);
	cr_assert_eq(former_of(motion, 0), 0);
	cr_assert_eq(step_to(motion, &wanted, 1, alive, &rules, 2), MOTION_NEVER);
	motion_free(motion);
}

Test(motion, a_call_goes_on_until_its_end_or_a_long_silence)
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
		{CALL_IS_INVITE, 60, 0, 100, 2, true}, /* soon after the machine has started */
		{CALL_IS_INVITE, 101, 0, 100, 2, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct note note = {.backend = A,
			.kind = rows[i].kind,
			.seen = rows[i].seen,
			.ended = rows[i].ended,
			.dialogs = {.pending = !rows[i].dialog, .known = {0, rows[i].dialog}}};

		cr_expect_eq(motion_is_live(&note, rows[i].now), rows[i].live, "row %zu", i);
	}
}

/* A slot whose calls are known to go on at its previous owner does not end its migration: what is
 * noted stays there, all else is the owner's. */
Test(motion, a_slot_with_calls_elsewhere_is_held_past_its_time)
{
	const bool alive[IDS] = {false, true, true, true, true, true};
	const struct motion_rules holding = {rules.record_time, rules.drain_timeout, (const bool[]){true}};
	struct motion *motion = motion_new(1);
	uint16_t wanted = A;
	uint64_t now, moved;

	step_to(motion, &wanted, 1, alive, &rules, 0);
	wanted = B;
	step_to(motion, &wanted, 1, alive, &rules, 0);
	moved = rules.record_time;
	step_to(motion, &wanted, 1, alive, &rules, moved);
	cr_assert_eq(owner_of(motion, 0), B);
	cr_assert_eq(former_of(motion, 0), A);
	now = step_to(motion, &wanted, 1, alive, &holding, moved + rules.drain_timeout);
	cr_assert(now > moved + rules.drain_timeout && now != MOTION_NEVER, "it is looked at again");
	cr_assert_eq(former_of(motion, 0), B, "what is not noted is the owner's");
	cr_assert_eq(step_to(motion, &wanted, 1, alive, &rules, now - 1), now, "and not before");
	now = step_to(motion, &wanted, 1, alive, &holding, now);
	cr_assert_eq(former_of(motion, 0), B);
	cr_assert_eq(step_to(motion, &wanted, 1, alive, &rules, now), MOTION_NEVER);
	cr_assert_eq(former_of(motion, 0), 0, "the last of them has ended");
	motion_free(motion);
}

/* --- calls */

#define SLOTS 8
#define CALLS 64
#define STEPS 3000

struct call {
	uint32_t slot;
	uint16_t backend; /* that has it; 0: none is up, or it goes on with whoever comes */
	bool goes_on;     /* though its backend died, or its slot was settled */
	uint16_t note;
	uint64_t spoke; /* when its last message came */
};

/* What bpf/migration.h does with a message. */
static uint16_t steer(const struct motion *motion, struct call *call, bool opening, const bool *alive)
{
	uint16_t owner = owner_of(motion, call->slot), former = former_of(motion, call->slot), backend;

	if (!former)
		return owner;
	if (call->note && alive[call->note])
		return call->note;
	backend = opening || !alive[former] ? owner : former;
	call->note = backend;
	return backend;
}

/* A call is lost if a message of it meets another backend than the one before did, while
 * that one is alive and the change is not older than the drain_timeout. Messages without a
 * To tag (retransmissions, credentials) come within the record_time of the one before. */
static void say(const struct motion *motion, struct call *call, uint64_t now, const bool *alive, unsigned int seed)
{
	bool is_new = !call->backend && !call->goes_on;
	bool opening = is_new || (now - call->spoke < rules.record_time && rand() % 3 == 0);
	uint16_t backend;

	if (is_new) {
		call->slot = rand() % SLOTS;
		call->note = 0;
	}
	backend = steer(motion, call, opening, alive);
	if (call->backend)
		cr_assert_eq(backend, call->backend, "seed %u, at %d: a call of %u is sent to %u", seed, (int)now,
			call->backend, backend);
	call->backend = backend;
	call->goes_on = false;
	call->spoke = now;
}

/* A step, and what the daemon and the kernel make of it: notes of a slot are forgotten
 * when it begins to move, and who has it when it is settled has all its calls. */
static void step_with(struct motion *motion, struct call *calls, const uint16_t *wanted, const bool *alive,
	const struct motion_rules *with, uint64_t now)
{
	uint16_t before[SLOTS];

	for (uint32_t slot = 0; slot < SLOTS; slot++)
		before[slot] = former_of(motion, slot);
	step_to(motion, wanted, SLOTS, alive, with, now);
	for (int i = 0; i < CALLS; i++) {
		struct call *call = &calls[i];
		uint16_t former = former_of(motion, call->slot);

		if (!before[call->slot] && former)
			call->note = 0;
		if (before[call->slot] && !former && call->backend != wanted[call->slot] && call->backend) {
			call->backend = 0;
			call->goes_on = true;
		}
	}
}

static struct motion *start_again(struct motion *before, uint64_t now)
{
	struct motion *motion = motion_new(SLOTS);

	motion_adopt(motion, motion_owners(before), motion_former(before), now);
	motion_free(before);
	return motion;
}

static void run_calls(unsigned int seed, const struct motion_rules *with)
{
	struct motion *motion = motion_new(SLOTS);
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
		if (rand() % 100 == 0)
			motion = start_again(motion, now);
		for (int slot = 0; slot < SLOTS; slot++)
			for (int tries = 0; tries < IDS && !alive[wanted[slot]]; tries++)
				wanted[slot] = 1 + wanted[slot] % (IDS - 1);
		for (int j = 0; j < CALLS; j++)
			if (calls[j].backend && !alive[calls[j].backend]) {
				calls[j].backend = 0;
				calls[j].goes_on = rand() % 2;
			}
		step_with(motion, calls, wanted, alive, with, now);
		if (call->backend && rand() % 20 == 0)
			call->backend = 0; /* hangs up */
		else
			say(motion, call, now, alive, seed);
	}
	motion_free(motion);
}

Test(motion, no_call_moves)
{
	static const struct motion_rules never = {.record_time = 32, .drain_timeout = UINT32_MAX};

	for (unsigned int seed = 1; seed <= 300; seed++)
		run_calls(seed, seed % 2 ? &never : &rules);
}
