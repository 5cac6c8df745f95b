// SPDX-License-Identifier: GPL-2.0
/* Held fragments: look-up by key, order of age, and limits. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "core/net/address.h"
#include "core/net/held_fragments.h"

static const __u64 secret[2] = {0x0123456789abcdef, 0xfedcba9876543210};

static struct punt fragment(const char *source, uint32_t id, uint8_t number)
{
	struct punt punt = {.kind = PUNT_FRAGMENT, .length = 60, .key = {.id = htonl(id), .protocol = 17}};

	cr_assert_eq(address_parse(source, &punt.key.source), 0, "%s", source);
	cr_assert_eq(address_parse("192.0.2.10", &punt.key.destination), 0);
	punt.frame[0] = number;
	return punt;
}

static enum held_result add(struct held_fragments *held, const char *source, uint32_t id, uint8_t number)
{
	struct punt punt = fragment(source, id, number);

	return held_add(held, &punt);
}

/* Removes the oldest fragment of a datagram. Returns its number, or -1 if there is none. */
static int take(struct held_fragments *held, const char *source, uint32_t id)
{
	struct punt punt = fragment(source, id, 0);
	const struct punt *found = held_of(held, &punt.key);
	int number = found ? found->frame[0] : -1;

	if (found)
		held_remove(held, found);
	return number;
}

Test(held_fragments, fragments_of_a_datagram_are_found_oldest_first)
{
	struct held_fragments *held = held_new(secret);

	cr_expect_eq(take(held, "10.0.0.1", 1), -1);
	cr_expect_eq(add(held, "10.0.0.1", 1, 2), HELD_ADDED);
	cr_expect_eq(add(held, "10.0.0.1", 2, 9), HELD_ADDED);
	cr_expect_eq(add(held, "10.0.0.1", 1, 1), HELD_ADDED);
	cr_expect_eq(add(held, "10.0.0.2", 1, 8), HELD_ADDED);
	cr_expect_eq(held_count(held), 4);
	cr_expect_eq(held_oldest(held)->frame[0], 2);
	cr_expect_eq(take(held, "10.0.0.1", 1), 2);
	cr_expect_eq(take(held, "10.0.0.1", 1), 1);
	cr_expect_eq(take(held, "10.0.0.1", 1), -1);
	cr_expect_eq(held_oldest(held)->frame[0], 9);
	cr_expect_eq(held_count(held), 2);
	held_free(held);
}

Test(held_fragments, the_whole_record_is_copied)
{
	struct held_fragments *held = held_new(secret);
	struct punt punt = fragment("10.0.0.1", 1, 0);

	punt.length = PUNT_FRAME_SIZE;
	punt.ifindex = 7;
	punt.time = 77;
	memset(punt.frame, 0xa5, sizeof(punt.frame));
	held_add(held, &punt);
	cr_expect_arr_eq(held_oldest(held), &punt, sizeof(punt));
	held_free(held);
}

Test(held_fragments, a_duplicate_frame_is_held_once)
{
	struct held_fragments *held = held_new(secret);

	cr_expect_eq(add(held, "10.0.0.1", 1, 2), HELD_ADDED);
	cr_expect_eq(add(held, "10.0.0.1", 1, 2), HELD_DUPLICATE);
	cr_expect_eq(add(held, "10.0.0.1", 2, 2), HELD_ADDED, "of a different datagram");
	cr_expect_eq(held_count(held), 2);
	held_free(held);
}

Test(held_fragments, a_datagram_at_its_limit_loses_its_oldest_fragment)
{
	struct held_fragments *held = held_new(secret);

	add(held, "10.0.0.1", 2, 200);
	for (int i = 0; i < HELD_MOST_OF_KEY; i++)
		cr_assert_eq(add(held, "10.0.0.1", 1, i), HELD_ADDED);
	cr_expect_eq(add(held, "10.0.0.1", 1, 100), HELD_REPLACED);
	cr_expect_eq(take(held, "10.0.0.1", 1), 1, "number 0 was removed");
	cr_expect_eq(take(held, "10.0.0.1", 2), 200);
	held_free(held);
}

/* A source is at its limit, and the fragment to remove is the only one of the datagram to which the new fragment
 * belongs. */
Test(held_fragments, a_source_at_its_limit_loses_its_oldest_fragment)
{
	static const struct {
		const char *source, *same, *other;
	} rows[] = {
		{"10.0.0.1", "10.0.0.1", "10.0.0.2"},
		{"2001:db8::1", "2001:db8::2:3:4:5", "2001:db8:0:1::1"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct held_fragments *held = held_new(secret);

		add(held, rows[i].other, 0, 1);
		for (uint32_t id = 0; id < HELD_MOST_OF_SOURCE; id++)
			cr_assert_eq(add(held, rows[i].source, id, 2), HELD_ADDED);
		cr_expect_eq(add(held, rows[i].same, 0, 3), HELD_REPLACED);
		cr_expect_eq(take(held, rows[i].same, 0), 3, "%s", rows[i].same);
		cr_expect_eq(take(held, rows[i].source, 0), -1, "%s", rows[i].source);
		cr_expect_eq(take(held, rows[i].source, 1), 2, "%s", rows[i].source);
		cr_expect_eq(take(held, rows[i].other, 0), 1, "%s", rows[i].other);
		held_free(held);
	}
}

Test(held_fragments, a_flood_from_many_sources_replaces_the_oldest_fragments)
{
	struct held_fragments *held = held_new(secret);
	enum held_result result = HELD_ADDED;
	char source[64];

	add(held, "10.0.0.1", 1, 1);
	for (uint32_t i = 0; i < 3 * HELD_MOST; i++) {
		snprintf(source, sizeof(source), "198.%u.%u.%u", 18 + (i >> 16), i >> 8 & 255, i & 255);
		result = add(held, source, 1, 3);
		if (i == HELD_MOST - 2)
			cr_expect_eq(take(held, "10.0.0.1", 1), 1, "until all places are used");
		if (i == 2 * HELD_MOST)
			add(held, "10.0.0.1", 1, 2);
	}
	cr_expect_eq(result, HELD_REPLACED);
	cr_expect_eq(held_count(held), HELD_MOST);
	cr_expect_eq(take(held, "10.0.0.1", 1), 2, "a recent fragment is still held");
	held_free(held);
}
