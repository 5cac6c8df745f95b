// SPDX-License-Identifier: GPL-2.0
/* Properties of the table, for random sets of members that are the same in each run. TABLE_KEYS=400 in the
 * environment measures the statistics over 400 hash keys; docs/design/table.md explains the numbers. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config/config.h"
#include "core/table/table.h"

#define MOST 10000

/* Members and the memory of their names. */
struct set {
	size_t count;
	struct table_member members[MOST];
	char names[MOST][16];
};

static const uint64_t HASH_KEY[2] = {0x0123456789abcdef, 0xfedcba9876543210};

static uint64_t random_bits(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint32_t random_below(uint64_t *state, uint32_t bound)
{
	return (random_bits(state) >> 32) * bound >> 32;
}

static void shuffle(uint64_t *state, struct set *set)
{
	for (size_t i = set->count; i > 1; i--) {
		size_t j = random_below(state, i);
		struct table_member member = set->members[i - 1];

		set->members[i - 1] = set->members[j];
		set->members[j] = member;
	}
}

/* px1, px2, ... with the ids 1, 2, ... and weight 1. */
static struct set *new_set(size_t count)
{
	struct set *set = calloc(1, sizeof(*set));

	cr_assert(set && count <= MOST);
	set->count = count;
	for (size_t i = 0; i < count; i++) {
		snprintf(set->names[i], sizeof(set->names[i]), "px%u", (unsigned int)(i + 1));
		set->members[i] = (struct table_member){.name = set->names[i], .id = i + 1, .weight = 1};
	}
	return set;
}

static struct set *new_weighted_set(uint64_t *state, size_t count, uint32_t weight_max)
{
	struct set *set = new_set(count);

	for (size_t i = 0; i < count; i++)
		set->members[i].weight = 1 + random_below(state, weight_max);
	return set;
}

static struct table *new_table(uint32_t slots, const struct set *set)
{
	struct table *table = table_new(slots, HASH_KEY);

	cr_assert_eq(table_set_members(table, set->members, set->count), 0);
	return table;
}

static uint16_t *copy_slots(const struct table *table, uint32_t slots)
{
	uint16_t *copy = malloc(slots * sizeof(*copy));

	cr_assert(copy);
	memcpy(copy, table_slots(table), slots * sizeof(*copy));
	return copy;
}

static void assert_from_scratch(const struct table *table, uint32_t slots, const struct set *set, const char *what)
{
	struct table *fresh = new_table(slots, set);

	cr_assert_arr_eq(table_slots(table), table_slots(fresh), slots * sizeof(uint16_t), "%s", what);
	table_free(fresh);
}

/* FNV-1a of the slots as little-endian bytes. */
static uint64_t digest(const uint16_t *ids, uint32_t slots)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (uint32_t i = 0; i < 2 * slots; i++)
		hash = (hash ^ (uint8_t)(ids[i / 2] >> i % 2 * 8)) * 0x100000001b3;
	return hash;
}

/* --- The interface */

Test(table, an_empty_table_has_no_owners)
{
	struct set *set = new_set(3);
	struct table *table = table_new(256, HASH_KEY);
	const uint16_t zeros[256] = {0};

	cr_assert_arr_eq(table_slots(table), zeros, sizeof(zeros), "new");
	cr_assert_eq(table_set_members(table, NULL, 0), 0);
	cr_assert_arr_eq(table_slots(table), zeros, sizeof(zeros), "an empty set of members");
	cr_assert_eq(table_set_members(table, set->members, 3), 0);
	for (int i = 0; i < 256; i++)
		cr_assert(table_slots(table)[i] >= 1 && table_slots(table)[i] <= 3);
	cr_assert_eq(table_set_members(table, NULL, 0), 0);
	cr_assert_arr_eq(table_slots(table), zeros, sizeof(zeros), "all leave");
	table_free(table);
	table_free(NULL);
	free(set);
}

#define NAME_OF_32 "abcdefghijklmnopqrstuvwxyz012345"

Test(table, refused_members_change_nothing)
{
	static const struct {
		const char *what;
		struct table_member members[3];
		int result;
	} rows[] = {
		{"repeated name", {{"a", 1, 1}, {"b", 2, 1}, {"a", 3, 1}}, -EINVAL},
		{"repeated id", {{"a", 1, 1}, {"b", 2, 1}, {"c", 1, 1}}, -EINVAL},
		{"id 0", {{"a", 1, 1}, {"b", 0, 1}, {"c", 3, 1}}, -EINVAL},
		{"weight 0", {{"a", 1, 1}, {"b", 2, 1}, {"c", 3, 0}}, -EINVAL},
		{"weight too great", {{"a", 1, TABLE_MAX_WEIGHT + 1}, {"b", 2, 1}, {"c", 3, 1}}, -EINVAL},
		{"name too long", {{NAME_OF_32 NAME_OF_32, 1, 1}, {"b", 2, 1}, {"c", 3, 1}}, -EINVAL},
		{"greatest id and weight", {{"a", 65535, MAX_WEIGHT}, {"b", 2, 1}, {"c", 3, 1}}, 0},
		{"longest names",
			{{NAME_OF_32 "abcdefghijklmnopqrstuvwxyz01234", 1, 1},
				{NAME_OF_32 "abcdefghijklmnopqrstuvwxyz01235", 2, 1}, {"c", 3, 1}},
			0},
	};
	struct set *set = new_set(4);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct table *table = new_table(1024, set);
		uint16_t *before = copy_slots(table, 1024);

		cr_assert_eq(table_set_members(table, rows[i].members, 3), rows[i].result, "%s", rows[i].what);
		if (rows[i].result)
			cr_assert_arr_eq(table_slots(table), before, 2048, "%s", rows[i].what);
		else
			cr_assert_arr_neq(table_slots(table), before, 2048, "%s", rows[i].what);
		cr_assert_eq(table_set_members(table, set->members, set->count), 0, "%s", rows[i].what);
		cr_assert_arr_eq(table_slots(table), before, 2048, "%s: and can be used as before", rows[i].what);
		free(before);
		table_free(table);
	}
	free(set);
}

/* Every balancer of a group must compute these bytes. If the function is changed on purpose, the release notes must
 * say so: calls move while balancers of both versions run together. */
Test(table, digests_have_not_changed)
{
	static const struct {
		const char *what;
		uint32_t slots;
		uint64_t hash_key[2];
		struct table_member members[4];
		size_t count;
		uint64_t digest;
	} rows[] = {
		{"equal weights", 256, {1, 2}, {{"px1", 1, 1}, {"px2", 2, 1}, {"px3", 3, 1}}, 3, 0x0b76660c7d2516a6},
		{"other key", 256, {2, 1}, {{"px1", 1, 1}, {"px2", 2, 1}, {"px3", 3, 1}}, 3, 0x8e68941bbb9845af},
		{"weights", 65536, {1, 2}, {{"a", 7, 1}, {"b", 300, 2}, {"c", 9, 5}, {"d", 65535, 1000}}, 4,
			0xdba88f07ebdc608b},
		{"logarithm", 1 << 20, {3, 4}, {{"a", 1, 1}, {"b", 2, 2}, {"c", 3, 3}, {"d", 4, 5}}, 4,
			0xe5e689ec787daad2},
		{"odd number of slot bits", 131072, {~0ULL, 0}, {{"sbc.example.net", 1, 3}, {"sbc", 2, 4}}, 2,
			0xf3f69070012a4f95},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct table *table = table_new(rows[i].slots, rows[i].hash_key);

		cr_assert_eq(table_set_members(table, rows[i].members, rows[i].count), 0);
		cr_expect_eq(digest(table_slots(table), rows[i].slots), rows[i].digest, "%s: %#lx", rows[i].what,
			digest(table_slots(table), rows[i].slots));
		table_free(table);
	}
}

/* --- What the table depends on */

Test(table, order_of_members_does_not_matter)
{
	uint64_t state = 1;
	struct set *set = new_weighted_set(&state, 40, 10);
	struct table *table = new_table(4096, set);

	for (int i = 0; i < 5; i++) {
		shuffle(&state, set);
		assert_from_scratch(table, 4096, set, "fresh table");
	}
	shuffle(&state, set);
	cr_assert_eq(table_set_members(table, set->members, set->count), 0);
	assert_from_scratch(table, 4096, set, "same members again");
	table_free(table);
	free(set);
}

Test(table, ids_do_not_matter)
{
	struct set *set = new_set(20);
	struct table *table = new_table(4096, set);
	uint16_t *before = copy_slots(table, 4096);

	for (size_t i = 0; i < 20; i++)
		set->members[i].id = (i + 7) % 20 + 1;
	cr_assert_eq(table_set_members(table, set->members, 20), 0);
	for (int i = 0; i < 4096; i++)
		cr_assert_eq(table_slots(table)[i], (before[i] - 1 + 7) % 20 + 1);
	assert_from_scratch(table, 4096, set, "other ids");
	free(before);
	table_free(table);
	free(set);
}

Test(table, each_half_of_the_hash_key_matters)
{
	const uint64_t keys[][2] = {
		{HASH_KEY[0] ^ 1, HASH_KEY[1]}, {HASH_KEY[0], HASH_KEY[1] ^ 1}, {HASH_KEY[1], HASH_KEY[0]}};
	struct set *set = new_set(8);
	struct table *table = new_table(65536, set);

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct table *other = table_new(65536, keys[i]);
		int same = 0;

		cr_assert_eq(table_set_members(other, set->members, set->count), 0);
		for (int j = 0; j < 65536; j++)
			same += table_slots(table)[j] == table_slots(other)[j];
		cr_assert(same > 7700 && same < 8700, "key %zu: %d of 65536 slots, an eighth would be random", i, same);
		table_free(other);
	}
	table_free(table);
	free(set);
}

/* Changes one member: its presence, its weight, or its id. */
static void change(uint64_t *state, struct set *all, bool *present, uint32_t weight_max)
{
	uint32_t i = random_below(state, all->count), j = random_below(state, all->count);
	uint16_t id = all->members[i].id;

	switch (random_below(state, 4)) {
	case 0:
		all->members[i].weight = 1 + random_below(state, weight_max);
		break;
	case 1:
		all->members[i].id = all->members[j].id;
		all->members[j].id = id;
		break;
	default:
		present[i] = !present[i];
	}
}

static struct set *those_present(const struct set *all, const bool *present)
{
	struct set *set = new_set(0);

	for (size_t i = 0; i < all->count; i++)
		if (present[i])
			set->members[set->count++] = all->members[i];
	return set;
}

Test(table, history_does_not_matter)
{
	static const struct {
		const char *what;
		uint32_t slots;
		size_t members;
		uint32_t weight_max;
		uint32_t changes_max; /* from one table to the next */
		int steps;
	} rows[] = {
		{"few members", 256, 3, 3, 2, 300},
		{"equal weights", 4096, 30, 1, 3, 100},
		{"weights", 4096, 30, 10, 3, 100},
		{"all weights", 2048, 30, MAX_WEIGHT, 3, 100},
		{"much at once", 1024, 40, 4, 60, 100},
		{"more members than slots", 256, 600, 4, 10, 50},
		{"so many changes that the table is built anew", 256, 1000, 2, 1000, 20},
		{"many slots", 1 << 18, 12, 10, 2, 6},
	};
	uint64_t state = 2;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct set *all = new_weighted_set(&state, rows[i].members, rows[i].weight_max);
		struct table *table = table_new(rows[i].slots, HASH_KEY);
		bool present[MOST] = {false};

		for (int step = 0; step < rows[i].steps; step++) {
			uint32_t changes = step ? 1 + random_below(&state, rows[i].changes_max) : rows[i].members;
			struct set *set;

			while (changes--)
				change(&state, all, present, rows[i].weight_max);
			set = those_present(all, present);
			cr_assert_eq(table_set_members(table, set->members, set->count), 0);
			assert_from_scratch(table, rows[i].slots, set, rows[i].what);
			free(set);
		}
		table_free(table);
		free(all);
	}
}

/* Rendezvous hashing: the owner also beats each other member in a table of two, which is the closest test of
 * the definition from outside. */
Test(table, the_owner_beats_every_other_member)
{
	uint64_t state = 3;
	struct set *set = new_weighted_set(&state, 30, 5);
	struct table *table = new_table(1024, set);
	struct table *pair = table_new(1024, HASH_KEY);

	for (size_t i = 0; i < set->count; i++) {
		for (size_t j = 0; j < i; j++) {
			struct table_member both[] = {set->members[i], set->members[j]};

			cr_assert_eq(table_set_members(pair, both, 2), 0);
			for (int slot = 0; slot < 1024; slot++) {
				uint16_t owner = table_slots(table)[slot];

				if (owner == both[0].id || owner == both[1].id)
					cr_assert_eq(table_slots(pair)[slot], owner);
			}
		}
	}
	table_free(pair);
	table_free(table);
	free(set);
}

/* --- What a change moves */

Test(table, removed_members_lose_only_their_slots_and_regain_them)
{
	static const struct {
		uint32_t slots;
		size_t members;
		size_t leavers;
		uint32_t weight_max;
	} rows[] = {
		{256, 2, 1, 1},
		{256, 200, 1, 3},
		{1024, 5, 4, 10},
		{4096, 10, 1, 1},
		{4096, 10, 3, MAX_WEIGHT},
		{8192, 64, 1, 1},
		{8192, 64, 32, 4},
		{65536, 300, 2, 1},
		{4096, 1000, 500, 2},
		{1 << 18, 16, 1, 1},
	};
	uint64_t state = 4;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct set *set = new_weighted_set(&state, rows[i].members, rows[i].weight_max);
		struct table *table = new_table(rows[i].slots, set);
		uint16_t *before = copy_slots(table, rows[i].slots);
		size_t first = rows[i].members - rows[i].leavers; /* of the removed members */
		bool left[MOST + 1] = {false};

		shuffle(&state, set);
		for (size_t j = first; j < set->count; j++)
			left[set->members[j].id] = true;
		cr_assert_eq(table_set_members(table, set->members, first), 0);
		for (uint32_t slot = 0; slot < rows[i].slots; slot++) {
			cr_assert(!left[table_slots(table)[slot]] && table_slots(table)[slot], "row %zu", i);
			cr_assert(left[before[slot]] || table_slots(table)[slot] == before[slot], "row %zu", i);
		}
		cr_assert_eq(table_set_members(table, set->members, set->count), 0);
		cr_assert_arr_eq(
			table_slots(table), before, rows[i].slots * 2, "row %zu: the table is the same again", i);
		free(before);
		table_free(table);
		free(set);
	}
}

Test(table, a_weight_moves_slots_only_to_or_from_its_member)
{
	static const struct {
		uint16_t from, to;
	} rows[] = {{1, 2}, {1, MAX_WEIGHT}, {9, 10}, {2, 1}, {MAX_WEIGHT, 1}, {MAX_WEIGHT, 999}};
	uint64_t state = 5;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct set *set = new_weighted_set(&state, 20, 20);
		struct table *table;
		uint16_t *before;
		int moved = 0;

		set->members[7].weight = rows[i].from;
		table = new_table(1 << 16, set);
		before = copy_slots(table, 1 << 16);
		set->members[7].weight = rows[i].to;
		cr_assert_eq(table_set_members(table, set->members, set->count), 0);
		for (int slot = 0; slot < 1 << 16; slot++) {
			uint16_t gainer = table_slots(table)[slot];

			if (gainer == before[slot])
				continue;
			moved++;
			cr_assert_eq(rows[i].to > rows[i].from ? gainer : before[slot], 8, "row %zu", i);
		}
		cr_assert_gt(moved, 0, "row %zu", i);
		free(before);
		table_free(table);
		free(set);
	}
}

/* --- How evenly. This is random: one in a hundred hash keys may exceed a limit; none of the few keys that are
 * tested without TABLE_KEYS does. */

static int key_count(int fewest)
{
	const char *wanted = getenv("TABLE_KEYS");
	int count = wanted ? atoi(wanted) : 0;

	return count > fewest ? count : fewest;
}

static void count_slots(const struct table *table, uint32_t slots, uint32_t counts[MOST + 1])
{
	memset(counts, 0, (MOST + 1) * sizeof(*counts));
	for (uint32_t i = 0; i < slots; i++)
		counts[table_slots(table)[i]]++;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

Test(table, fullest_of_64_is_within_5_percent_of_the_mean)
{
	const double mean = DEFAULT_SLOTS / 64.0;
	int keys = key_count(5);
	double *fullest = calloc(keys, sizeof(*fullest));
	double variance = 0;
	int missed = 0;
	struct set *set = new_set(64);
	uint64_t state = 6;

	for (int i = 0; i < keys; i++) {
		const uint64_t key[2] = {random_bits(&state), random_bits(&state)};
		struct table *table = table_new(DEFAULT_SLOTS, key);
		uint32_t counts[MOST + 1];

		cr_assert_eq(table_set_members(table, set->members, set->count), 0);
		count_slots(table, DEFAULT_SLOTS, counts);
		for (int id = 1; id <= 64; id++) {
			double deviation = counts[id] - mean;

			variance += deviation * deviation / 64 / keys;
			if (fullest[i] < counts[id] / mean)
				fullest[i] = counts[id] / mean;
		}
		missed += fullest[i] > 1.05;
		table_free(table);
	}
	cr_expect_leq(missed, keys / 100, "missed with %d of %d keys", missed, keys);
	qsort(fullest, keys, sizeof(*fullest), by_value);
	cr_log_info(
		"%d keys: fullest: median %.4f, 99 %% of keys up to %.4f, all up to %.4f; variance %.3f of the mean",
		keys, fullest[keys / 2], fullest[(keys - 1) * 99 / 100], fullest[keys - 1], variance / mean);
	free(set);
	free(fullest);
}

/* The largest deviation of a member's slots from the share of its weight, relative to that share. */
static double greatest_deviation(const struct set *set, double total_weight, uint64_t *state)
{
	const uint64_t hash_key[2] = {random_bits(state), random_bits(state)};
	struct table *table = table_new(DEFAULT_SLOTS, hash_key);
	uint32_t counts[MOST + 1];
	double most = 0;

	cr_assert_eq(table_set_members(table, set->members, set->count), 0);
	count_slots(table, DEFAULT_SLOTS, counts);
	for (size_t i = 0; i < set->count; i++) {
		const struct table_member *member = &set->members[i];
		double deviation = counts[member->id] * total_weight / member->weight / DEFAULT_SLOTS - 1;

		if (most < deviation)
			most = deviation;
		if (most < -deviation)
			most = -deviation;
	}
	table_free(table);
	return most;
}

Test(table, shares_follow_the_weights)
{
	static const struct {
		const char *what;
		double allowed;
		size_t count;
		uint16_t weights[16];
	} rows[] = {
		{"1:1", 0.02, 2, {1, 1}},
		{"1:2:5:10", 0.02, 4, {1, 2, 5, 10}},
		{"100:101", 0.02, 2, {100, 101}},
		{"999:1000:1000", 0.02, 3, {999, 1000, 1000}},
		{"16 equal ones", 0.02, 16, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
		{"1:1000, where 1 is 262 slots", 0.2, 2, {1, 1000}},
	};
	int keys = key_count(3);
	struct set *set = new_set(16);
	uint64_t state = 7;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double total = 0, most = 0;
		int missed = 0;

		set->count = rows[i].count;
		for (size_t j = 0; j < set->count; j++)
			total += set->members[j].weight = rows[i].weights[j];
		for (int key = 0; key < keys; key++) {
			double deviation = greatest_deviation(set, total, &state);

			missed += deviation > rows[i].allowed;
			if (most < deviation)
				most = deviation;
		}
		cr_expect_leq(missed, keys / 100, "%s: missed with %d of %d keys", rows[i].what, missed, keys);
		cr_log_info("%s: %d keys, %d missed, greatest deviation %.4f", rows[i].what, keys, missed, most);
	}
	free(set);
}

/* Chi-square of the slots that the others take from a removed member, against the shares of their weights,
 * divided by the degrees of freedom: about 1 if they take them at random, more if members are correlated. */
static double spread(const struct set *set, uint64_t *state)
{
	const uint64_t hash_key[2] = {random_bits(state), random_bits(state)};
	struct table *table = table_new(DEFAULT_SLOTS, hash_key);
	uint32_t last = set->count - 1, taken[MOST + 1] = {0}, counts[MOST + 1];
	uint16_t leaver = set->members[last].id;
	double total = 0, sum = 0;
	uint16_t *before;

	cr_assert_eq(table_set_members(table, set->members, set->count), 0);
	count_slots(table, DEFAULT_SLOTS, counts);
	before = copy_slots(table, DEFAULT_SLOTS);
	cr_assert_eq(table_set_members(table, set->members, last), 0);
	for (uint32_t i = 0; i < DEFAULT_SLOTS; i++)
		taken[table_slots(table)[i]] += before[i] == leaver;
	for (uint32_t i = 0; i < last; i++)
		total += set->members[i].weight;
	for (uint32_t i = 0; i < last; i++) {
		double expected = counts[leaver] * set->members[i].weight / total;
		double difference = taken[set->members[i].id] - expected;

		sum += difference * difference / expected;
	}
	free(before);
	table_free(table);
	return sum / (last - 1);
}

Test(table, slots_of_a_removed_member_spread_by_weight)
{
	static const struct {
		const char *what;
		size_t members;
		uint32_t weight_max;
		double allowed; /* about six standard deviations */
	} rows[] = {{"16 equal ones", 16, 1, 3.3}, {"64 equal ones", 64, 1, 2.1}, {"20 of 1 to 10", 20, 10, 3.0}};
	int keys = key_count(2);
	uint64_t state = 8;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double sum = 0;
		int missed = 0;

		for (int key = 0; key < keys; key++) {
			struct set *set = new_weighted_set(&state, rows[i].members, rows[i].weight_max);
			double chi_square = spread(set, &state);

			missed += chi_square > rows[i].allowed;
			sum += chi_square;
			free(set);
		}
		cr_expect_leq(missed, keys / 100, "%s: missed with %d of %d keys", rows[i].what, missed, keys);
		cr_log_info("%s: %d keys, chi-square / degrees of freedom %.3f", rows[i].what, keys, sum / keys);
	}
}
