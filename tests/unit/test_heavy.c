// SPDX-License-Identifier: GPL-2.0
/* Heavy hitters: the table of the kernel (bpf/heavy.h), and the list of the heaviest (core/observe/heaviest.h). */
#include <criterion/criterion.h>
#include <string.h>
#include "bpf/heavy.h"
#include "bpf/packet.h"
#include "core/base/memory.h"
#include "core/observe/heaviest.h"

#define INTERVAL 5
#define HEAVY_IPV4 0x0a000000 /* heavy sources are 10.0.0.0 and the next addresses */

static struct heavy_bucket buckets[HEAVY_BUCKETS];

static uint64_t state = 1;

/* xorshift64*: the same numbers in each run */
static uint64_t random64(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dULL;
}

/* The finalizer of MurmurHash3, as in bpf/hash.h. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdULL;
	x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ULL;
	return x ^ (x >> 33);
}

static struct heavy_entry packet_of(uint32_t ipv4)
{
	return (struct heavy_entry){.bytes = 100, .packets = 1, .source = address_from_ipv4(net32(ipv4))};
}

static void count_packet(uint32_t interval, uint64_t key, const struct heavy_entry *packet)
{
	heavy_count(&buckets[heavy_index(key, interval) % HEAVY_BUCKETS], interval, key, packet);
}

/* Counts a packet of a source. */
static void count(uint32_t ipv4)
{
	struct heavy_entry packet = packet_of(ipv4);

	count_packet(INTERVAL, mix(ipv4), &packet);
}

/* The packets of a source, 0 if it has no entry. */
static uint32_t packets_of(const struct heaviest *list, uint32_t ipv4)
{
	struct address source = address_from_ipv4(net32(ipv4));

	for (size_t i = 0; i < list->count; i++)
		if (address_is_same(&list->entries[i].source, &source))
			return list->entries[i].packets;
	return 0;
}

static struct heaviest collect(void)
{
	struct heaviest list;

	heaviest_collect(buckets, INTERVAL, &list);
	return list;
}

Test(heavy, a_few_sources_are_counted_exactly)
{
	struct heaviest list;

	for (uint32_t i = 0; i < 1000; i++)
		count(HEAVY_IPV4 + i % 10 % 4);
	list = collect();
	cr_assert_eq(list.count, 4);
	cr_expect_eq(list.packets, 1000);
	cr_expect_eq(list.forgotten, 0);
	cr_expect_eq(list.error, 0);
	cr_expect_eq(list.entries[0].packets, 300);
	cr_expect_eq(list.entries[0].bytes, 30000);
	cr_expect_eq(packets_of(&list, HEAVY_IPV4 + 3), 200);
	heaviest_free(&list);
}

/* Each source sends `each` packets, at random positions among the packets of 1,000,000 forged sources. All sources must
 * have an entry, and the error bound must hold. */
static void expect_found_in_flood(uint32_t sources, uint32_t each)
{
	const uint32_t forged = 1000000, all = forged + sources * each;
	uint32_t *sent = allocate(sources, sizeof(*sent));
	uint32_t found = 0, missing = 0;
	struct heaviest list;

	memset(buckets, 0, sizeof(buckets));
	for (uint32_t i = 0; i < all; i++) {
		uint32_t heavy = random64() % all < sources * each ? random64() % sources + 1 : 0;

		if (heavy)
			sent[heavy - 1]++;
		count(heavy ? HEAVY_IPV4 + heavy - 1 : 0x80000000 | (uint32_t)random64());
	}
	list = collect();
	cr_expect_eq(list.packets, all);
	for (uint32_t i = 0; i < sources; i++) {
		uint32_t packets = packets_of(&list, HEAVY_IPV4 + i);

		found += packets > 0;
		cr_expect_leq(packets, sent[i], "never too many");
		cr_expect_leq(sent[i], packets + list.error, "too low by at most the error");
		if (sent[i] - packets > missing)
			missing = sent[i] - packets;
	}
	cr_expect_eq(found, sources, "%u of %u sources with %u packets", found, sources, each);
	for (uint32_t i = 0; i < sources; i++)
		cr_expect_eq(list.entries[i].source.word[3] & net32(0xff000000), net32(HEAVY_IPV4),
			"the heavy sources come first");
	cr_log_info("%u packets each: at most %u are missing, error %u", each, missing, list.error);
	heaviest_free(&list);
	free(sent);
}

Test(heavy, a_million_forged_sources_hide_no_heavy_source)
{
	expect_found_in_flood(20, 50000);
	expect_found_in_flood(20, 2000);
	expect_found_in_flood(20, 500);
}

/* The worst case: the forged packets arrive one after another, and all of them select the bucket of the heavy
 * source. */
Test(heavy, a_source_with_more_packets_than_are_forgotten_has_an_entry)
{
	const uint64_t key = 7;
	struct heavy_entry heavy = packet_of(HEAVY_IPV4), forged = packet_of(1);
	struct heaviest list;

	for (uint64_t i = 0; i < 20000; i++)
		count_packet(INTERVAL, key + (i + 1) * HEAVY_BUCKETS, &forged);
	for (int i = 0; i < 9000; i++)
		count_packet(INTERVAL, key, &heavy);
	for (uint64_t i = 0; i < 20000; i++)
		count_packet(INTERVAL, key + (i + 30000) * HEAVY_BUCKETS, &forged);
	list = collect();
	cr_expect_eq(list.packets, 49000);
	cr_expect_eq(packets_of(&list, HEAVY_IPV4), 9000);
	heaviest_free(&list);
}

Test(heavy, a_new_interval_begins_empty)
{
	struct heavy_entry packet = packet_of(HEAVY_IPV4);
	struct heaviest list;

	for (int i = 0; i < 10; i++)
		count_packet(INTERVAL, 1, &packet);
	count_packet(INTERVAL + 2, 1, &packet);
	cr_assert_neq(heavy_index(1, INTERVAL), heavy_index(1, INTERVAL + 1), "two halves");
	list = collect();
	cr_expect_eq(list.count, 0);
	heaviest_free(&list);
	heaviest_collect(buckets, INTERVAL + 2, &list);
	cr_assert_eq(list.count, 1);
	cr_expect_eq(list.packets, 1);
	heaviest_free(&list);
}

Test(heavy, json_has_the_counts)
{
	struct heavy_entry source = {.bytes = 700,
		.packets = 7,
		.initial = 3,
		.failed = 2,
		.not_sip = 1,
		.source.word = {net32(0x20010db8), net32(0x00010002)}};
	struct heavy_entry call = {.packets = 9, .call_id = "short\xff"};
	struct heaviest list = {.entries = &source, .count = 1}, calls = {.entries = &call, .count = 1};
	json_t *rows = heaviest_sources_json(&list, 5),
	       *expected = json_pack("[{s:s, s:i, s:i, s:i, s:i, s:i}]", "source", "2001:db8:1:2::/64", "packets", 7,
		       "bytes", 700, "initial", 3, "failed", 2, "not_sip", 1);

	cr_expect(json_equal(rows, expected));
	json_decref(rows);
	rows = heaviest_sources_json(&list, 0);
	cr_expect_eq(json_array_size(rows), 0);
	json_decref(rows);
	rows = heaviest_call_ids_json(&calls, 5);
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(rows, 0), "call_id")), "short?");
	json_decref(rows);
	json_decref(expected);
}

/* --- sentences */

static void expect_text(const uint32_t *shares, size_t count, uint64_t all, const char *call_id, const char *text)
{
	struct heavy_entry entries[32] = {0}, call = {.suspects = 90};
	struct heaviest sources = {.entries = entries, .count = count, .suspects = all},
			calls = {.entries = &call, .count = call_id != NULL, .suspects = all};
	char out[HEAVIEST_TEXT_SIZE];

	if (call_id)
		memcpy(call.call_id, call_id, strnlen(call_id, HEAVY_TEXT_SIZE));
	call.length = call_id ? strlen(call_id) : 0;
	for (size_t i = 0; i < count; i++)
		entries[i] = (struct heavy_entry){
			.packets = 1, .suspects = shares[i], .source = address_from_ipv4(net32(0xcb007100 + i))};
	cr_expect_str_eq(heaviest_suspects_text(&sources, &calls, out), text);
}

Test(heavy, suspects_are_described_by_their_shares)
{
	const uint32_t one[] = {3, 92, 5}, few[] = {30, 30, 30, 10};
	uint32_t many[20];

	for (size_t i = 0; i < 20; i++)
		many[i] = 1;
	expect_text(one, 3, 100, NULL, "203.0.113.1 sends 92 % of them");
	expect_text(one, 3, 100, "a1b2", "203.0.113.1 sends 92 % of them; 90 % of them have the Call-ID a1b2");
	expect_text(one, 3, 1000, "a1b2", "no single source: the 3 heaviest send 10 % of them");
	expect_text(few, 4, 100, "0123456789abcdefghijklmnop",
		"no single source: the heaviest, 203.0.113.0, sends 30 % of them, the 4 heaviest together 100 %; "
		"90 % of them have the Call-ID 0123456789abcdefghijklmn...");
	expect_text(many, 20, 1000, NULL, "no single source: the 10 heaviest send 1 % of them");
	expect_text(many, 0, 0, NULL, "");
}
