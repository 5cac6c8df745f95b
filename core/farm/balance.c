// SPDX-License-Identifier: GPL-2.0
/* See balance.h. */

#include <string.h>
#include "balance.h"
#include "call_estimate.h"
#include "core/base/memory.h"

/* A full backend receives new calls again when it has this much less than its limit, so that it does not change its
 * state with each call. In per cent of the limit. */
#define HYSTERESIS 2

/* From this share of its limit on, a backend is nearly full, in per cent. */
#define NEARLY_FULL 95

#define NO_LIMIT UINT64_MAX

/* --- full backends */

struct totals {
	uint64_t calls, weight;
};

static struct totals add_up(const struct balance_member *members, size_t count)
{
	struct totals totals = {0};

	for (size_t i = 0; i < count; i++) {
		totals.calls += members[i].calls;
		totals.weight += members[i].weight;
	}
	return totals;
}

/* Rounds up, so that a pool with few calls never has only full backends. */
static uint64_t bound_of(const struct totals *totals, const struct balance_member *member, unsigned int bound)
{
	return (totals->calls * member->weight * bound + totals->weight * 100 - 1) / (totals->weight * 100);
}

/* Is an estimate of a backend at its bound accurate enough to tell it from a backend with its exact share? */
static bool is_enforced(const struct totals *totals, const struct balance_member *member, unsigned int bound)
{
	uint64_t limit = bound_of(totals, member, bound);

	return call_estimate_error(limit / CALL_SAMPLE) * bound <= limit * (bound - 100);
}

uint64_t balance_bound(
	const struct balance_member *members, size_t count, size_t member, unsigned int bound, bool *enforced)
{
	const struct totals totals = add_up(members, count);

	*enforced = is_enforced(&totals, &members[member], bound);
	return bound_of(&totals, &members[member], bound);
}

/* A backend at its limit is full, and stays full until it is clearly below. */
static bool is_full(uint64_t value, uint64_t limit, bool was_full)
{
	return value >= limit || (was_full && value * 100 >= limit * (100 - HYSTERESIS));
}

static bool is_nearly_full(const struct balance_member *member, uint64_t bound)
{
	uint64_t limit = member->max_calls && member->max_calls < bound ? member->max_calls : bound;

	return limit != NO_LIMIT && member->calls * UINT64_C(100) >= limit * NEARLY_FULL;
}

/* The bound in effect; NO_LIMIT if there is none. */
static uint64_t enforced_bound(
	const struct totals *totals, const struct balance_member *member, const struct balance_rules *rules)
{
	return rules->balance == BALANCE_BOUNDED && is_enforced(totals, member, rules->bound)
		       ? bound_of(totals, member, rules->bound)
		       : NO_LIMIT;
}

static uint8_t full_of(const struct balance_member *member, uint64_t bound, const struct balance_rules *rules)
{
	uint8_t full = 0;

	if (bound != NO_LIMIT && is_full(member->calls, bound, member->full & FULL_BOUND))
		full |= FULL_BOUND;
	if (member->max_calls && is_full(member->calls, member->max_calls, member->full & FULL_MAX_CALLS))
		full |= FULL_MAX_CALLS;
	if (rules->load_limit && is_full(member->load, rules->load_limit, member->full & FULL_LOAD))
		full |= FULL_LOAD;
	return full;
}

/* --- the sequence of new calls */

/* A member that receives the next call when its (calls + 1) / weight is the smallest. */
struct hand {
	uint64_t calls;
	uint64_t weight;
	uint64_t limit; /* of `calls`; then the member leaves */
	uint16_t id;
};

static bool is_before(const struct hand *a, const struct hand *b)
{
	unsigned __int128 left = (unsigned __int128)(a->calls + 1) * b->weight;
	unsigned __int128 right = (unsigned __int128)(b->calls + 1) * a->weight;

	return left != right ? left < right : a->id < b->id;
}

/* Moves the hand at `at` down the binary heap to its place. */
static void sift_down(struct hand *heap, size_t count, size_t at)
{
	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		struct hand moved = heap[at];

		child += child + 1 < count && is_before(&heap[child + 1], &heap[child]);
		if (is_before(&moved, &heap[child]))
			return;
		heap[at] = heap[child];
		heap[child] = moved;
	}
}

/* Fills at most `entries` elements of a sequence, until no member has room. Returns their number. */
static size_t deal(struct hand *hands, size_t count, __u16 *sequence, size_t entries)
{
	size_t dealt = 0;

	for (size_t i = count / 2; i-- > 0;)
		sift_down(hands, count, i);
	while (count && dealt < entries) {
		sequence[dealt++] = hands->id;
		if (++hands->calls >= hands->limit)
			*hands = hands[--count];
		sift_down(hands, count, 0);
	}
	return dealt;
}

/* The weight of a backend among those that receive the calls of full backends. */
static uint64_t room(
	const struct totals *totals, const struct balance_member *member, const struct balance_rules *rules)
{
	uint64_t bound;

	if (rules->balance != BALANCE_BOUNDED)
		return member->weight;
	bound = bound_of(totals, member, rules->bound);
	return bound > member->calls ? bound - member->calls : 1;
}

/* With `least-calls`, the first half of a sequence at first deals no calls beyond max_calls. */
static uint64_t limit_of(const struct balance_member *member, bool by_calls)
{
	return by_calls && member->max_calls ? member->max_calls : NO_LIMIT;
}

/* The hands of all members with room; with `within_rate`, not of members over their max_rate. */
static size_t collect(const struct balance_member *members, size_t count, const struct balance_rules *rules,
	bool by_calls, bool within_rate, struct hand *hands)
{
	const struct totals totals = add_up(members, count);
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		if (!members[i].full && !(within_rate && members[i].over_rate))
			hands[found++] = (struct hand){.id = members[i].id,
				.calls = by_calls ? members[i].calls : 0,
				.limit = limit_of(&members[i], by_calls),
				.weight = room(&totals, &members[i], rules)};
	return found;
}

/* The first half levels the numbers of calls, if the pool has `least-calls`, and omits members over their max_rate,
 * unless all are. The second half has shares by weight: the program repeats it when no new sequence arrives. The rest
 * of the first half is like the second half: calls may have ended by then, and the program enforces max_calls. */
static void make_sequence(const struct balance_member *members, size_t count, const struct balance_rules *rules,
	struct new_calls *new_calls)
{
	const bool by_calls = rules->balance == BALANCE_LEAST_CALLS;
	struct hand *hands = allocate(count, sizeof(*hands));
	__u16 *first = new_calls->backend, *second = first + NEW_CALLS / 2;
	size_t found = collect(members, count, rules, by_calls, true, hands), dealt;

	if (!found)
		found = collect(members, count, rules, by_calls, false, hands);
	dealt = deal(hands, found, first, NEW_CALLS / 2);
	found = collect(members, count, rules, false, false, hands);
	deal(hands, found, second, NEW_CALLS / 2);
	memcpy(first + dealt, second + dealt, (NEW_CALLS / 2 - dealt) * sizeof(*first));
	free(hands);
}

void balance_decide(struct balance_member *members, size_t count, const struct balance_rules *rules,
	struct balance_decision *decision)
{
	const struct totals totals = add_up(members, count);
	size_t full = 0;

	*decision = (struct balance_decision){0};
	for (size_t i = 0; i < count; i++) {
		uint64_t bound = enforced_bound(&totals, &members[i], rules);

		members[i].full = full_of(&members[i], bound, rules);
		full += members[i].full != 0;
		decision->spills |= members[i].full || is_nearly_full(&members[i], bound);
	}
	decision->all_full = count && full == count;
	make_sequence(members, count, rules, &decision->new_calls);
}
