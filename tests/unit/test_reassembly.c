// SPDX-License-Identifier: GPL-2.0
/* Reassembly: any order, losses, overlaps and limits. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "core/net/reassembly.h"

static const __u64 secret[2] = {0x0123456789abcdef, 0xfedcba9876543210};
static uint8_t datagram[DATAGRAM_SIZE_MAX];

static void fill(void)
{
	for (size_t i = 0; i < sizeof(datagram); i++)
		datagram[i] = i * 7 + i / 256;
}

/* Adds the bytes `at` to `end` of the datagram; it ends at `length`. Passes a copy of exactly this length. */
static const void *add(struct reassembly *reassembly, uint32_t id, size_t at, size_t end, size_t length, uint64_t now)
{
	struct part part = {.key = {.id = id, .protocol = 17}, .length = end - at, .at = at, .more = end < length};
	uint8_t *copy = malloc(end - at + 1);
	const void *whole;
	size_t found = 0;

	part.bytes = memcpy(copy, datagram + at, end - at);
	whole = reassembly_add(reassembly, &part, now, &found);
	free(copy);
	if (whole) {
		cr_assert_eq(found, length);
		cr_assert_arr_eq(whole, datagram, length);
	}
	return whole;
}

Test(reassembly, any_order, .init = fill)
{
	static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	static const size_t bounds[] = {0, 1480, 2960, 3001};
	struct reassembly *reassembly = reassembly_new(secret);

	for (uint32_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		for (int j = 0; j < 3; j++) {
			int part = orders[i][j];
			const void *whole = add(reassembly, 1, bounds[part], bounds[part + 1], 3001, 0);

			cr_expect_eq(!!whole, j == 2, "order %u, fragment %d", i, part);
		}
	cr_expect_eq(reassembly_given_up(reassembly), 0);
	reassembly_free(reassembly);
}

Test(reassembly, datagrams_do_not_mix, .init = fill)
{
	struct reassembly *reassembly = reassembly_new(secret);

	cr_expect_null(add(reassembly, 1, 0, 800, 1000, 0));
	cr_expect_null(add(reassembly, 2, 0, 800, 900, 0));
	cr_expect(add(reassembly, 2, 800, 900, 900, 0));
	cr_expect(add(reassembly, 1, 800, 1000, 1000, 0));
	reassembly_free(reassembly);
}

Test(reassembly, the_longest_datagram, .init = fill)
{
	struct reassembly *reassembly = reassembly_new(secret);
	const void *whole = NULL;
	size_t at;

	for (at = 0; at < DATAGRAM_SIZE_MAX; at += 1480) {
		cr_assert_null(whole);
		whole = add(reassembly, 1, at, at + 1480 < DATAGRAM_SIZE_MAX ? at + 1480 : DATAGRAM_SIZE_MAX,
			DATAGRAM_SIZE_MAX, 0);
	}
	cr_expect(whole);
	cr_expect_null(add(reassembly, 2, 65528, DATAGRAM_SIZE_MAX, DATAGRAM_SIZE_MAX, 0));
	reassembly_free(reassembly);
}

Test(reassembly, a_duplicate_changes_nothing, .init = fill)
{
	struct reassembly *reassembly = reassembly_new(secret);

	cr_expect_null(add(reassembly, 1, 0, 800, 1000, 0));
	cr_expect_null(add(reassembly, 1, 0, 800, 1000, 0));
	cr_expect(add(reassembly, 1, 800, 1000, 1000, 0));
	cr_expect_eq(reassembly_given_up(reassembly), 0);
	reassembly_free(reassembly);
}

Test(reassembly, fragments_that_contradict_each_other_end_the_datagram, .init = fill)
{
	static const struct {
		const char *name;
		size_t at, end, length;
	} rows[] = {
		{"an overlap at the front", 792, 1000, 1000},
		{"an overlap that covers it", 0, 808, 1000},
		{"a last fragment before the end", 400, 600, 600},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reassembly *reassembly = reassembly_new(secret);

		cr_expect_null(add(reassembly, 1, 0, 800, 1000, 0));
		cr_expect_null(add(reassembly, 1, rows[i].at, rows[i].end, rows[i].length, 0), "%s", rows[i].name);
		cr_expect_eq(reassembly_given_up(reassembly), 1, "%s", rows[i].name);
		reassembly_free(reassembly);
	}
}

Test(reassembly, a_fragment_after_the_end_ends_the_datagram, .init = fill)
{
	struct reassembly *reassembly = reassembly_new(secret);

	cr_expect_null(add(reassembly, 1, 800, 1000, 1000, 0));
	cr_expect_null(add(reassembly, 1, 1000, 1200, 1300, 0));
	cr_expect_eq(reassembly_given_up(reassembly), 1);
	reassembly_free(reassembly);
}

Test(reassembly, invalid_fragments_are_ignored, .init = fill)
{
	struct reassembly *reassembly = reassembly_new(secret);
	struct part beyond = {.key = {.id = 1, .protocol = 17}, .bytes = datagram, .length = 16, .at = 65528};
	size_t length;

	cr_expect_null(add(reassembly, 1, 0, 799, 1000, 0), "not a multiple of 8");
	cr_expect_null(add(reassembly, 1, 800, 800, 1000, 0), "empty");
	cr_expect_null(reassembly_add(reassembly, &beyond, 0, &length));
	cr_expect_null(add(reassembly, 1, 0, 800, 1000, 0));
	cr_expect(add(reassembly, 1, 800, 1000, 1000, 0));
	reassembly_free(reassembly);
}

Test(reassembly, a_lost_fragment_is_counted_after_a_second, .init = fill)
{
	struct reassembly *reassembly = reassembly_new(secret);

	cr_expect_null(add(reassembly, 1, 0, 800, 1000, 5000));
	cr_expect_null(add(reassembly, 2, 0, 800, 1000, 4000), "CPUs read the clock at different times");
	reassembly_expire(reassembly, REASSEMBLY_NSEC);
	cr_expect_eq(reassembly_given_up(reassembly), 0);
	cr_expect_null(add(reassembly, 1, 800, 1000, 1000, 5001 + REASSEMBLY_NSEC));
	cr_expect_eq(reassembly_given_up(reassembly), 2);
	reassembly_expire(reassembly, 3 * REASSEMBLY_NSEC);
	cr_expect_eq(reassembly_given_up(reassembly), 3);
	reassembly_free(reassembly);
}

Test(reassembly, a_flood_replaces_the_oldest_datagrams, .init = fill)
{
	struct reassembly *reassembly = reassembly_new(secret);
	uint32_t id;

	for (id = 0; id < 3 * REASSEMBLY_MOST; id++)
		cr_assert_null(add(reassembly, id, 0, 8, 1000, 0));
	cr_expect_eq(reassembly_given_up(reassembly), 2 * REASSEMBLY_MOST);
	cr_expect(add(reassembly, id - 1, 8, 1000, 1000, 0), "the newest is still there");
	cr_expect_null(add(reassembly, 2 * REASSEMBLY_MOST - 1, 8, 1000, 1000, 0));
	reassembly_free(reassembly);
}

Test(reassembly, memory_is_bounded, .init = fill)
{
	struct reassembly *reassembly = reassembly_new(secret);

	for (uint32_t id = 0; id < REASSEMBLY_MOST; id++)
		cr_assert_null(add(reassembly, id, 32768, 65528, 65535, 0));
	cr_expect_geq(reassembly_given_up(reassembly), REASSEMBLY_MOST - REASSEMBLY_BYTES / 65528 - 1);
	reassembly_free(reassembly);
}
