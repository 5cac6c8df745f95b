// SPDX-License-Identifier: GPL-2.0
/* Oversize packets: the fragments reassemble to the original packet, and the ICMP errors comply with the RFCs. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "core/net/oversize.h"
#include "tests/prog/frame.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define VIP6 .source = "2001:db8::7", .destination = "2001:db8::10"

static uint16_t get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static struct punt punt_of(const struct frame_spec *spec, uint16_t mtu)
{
	static struct frame frame;
	struct punt punt = {.mtu = mtu};

	frame_build(&frame, spec);
	punt.length = frame.length;
	memcpy(punt.frame, frame.data, frame.length < PUNT_FRAME_SIZE ? frame.length : PUNT_FRAME_SIZE);
	return punt;
}

static const char *text(size_t length)
{
	static char bytes[FRAME_SIZE];

	for (size_t i = 0; i < length; i++)
		bytes[i] = 'A' + i * 7 % 51;
	return bytes;
}

/* --- fragments */

/* Fragments a packet, checks each fragment and reassembles the payload. Returns their number. */
static size_t cut_and_join(const struct punt *punt, size_t link, uint8_t *joined, size_t *length)
{
	const uint8_t *ip = punt->frame + link;
	uint16_t first = get16(ip + 6), header = (ip[0] & 15) * 4;
	uint8_t piece[PUNT_FRAME_SIZE];
	struct oversize_fragments cut;
	size_t count = 0, size;

	*length = 0;
	cr_assert_eq(oversize_fragment_start(&cut, punt), 0);
	while ((size = oversize_fragment_next(&cut, piece))) {
		uint16_t total = get16(piece + link + 2), fragment = get16(piece + link + 6);
		bool last = *length + total - header == get16(ip + 2) - (size_t)header;

		cr_assert_eq(size, link + total);
		cr_assert_leq(total, punt->mtu);
		cr_assert(frame_ipv4_is_sound(piece + link, size - link));
		cr_assert_arr_eq(piece, punt->frame, link);
		cr_assert_eq(get16(piece + link + 4), get16(ip + 4), "identification");
		cr_assert_arr_eq(piece + link + 8, ip + 8, 2);
		cr_assert_arr_eq(piece + link + 12, ip + 12, 8);
		cr_assert_eq(fragment & 0x1fff, (first & 0x1fff) + *length / 8, "offset of fragment %zu", count);
		cr_assert_eq(fragment & 0xe000, last ? first & 0xe000 : 0x2000, "flags of fragment %zu", count);
		cr_assert(last || *length % 8 == 0);
		memcpy(joined + *length, piece + link + header, total - header);
		*length += total - header;
		count++;
	}
	return count;
}

Test(oversize, the_fragments_reassemble_to_the_packet)
{
	static const struct {
		const char *sentence;
		struct frame_spec in;
		uint16_t mtu;
		size_t pieces;
	} rows[] = {
		{"two pieces", {.payload_length = 1422, .id = 7}, 1380, 2},
		{"a last fragment of one byte", {.payload_length = 1353 + 8 - 16, .id = 7}, 20 + 1352, 2},
		{"a packet that fits", {.payload_length = 1000}, 1028, 1},
		{"fragments of eight bytes", {.payload_length = 100}, 28, 14},
		{"fragments of less than sixteen bytes", {.payload_length = 100}, 20 + 15, 13},
		{"with tags", {.payload_length = 1422, .vlan = {100, 200}}, 1380, 2},
		{"a first fragment", {.payload_length = 1472, .more_fragments = true, .id = 9}, 1380, 2},
		{"a fragment in the middle",
			{.payload_length = 1480, .fragment_offset = 1480, .more_fragments = true, .id = 9}, 1380, 2},
		{"the last fragment", {.payload_length = 1403, .fragment_offset = 2960, .id = 9}, 1380, 2},
		{"with options", {.payload_length = 1400, .option_words = 10}, 700, 3},
		{"TCP", {.payload_length = 1400, .protocol = 6}, 700, 3},
	};
	uint8_t joined[PUNT_FRAME_SIZE];

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct frame_spec spec = rows[i].in;
		struct punt punt;
		size_t link = 14 + 4 * ((spec.vlan[0] != 0) + (spec.vlan[1] != 0)), length, header;

		spec.payload = text(spec.payload_length);
		punt = punt_of(&spec, rows[i].mtu);
		header = (punt.frame[link] & 15) * 4;
		cr_expect(oversize_may_fragment(&punt));
		cr_expect_eq(cut_and_join(&punt, link, joined, &length), rows[i].pieces, "%s", rows[i].sentence);
		cr_expect_eq(length, punt.length - link - header, "%s", rows[i].sentence);
		cr_expect_arr_eq(joined, punt.frame + link + header, length);
	}
}

Test(oversize, every_length_and_mtu)
{
	uint8_t joined[PUNT_FRAME_SIZE];

	for (size_t bytes = 0; bytes < 80; bytes++)
		for (uint16_t mtu = 28; mtu < 120; mtu++) {
			struct frame_spec spec = {.payload = text(bytes), .payload_length = bytes};
			struct punt punt;
			size_t length;

			if (!bytes)
				spec.payload = "";
			punt = punt_of(&spec, mtu);
			cut_and_join(&punt, 14, joined, &length);
			cr_assert_eq(length, 8 + bytes);
			cr_assert_arr_eq(joined, punt.frame + 34, length);
		}
}

Test(oversize, ethernet_padding_is_not_part_of_the_packet)
{
	struct punt punt = punt_of(&(struct frame_spec){.payload = text(100), .payload_length = 100}, 60);
	uint8_t joined[PUNT_FRAME_SIZE];
	size_t length;

	punt.length += 20;
	cut_and_join(&punt, 14, joined, &length);
	cr_expect_eq(length, 108);
}

/* RFC 791, section 3.1: options without the copied flag are in the first fragment only. */
Test(oversize, options)
{
	static const uint8_t options[] = {7, 7, 4, 0, 0, 0, 0, 131, 3, 4, 1, 0};
	static const uint8_t copied[] = {1, 1, 1, 1, 1, 1, 1, 131, 3, 4, 1, 0};
	struct punt punt =
		punt_of(&(struct frame_spec){.payload = text(100), .payload_length = 100, .option_words = 3}, 80);
	uint8_t piece[PUNT_FRAME_SIZE];
	struct oversize_fragments cut;

	memcpy(punt.frame + 34, options, sizeof(options));
	cr_assert_eq(oversize_fragment_start(&cut, &punt), 0);
	cr_assert_gt(oversize_fragment_next(&cut, piece), 0);
	cr_expect_arr_eq(piece + 34, options, sizeof(options));
	cr_assert_gt(oversize_fragment_next(&cut, piece), 0);
	cr_expect_arr_eq(piece + 34, copied, sizeof(copied));

	punt.frame[35] = 200; /* longer than all options together */
	cr_assert_eq(oversize_fragment_start(&cut, &punt), 0);
	while (oversize_fragment_next(&cut, piece))
		cr_expect_arr_eq(piece + 36, options + 2, sizeof(options) - 2);
}

Test(oversize, packets_that_cannot_be_fragmented)
{
	static const struct {
		const char *sentence;
		struct frame_spec in;
		uint16_t mtu;
	} rows[] = {
		{"Don't Fragment", {.payload_length = 1400, .dont_fragment = true}, 1000},
		{"IPv6", {.payload_length = 1400, VIP6}, 1000},
		{"a truncated frame", {.payload_length = 3000}, 1500},
		{"an MTU without room for eight bytes", {.payload_length = 100}, 27},
		{"an MTU without room for the options and eight bytes", {.payload_length = 100, .option_words = 10},
			67},
		{"an MTU of 0", {.payload_length = 100}, 0},
		{"no IP", {.payload_length = 100, .ethertype = 0x0806}, 1000},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct frame_spec spec = rows[i].in;
		struct punt punt;
		struct oversize_fragments cut;

		spec.payload = text(spec.payload_length);
		punt = punt_of(&spec, rows[i].mtu);
		cr_expect_eq(oversize_fragment_start(&cut, &punt), -EINVAL, "%s", rows[i].sentence);
	}
}

/* --- ICMP errors */

/* Checks an error. `expected` has its source, destination and tags; all else is the same for all errors. */
static void expect_error(const struct punt *punt, const struct frame_spec *expected, uint16_t mtu, size_t most)
{
	bool ipv6 = strchr(expected->destination, ':') != NULL;
	size_t link = 14 + 4 * ((expected->vlan[0] != 0) + (expected->vlan[1] != 0)), header = ipv6 ? 40 : 20;
	size_t quote = punt->length - link < most - header - 8 ? punt->length - link : most - header - 8;
	uint8_t answer[OVERSIZE_ERROR_SIZE], *ip = answer + link, *icmp = ip + header;
	size_t length = oversize_error(punt, answer);
	static struct frame like;

	frame_build(&like, expected);
	cr_assert_eq(length, link + header + 8 + quote, "%zu bytes", length);
	cr_expect_arr_eq(answer, like.data, link);
	cr_expect_arr_eq(ip + (ipv6 ? 8 : 12), like.data + link + (ipv6 ? 8 : 12), ipv6 ? 32 : 8);
	cr_expect(ipv6 || frame_ipv4_is_sound(ip, length - link));
	cr_expect_eq(ipv6 ? get16(ip + 4) + 40 : get16(ip + 2), length - link);
	cr_expect_eq(ip[ipv6 ? 6 : 9], ipv6 ? 58 : 1);
	cr_expect(frame_icmp_is_sound(ip, length - link));
	cr_expect_eq(icmp[0], ipv6 ? 2 : 3);
	cr_expect_eq(icmp[1], ipv6 ? 0 : 4);
	cr_expect_eq(get16(icmp + 4), 0);
	cr_expect_eq(get16(icmp + 6), mtu);
	cr_expect_arr_eq(icmp + 8, punt->frame + link, quote);
}

#define BACK .to_mac = "02:00:00:00:00:99", .from_mac = "02:00:00:00:00:01"
#define BACK4 BACK, .source = "192.0.2.10", .destination = "198.51.100.7"
#define BACK6 BACK, .source = "2001:db8::10", .destination = "2001:db8::7"

Test(oversize, errors_to_the_sender)
{
	static const struct {
		struct frame_spec in;
		uint16_t mtu;
		struct frame_spec out;
		uint16_t mtu_in_error;
		size_t most;
	} rows[] = {
		{{.payload_length = 1422, .dont_fragment = true}, 1380, {BACK4}, 1380, 576},
		{{.payload_length = 1422, .dont_fragment = true, .protocol = 6}, 1380, {BACK4}, 1380, 576},
		{{.payload_length = 300, .dont_fragment = true}, 200, {BACK4}, 200, 576},
		{{.payload_length = 1422, .dont_fragment = true, .vlan = {100, 200}}, 1380, {BACK4, .vlan = {100, 200}},
			1380, 576},
		{{.payload_length = 1422, .dont_fragment = true, .more_fragments = true}, 1380, {BACK4}, 1380, 576},
		{{.payload_length = 8000, .dont_fragment = true}, 1500, {BACK4}, 1500, 576},
		{{.payload_length = 1422, VIP6}, 1380, {BACK6}, 1380, 1280},
		{{.payload_length = 1422, VIP6, .protocol = 6}, 1380, {BACK6}, 1380, 1280},
		{{.payload_length = 1422, VIP6}, 1240, {BACK6}, 1280, 1280},
		{{.payload_length = 1422, VIP6, .vlan = {7}}, 1380, {BACK6, .vlan = {7}}, 1380, 1280},
		{{.payload_length = 1422, VIP6, .fragment_offset = 1448, .id = 9}, 1380, {BACK6}, 1380, 1280},
		{{.payload_length = 8000, VIP6}, 1500, {BACK6}, 1500, 1280},
		{{.payload_length = 1233, VIP6}, 1240, {BACK6}, 1280, 1280},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct frame_spec spec = rows[i].in;
		struct punt punt;

		spec.payload = text(spec.payload_length);
		punt = punt_of(&spec, rows[i].mtu);
		expect_error(&punt, &rows[i].out, rows[i].mtu_in_error, rows[i].most);
	}
}

Test(oversize, packets_that_must_not_cause_an_error)
{
	static const struct {
		const char *sentence;
		struct frame_spec in;
	} rows[] = {
		{"a later fragment of IPv4", {.fragment_offset = 1480, .dont_fragment = true}},
		{"an ICMP error", {.icmp_type = 3}},
		{"a different protocol", {.protocol = 47}},
		{"from a multicast address", {.source = "224.0.0.1"}},
		{"from the broadcast address", {.source = "255.255.255.255"}},
		{"from the unspecified address", {.source = "0.0.0.0"}},
		{"from a loopback address", {.source = "127.0.0.1"}},
		{"to the broadcast MAC", {.to_mac = "ff:ff:ff:ff:ff:ff"}},
		{"an ICMPv6 error", {.icmp_type = 1, VIP6}},
		{"IPv6 from a multicast address", {.source = "ff02::1", .destination = "2001:db8::10"}},
		{"IPv6 from the unspecified address", {.source = "::", .destination = "2001:db8::10"}},
		{"no IP", {.ethertype = 0x0806}},
	};
	uint8_t answer[OVERSIZE_ERROR_SIZE];

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct frame_spec spec = rows[i].in;
		struct punt punt;

		spec.payload = text(1400);
		spec.payload_length = 1400;
		spec.dont_fragment = true;
		punt = punt_of(&spec, 1380);
		cr_expect_eq(oversize_error(&punt, answer), 0, "%s", rows[i].sentence);
	}
}

/* An IPv6 sender does not reduce its packets below 1280 bytes: after an error, it would send the same packet again. */
Test(oversize, an_ipv6_packet_of_the_minimum_mtu_causes_no_error)
{
	struct punt punt = punt_of(&(struct frame_spec){.payload = text(1232), .payload_length = 1232, VIP6}, 1240);
	uint8_t answer[OVERSIZE_ERROR_SIZE];

	cr_expect_eq(oversize_error(&punt, answer), 0);
}

Test(oversize, the_rate_of_errors_is_limited)
{
	struct oversize_error_rate rate = {};
	uint64_t start = 5000000, errors = 0;

	for (uint64_t usec = 0; usec < 2000000; usec += 10)
		errors += oversize_error_is_allowed(&rate, start + usec);
	cr_expect_geq(errors, 2 * OVERSIZE_ERRORS_PER_SECOND);
	cr_expect_leq(errors, 2 * OVERSIZE_ERRORS_PER_SECOND + OVERSIZE_ERRORS_PER_SECOND / 10 + 1);
	for (errors = 0; oversize_error_is_allowed(&rate, start + 60000000); errors++)
		cr_assert_lt(errors, 1000);
	cr_expect_eq(errors, OVERSIZE_ERRORS_PER_SECOND / 10 + 1, "errors of the burst: %lu", errors);
}
