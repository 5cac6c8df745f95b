// SPDX-License-Identifier: GPL-2.0
/* Load shared by calls: ten simulated minutes of calls of very different lengths (core/farm/balance.h). */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "core/farm/balance.h"
#include "core/farm/call_estimate.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- a simulated pool */

#define BACKENDS 8
#define TICKS 6000 /* of 100 ms */
#define TICKS_LONGEST 9000
#define CALLS_MAX 2000000

struct call {
	uint32_t next; /* that ends in the same tick; 0: none */
	uint8_t backend;
	bool sampled, placed;
};

struct world {
	struct balance_rules rules;
	struct balance_member members[BACKENDS];
	size_t count;
	struct balance_decision decision;
	uint32_t turn;
	uint64_t random;
	uint64_t calls[BACKENDS], sampled[BACKENDS], placed[BACKENDS];
	uint32_t ends[TICKS_LONGEST + TICKS];
	struct call *list;
	uint32_t listed;
	uint64_t refused;
};

static uint64_t draw(struct world *world)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return world->random * 0x2545f4914f6cdd1dULL >> 11;
}

static bool counts_all(const struct world *world)
{
	return world->rules.balance != BALANCE_BOUNDED;
}

/* What the daemon does in each tick. */
static void decide(struct world *world)
{
	struct new_calls before = world->decision.new_calls;

	for (size_t i = 0; i < world->count; i++)
		world->members[i].calls = counts_all(world)
						  ? world->calls[i]
						  : call_estimate(world->sampled[i], world->placed[i], false).calls;
	balance_decide(world->members, world->count, &world->rules, &world->decision);
	if (memcmp(&before, &world->decision.new_calls, sizeof(before)))
		world->turn = 0;
}

/* The backend of the first entry that accepts the call; world->count: there is none. */
static size_t deal(const struct world *world, uint32_t turn)
{
	for (uint32_t try = 0; try < 4; try++) {
		uint32_t entry = try ? NEW_CALLS / 2 + (turn + try) % (NEW_CALLS / 2) : turn;
		size_t backend = world->decision.new_calls.backend[entry] - 1;
		uint32_t most = backend < world->count ? world->members[backend].max_calls : 0;

		if (!most || world->calls[backend] < most)
			return backend;
	}
	return world->count;
}

/* What the program in the kernel does with a new call. `hash` selects the owner in the table. */
static size_t choose(struct world *world, uint64_t hash, bool *placed)
{
	size_t owner = hash % world->count;
	uint32_t turn;

	*placed = false;
	if (world->rules.balance == BALANCE_BOUNDED) {
		if (!world->members[owner].full || world->decision.all_full)
			return owner;
		*placed = true;
		return world->decision.new_calls.backend[(hash >> 18) % (NEW_CALLS / 2)] - 1;
	}
	turn = world->turn++;
	if (world->turn == NEW_CALLS)
		world->turn = NEW_CALLS / 2;
	return deal(world, turn);
}

static void begin(struct world *world, uint32_t tick, uint64_t hash, uint32_t ticks)
{
	struct call *call = &world->list[++world->listed];
	size_t backend = choose(world, hash, &call->placed);

	if (backend >= world->count) {
		world->refused++;
		world->listed--;
		return;
	}
	call->backend = backend;
	call->sampled = !call->placed && hash >> 47 == 0; /* one of 64: draw() has 53 bits */
	world->calls[backend]++;
	world->sampled[backend] += call->sampled;
	world->placed[backend] += call->placed;
	call->next = world->ends[tick + ticks];
	world->ends[tick + ticks] = world->listed;
}

static void end(struct world *world, uint32_t tick)
{
	for (uint32_t i = world->ends[tick]; i; i = world->list[i].next) {
		const struct call *call = &world->list[i];

		world->calls[call->backend]--;
		world->sampled[call->backend] -= call->sampled;
		world->placed[call->backend] -= call->placed;
	}
}

/* Of 10 calls, one lasts 5 to 15 minutes, and the others up to 20 s. Of the calls in slots of the first backend, it is
 * one of 5. */
static uint32_t length(struct world *world, uint64_t hash)
{
	if (draw(world) % (hash % world->count == 0 ? 5 : 10) == 0)
		return 3000 + draw(world) % 6000;
	return 1 + draw(world) % 200;
}

static struct world *world_new(enum balance_method balance, const uint16_t *weights, size_t count)
{
	struct world *world = calloc(1, sizeof(*world));

	world->rules = (struct balance_rules){.balance = balance, .bound = 125};
	world->random = 88172645463325252ULL;
	world->list = calloc(CALLS_MAX, sizeof(*world->list));
	world->count = count;
	for (size_t i = 0; i < count; i++)
		world->members[i] = (struct balance_member){.id = i + 1, .weight = weights[i]};
	return world;
}

static void world_free(struct world *world)
{
	free(world->list);
	free(world);
}

/* Runs the ticks `from` to `to` with `rate` new calls in each of them. */
static void run(struct world *world, uint32_t from, uint32_t to, unsigned int rate)
{
	for (uint32_t tick = from; tick < to; tick++) {
		end(world, tick);
		decide(world);
		for (unsigned int i = 0; i < rate; i++) {
			uint64_t hash = draw(world);

			begin(world, tick, hash, length(world, hash));
		}
	}
}

static uint64_t all_calls(const struct world *world)
{
	uint64_t all = 0;

	for (size_t i = 0; i < world->count; i++)
		all += world->calls[i];
	return all;
}

static double share(const struct world *world, size_t member)
{
	double weight = 0;

	for (size_t i = 0; i < world->count; i++)
		weight += world->members[i].weight;
	return all_calls(world) * world->members[member].weight / weight;
}

static const uint16_t even[] = {10, 10, 10, 10, 10, 10, 10, 10}, uneven[] = {10, 20, 30, 5, 10, 40, 10, 15};

static void expect_even(const struct world *world, double tolerance)
{
	for (size_t i = 0; i < world->count; i++)
		cr_expect_float_eq(world->calls[i] / share(world, i), 1, tolerance, "backend %zu: %lu calls of %.0f", i,
			world->calls[i], share(world, i));
}

Test(balance, least_calls_keeps_all_backends_within_5_per_cent_of_the_mean)
{
	for (int i = 0; i < 2; i++) {
		struct world *world = world_new(BALANCE_LEAST_CALLS, i ? uneven : even, BACKENDS);

		run(world, 0, TICKS, 10);
		cr_expect_gt(all_calls(world), 2000);
		expect_even(world, 0.05);
		world_free(world);
	}
}

Test(balance, least_calls_fills_a_new_backend)
{
	struct world *world = world_new(BALANCE_LEAST_CALLS, even, BACKENDS);

	world->count = 7;
	run(world, 0, TICKS / 2, 10);
	world->count = 8;
	run(world, TICKS / 2, TICKS, 10);
	expect_even(world, 0.05);
	world_free(world);
}

Test(balance, round_robin_deals_new_calls_by_weight)
{
	struct world *world = world_new(BALANCE_ROUND_ROBIN, uneven, BACKENDS);
	uint32_t dealt[BACKENDS + 1] = {0};

	decide(world);
	for (int i = 0; i < 1400; i++) {
		bool placed;

		dealt[choose(world, 0, &placed)]++;
	}
	for (size_t i = 0; i < BACKENDS; i++)
		cr_expect_eq(dealt[i], uneven[i] * 10);
	world_free(world);
}

Test(balance, a_stopped_daemon_leads_to_shares_by_weight)
{
	struct world *world = world_new(BALANCE_LEAST_CALLS, even, BACKENDS);
	uint32_t dealt[BACKENDS] = {0};

	for (size_t i = 1; i < BACKENDS; i++)
		world->calls[i] = 50000;
	decide(world);
	for (int i = 0; i < 2 * NEW_CALLS; i++) {
		bool placed;

		dealt[choose(world, 0, &placed)]++;
	}
	cr_expect_lt(dealt[0], NEW_CALLS, "an empty backend receives %u of %u calls", dealt[0], 2 * NEW_CALLS);
	for (size_t i = 1; i < BACKENDS; i++)
		cr_expect_gt(dealt[i], NEW_CALLS / 10);
	world_free(world);
}

/* --- bounds */

Test(balance, bounded_keeps_all_backends_below_the_bound_and_the_sampling_error)
{
	struct world *world = world_new(BALANCE_BOUNDED, even, BACKENDS);
	uint64_t placed = 0;

	for (uint32_t tick = 0; tick < TICKS; tick += 100) {
		run(world, tick, tick + 100, 300);
		for (size_t i = 0; tick > TICKS / 2 && i < BACKENDS; i++) {
			double limit = 1.25 * share(world, i);

			cr_expect_leq(world->calls[i], limit + call_estimate_error(limit / CALL_SAMPLE),
				"tick %u: backend %zu has %lu calls, its bound is %.0f", tick, i, world->calls[i],
				limit);
		}
	}
	for (size_t i = 0; i < BACKENDS; i++)
		placed += world->placed[i];
	cr_expect_gt(placed, 0, "the calls of the first owner exceed its bound");
	cr_expect_lt(placed, all_calls(world) / 4, "only exceptions are counted one by one: %lu", placed);
	world_free(world);
}

Test(balance, without_a_bound_the_same_calls_overload_the_first_owner)
{
	struct world *world = world_new(BALANCE_BOUNDED, even, BACKENDS);

	world->rules.bound = 1000;
	run(world, 0, TICKS, 300);
	cr_expect_gt(world->calls[0], 1.5 * share(world, 0));
	world_free(world);
}

Test(balance, a_bound_below_the_error_of_the_estimate_has_no_effect)
{
	struct balance_member members[] = {{.id = 1, .weight = 10, .calls = 1000}, {.id = 2, .weight = 10}};
	const struct balance_rules rules = {.balance = BALANCE_BOUNDED, .bound = 125};
	struct balance_decision decision;
	bool enforced;

	balance_decide(members, COUNT(members), &rules, &decision);
	cr_expect_eq(members[0].full, 0);
	cr_expect_not(decision.spills);
	cr_expect_eq(balance_bound(members, COUNT(members), 0, 125, &enforced), 625);
	cr_expect_not(enforced);
	members[0].calls = 20000;
	balance_decide(members, COUNT(members), &rules, &decision);
	cr_expect_eq(members[0].full, FULL_BOUND);
	cr_expect(decision.spills);
	cr_expect_eq(balance_bound(members, COUNT(members), 0, 125, &enforced), 12500);
	cr_expect(enforced);
	for (size_t i = 0; i < NEW_CALLS; i++)
		cr_assert_eq(decision.new_calls.backend[i], 2);
}

Test(balance, new_calls_of_full_backends_go_where_there_is_room)
{
	struct balance_member members[] = {{.id = 1, .weight = 10, .calls = 50000}, {.id = 2, .weight = 10, .calls = 0},
		{.id = 3, .weight = 10, .calls = 12500}};
	const struct balance_rules rules = {.balance = BALANCE_BOUNDED, .bound = 120};
	struct balance_decision decision;
	size_t dealt[4] = {0};

	balance_decide(members, COUNT(members), &rules, &decision);
	for (size_t i = 0; i < NEW_CALLS; i++)
		dealt[decision.new_calls.backend[i]]++;
	cr_expect_eq(dealt[0] + dealt[1], 0);
	cr_expect_float_eq(dealt[2] / (double)dealt[3], 2, 0.01, "the bound is 25,000: room for 25,000 and 12,500");
}

Test(balance, a_backend_at_its_bound_does_not_change_its_state_with_each_call)
{
	struct balance_member member = {.id = 1, .weight = 10, .max_calls = 1000};
	const struct balance_rules rules = {0};
	struct balance_decision decision;
	static const struct {
		uint32_t calls;
		bool spills;
		uint8_t full;
	} rows[] = {{900, false, 0}, {950, true, 0}, {999, true, 0}, {1000, true, FULL_MAX_CALLS},
		{999, true, FULL_MAX_CALLS}, {980, true, FULL_MAX_CALLS}, {979, true, 0}, {999, true, 0}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		member.calls = rows[i].calls;
		balance_decide(&member, 1, &rules, &decision);
		cr_expect_eq(member.full, rows[i].full, "row %zu", i);
		cr_expect_eq(decision.spills, rows[i].spills, "row %zu", i);
		cr_expect_eq(decision.all_full, member.full != 0);
	}
}

Test(balance, least_calls_does_not_exceed_max_calls)
{
	struct world *world = world_new(BALANCE_LEAST_CALLS, even, BACKENDS);

	for (size_t i = 0; i < BACKENDS; i++)
		world->members[i].max_calls = 50 * (i + 1);
	for (uint32_t tick = 0; tick < TICKS; tick++) {
		run(world, tick, tick + 1, 10);
		for (size_t i = 0; i < BACKENDS; i++)
			cr_expect_leq(world->calls[i], 50 * (i + 1));
	}
	cr_expect_gt(world->refused, 0);
	world_free(world);
}

/* While the daemon does not run, calls end, and the backends have room again. */
Test(balance, a_sequence_deals_more_calls_than_there_is_room_for)
{
	struct balance_member members[] = {{.id = 1, .weight = 10, .calls = 4, .max_calls = 5},
		{.id = 2, .weight = 10, .calls = 2, .max_calls = 5}};
	const struct balance_rules rules = {.balance = BALANCE_LEAST_CALLS};
	struct balance_decision decision;
	size_t dealt[3] = {0};

	balance_decide(members, 2, &rules, &decision);
	for (size_t i = 0; i < 4; i++)
		dealt[decision.new_calls.backend[i]]++;
	cr_expect_eq(dealt[1], 1);
	cr_expect_eq(dealt[2], 3);
	for (size_t i = 0; i < NEW_CALLS; i++)
		cr_assert_neq(decision.new_calls.backend[i], 0, "entry %zu", i);
}

/* --- max_rate, which the program enforces */

/* The number of entries of each backend in a half of the sequence. */
static void count_entries(const struct balance_decision *decision, size_t half, size_t dealt[4])
{
	memset(dealt, 0, 4 * sizeof(*dealt));
	for (size_t i = 0; i < NEW_CALLS / 2; i++)
		dealt[decision->new_calls.backend[half * (NEW_CALLS / 2) + i]]++;
}

Test(balance, the_first_half_omits_backends_over_their_rate)
{
	struct balance_member members[] = {{.id = 1, .weight = 10, .over_rate = true},
		{.id = 2, .weight = 10, .calls = 100}, {.id = 3, .weight = 10, .calls = 100}};
	static const enum balance_method methods[] = {
		BALANCE_HASH, BALANCE_BOUNDED, BALANCE_LEAST_CALLS, BALANCE_ROUND_ROBIN};
	struct balance_decision decision;
	size_t dealt[4];

	for (size_t i = 0; i < COUNT(methods); i++) {
		const struct balance_rules rules = {.balance = methods[i], .bound = 125};

		balance_decide(members, COUNT(members), &rules, &decision);
		cr_expect_eq(members[0].full, 0, "the program decides about each call");
		count_entries(&decision, 0, dealt);
		cr_expect_eq(dealt[1], 0);
		cr_expect_eq(dealt[2], dealt[3]);
		count_entries(&decision, 1, dealt);
		cr_expect_gt(dealt[1], 600, "it accepts calls again if no new sequence arrives");
	}
}

Test(balance, if_all_backends_are_over_their_rates_each_has_its_share)
{
	struct balance_member members[] = {
		{.id = 1, .weight = 10, .over_rate = true}, {.id = 2, .weight = 30, .over_rate = true}};
	const struct balance_rules rules = {.balance = BALANCE_ROUND_ROBIN};
	struct balance_decision decision;
	size_t dealt[4];

	balance_decide(members, COUNT(members), &rules, &decision);
	count_entries(&decision, 0, dealt);
	cr_expect_eq(dealt[1], NEW_CALLS / 8);
	cr_expect_eq(dealt[2], NEW_CALLS / 2 - NEW_CALLS / 8);
	cr_expect_not(decision.all_full);
}

/* --- the load that servers report */

Test(balance, a_backend_above_the_load_limit_receives_no_new_calls)
{
	struct balance_member members[] = {{.id = 1, .weight = 10, .load = 95}, {.id = 2, .weight = 10, .load = 20}};
	const struct balance_rules rules = {.balance = BALANCE_ROUND_ROBIN, .load_limit = 90};
	struct balance_decision decision;

	balance_decide(members, COUNT(members), &rules, &decision);
	cr_expect_eq(members[0].full, FULL_LOAD);
	for (size_t i = 0; i < NEW_CALLS; i++)
		cr_assert_eq(decision.new_calls.backend[i], 2);
	members[0].load = 89;
	balance_decide(members, COUNT(members), &rules, &decision);
	cr_expect_eq(members[0].full, FULL_LOAD, "only clearly below the limit");
	members[0].load = 88;
	balance_decide(members, COUNT(members), &rules, &decision);
	cr_expect_eq(members[0].full, 0);
}

/* --- properties */

Test(balance, the_decision_depends_only_on_its_input)
{
	struct world *world = world_new(BALANCE_LEAST_CALLS, uneven, BACKENDS);
	struct balance_decision reversed;
	struct balance_member members[BACKENDS];

	for (int round = 0; round < 200; round++) {
		world->rules.balance = round % 4;
		for (size_t i = 0; i < BACKENDS; i++) {
			world->calls[i] = draw(world) % 20000;
			world->members[i].calls = world->calls[i];
			world->members[i].max_calls = draw(world) % 2 * 15000;
			world->members[i].full = 0;
		}
		for (size_t i = 0; i < BACKENDS; i++)
			members[i] = world->members[BACKENDS - 1 - i];
		balance_decide(world->members, BACKENDS, &world->rules, &world->decision);
		balance_decide(members, BACKENDS, &world->rules, &reversed);
		cr_expect_arr_eq(&reversed.new_calls, &world->decision.new_calls, sizeof(reversed.new_calls));
		for (size_t i = 0; i < BACKENDS; i++)
			cr_expect_eq(members[i].full, world->members[BACKENDS - 1 - i].full);
		for (size_t i = 0; i < NEW_CALLS; i++) {
			uint16_t id = world->decision.new_calls.backend[i];

			cr_assert_eq(id == 0, world->decision.all_full);
			cr_assert(!id || !world->members[id - 1].full, "entry %zu is a full backend", i);
		}
	}
	world_free(world);
}

Test(balance, an_empty_pool_has_no_backend_for_new_calls)
{
	struct balance_decision decision;
	const struct balance_rules rules = {.balance = BALANCE_LEAST_CALLS};

	balance_decide(NULL, 0, &rules, &decision);
	cr_expect_not(decision.all_full);
	cr_expect_eq(decision.new_calls.backend[0], 0);
}
