// SPDX-License-Identifier: GPL-2.0
/* The limits of the scanner in bpf/sip.h: messages one byte within and one byte beyond each limit, placed at an
 * unreadable page. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "bpf/sip.h"
#include "sip_guard.h"

static const __u64 KEY[2] = {0x0123456789abcdef, 0xfedcba9876543210};

/* The message, which the tests build part by part. */
static char text[SIP_GUARD_SIZE];
static size_t length;

static void put(const char *part)
{
	cr_assert(length + strlen(part) < sizeof(text));
	strcpy(text + length, part);
	length += strlen(part);
}

static void put_many(const char *part, size_t times)
{
	while (times--)
		put(part);
}

static void start(const char *part)
{
	length = 0;
	put(part);
}

static enum sip_result scan_at(size_t at, uint64_t *hash)
{
	const uint8_t *data = sip_guard_end(text, length);
	struct sip_text sip = sip_text(data, data + length, length, 0);
	struct sip_key key = {.hash_key = {KEY[0], KEY[1]}};
	enum sip_result result;
	__u32 after = 0, spent;

	result = sip_find(sip, at, &after, &spent);
	if (result == SIP_FOUND)
		result = sip_hash(sip, after, &key);
	if (hash)
		*hash = key.hash;
	return result;
}

static enum sip_result scan(void)
{
	return scan_at(0, NULL);
}

#define REQUEST "OPTIONS sip:bob@example.net SIP/2.0\r\n"
#define END "\r\nCSeq: 1 OPTIONS\r\n\r\n"

Test(sip_limits, the_shortest_message)
{
	for (size_t size = SIP_MINIMUM - 4; size < SIP_MINIMUM + 4; size++) {
		start("BYE sip:a SIP/2.0\r\ni:");
		put_many("1", size - length - 4);
		put("\r\n\r\n");
		cr_assert_eq(length, size);
		cr_expect_eq(scan(), size < SIP_MINIMUM ? SIP_NOT_SIP : SIP_FOUND, "%zu bytes", size);
	}
}

Test(sip_limits, the_longest_method)
{
	for (size_t letters = 1; letters < SIP_METHOD_WORDS * 8 + 20; letters++) {
		start("");
		put_many("M", letters);
		put(" sip:bob@example.net SIP/2.0\r\nCall-ID: 1" END);
		cr_expect_eq(scan(), letters < SIP_METHOD_WORDS * 8 ? SIP_FOUND : SIP_NOT_SIP, "%zu letters", letters);
	}
}

/* The limit applies to the bytes that are read: white space and the first byte after it. */
Test(sip_limits, white_space)
{
	for (size_t spaces = 0; spaces < SIP_SPACE_WORDS * 8 + 20; spaces++) {
		bool is_far = spaces >= SIP_SPACE_WORDS * 8;

		start(REQUEST "Call-ID:");
		put_many(" ", spaces);
		put("1" END);
		cr_expect_eq(scan(), is_far ? SIP_TOO_FAR : SIP_FOUND, "%zu spaces after the colon", spaces);

		start(REQUEST "Call-ID");
		put_many("\t", spaces);
		put(":1" END);
		cr_expect_eq(scan(), spaces >= SIP_BLANK_WORDS * 8 ? SIP_TOO_FAR : SIP_FOUND,
			"%zu tabs before the colon", spaces);

		start("");
		put_many("\n", spaces);
		put(REQUEST "Call-ID: 1" END);
		cr_expect_eq(scan(), is_far ? SIP_NOT_SIP : SIP_FOUND, "%zu line ends before the message", spaces);
	}
}

/* Only the first bytes of a longer value count: all values with the same start have the same owner. */
Test(sip_limits, the_longest_value)
{
	uint64_t first, second;

	for (size_t size = 1; size < SIP_VALUE_WORDS * 8 + 40; size++) {
		start(REQUEST "Call-ID: ");
		put_many("a", size - 1);
		put("b" END);
		cr_expect_eq(scan_at(0, &first), SIP_FOUND, "%zu bytes", size);
		text[strlen(REQUEST "Call-ID: ") + size - 1] = 'c';
		cr_expect_eq(scan_at(0, &second), SIP_FOUND, "%zu bytes", size);
		cr_expect_eq(first == second, size > SIP_VALUE_WORDS * 8, "%zu bytes", size);
	}
}

Test(sip_limits, values_that_differ_in_length_differ)
{
	uint64_t hash, before = 0;

	for (size_t size = 1; size <= SIP_VALUE_WORDS * 8; size++) {
		start(REQUEST "Call-ID: ");
		put_many("a", size);
		put(END);
		cr_expect_eq(scan_at(0, &hash), SIP_FOUND);
		cr_expect_neq(hash, before, "%zu bytes", size);
		before = hash;
	}
}

/* The end of the unrolled steps if each takes a whole stride, and the end of the loop after them. */
#define PLAIN_REACH (SIP_PLAIN_STEPS * SIP_STRIDE)
#define LOOP_BUDGET (SIP_BUDGET - SIP_PLAIN_STEPS * SIP_COST_PLAIN)
#define LOOP_REACH (LOOP_BUDGET * SIP_HALF)

/* One long line before the Call-ID. A few steps fall short of a stride near its ends. */
Test(sip_limits, a_call_id_far_from_the_start)
{
	for (size_t size = 100; size < 6000; size += 7) {
		enum sip_result result;

		start(REQUEST "Subject: ");
		put_many("x", size - length - 2);
		put("\r\nCall-ID: 1" END);
		result = scan();
		if (size < PLAIN_REACH + LOOP_REACH - 4 * SIP_STRIDE)
			cr_expect_eq(result, SIP_FOUND, "at %zu", size);
		else if (size > PLAIN_REACH + LOOP_REACH + 4 * SIP_STRIDE)
			cr_expect_eq(result, SIP_TOO_FAR, "at %zu", size);
	}
}

/* Copies of a line before the Call-ID: after `found` copies it is found, after `too_far` it is too far. */
static void flood(const char *line, size_t found, size_t too_far)
{
	cr_assert_lt(found, too_far);
	start(REQUEST);
	put_many(line, found);
	put("Call-ID: 1" END);
	cr_expect_eq(scan(), SIP_FOUND, "%zu times \"%s\"", found, line);
	start(REQUEST);
	put_many(line, too_far);
	put("Call-ID: 1" END);
	cr_expect_eq(scan(), SIP_TOO_FAR, "%zu times \"%s\"", too_far, line);
}

/* Lines that take more work than their length also use more of the budget: fewer of them reach the limit. */
Test(sip_limits, a_flood_of_candidates)
{
	size_t paid = LOOP_BUDGET / (1 + SIP_COST_EXACT + SIP_COST_CANDIDATE);

	flood("C: 1\n", SIP_PLAIN_STEPS + paid - 4, SIP_PLAIN_STEPS + paid + 4);
}

Test(sip_limits, a_flood_of_names_without_a_colon)
{
	size_t paid = SIP_BUDGET / (1 + SIP_COST_EXACT + SIP_COST_CANDIDATE + SIP_COST_BLANKS);

	flood("call-id         x\n", paid - 1, paid + 2);
	flood("i\t\tx\n", paid - 1, paid + 2);
}

/* Bytes that pass the quick test for a line end, but not the exact one. A step in straight-line code then ends at the
 * next newline. */
Test(sip_limits, a_flood_of_bytes_that_need_the_exact_test)
{
	size_t paid = LOOP_BUDGET / (1 + SIP_COST_EXACT);

	flood("x\x8f\x8f\x8f\x8f\x8f\x8f\n", SIP_PLAIN_STEPS + (paid - 4) * SIP_HALF / 8,
		SIP_PLAIN_STEPS + (paid + 4) * SIP_HALF / 8);
}

/* The farthest Call-ID of public collections begins at byte 2,745. */
Test(sip_limits, a_call_id_after_sixty_usual_headers)
{
	start(REQUEST);
	put("Accept: application/sdp\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO\r\nContact: "
	    "<sip:a@192.0.2.1>\r\n"
	    "Call-Info: <http://www.example.net/alice/photo.jpg>;purpose=icon\r\nCSeq: 1 OPTIONS\r\n"
	    "Accept-Language: en\r\nIn-Reply-To: 70710@example.net\r\n");
	for (int i = 0; i < 26; i++)
		put("Via: SIP/2.0/UDP 198.51.100.61;branch=z9hG4bK4fb2.b1\r\nRoute: <sip:198.51.100.61;lr>\r\n");
	put("Subject: ");
	put_many("x", 2745 - length - 2);
	put("\r\nCall-ID: 1" END);
	cr_expect_eq(scan(), SIP_FOUND);
}

/* The cost of lines with a different first letter depends only on their length. */
Test(sip_limits, many_other_lines)
{
	start(REQUEST);
	put_many("Via: 1\r\nTo: 1\r\nX: 1\r\n", 100);
	put("Call-ID: 1" END);
	cr_expect_eq(scan(), SIP_FOUND);
}

/* Offsets are masked to a power of two. Bytes beyond it are not read, and no other bytes are read instead. */
Test(sip_limits, a_message_beyond_the_offset_limit)
{
	for (size_t at = SIP_OFFSET_LIMIT - 200; at < SIP_OFFSET_LIMIT + 200; at++) {
		enum sip_result result;

		start("");
		put_many(REQUEST "Call-ID: lure\r\n\r\n", 20);
		put_many("-", at - length);
		put(REQUEST "CSeq: 1 OPTIONS" END);
		result = scan_at(at, NULL);
		cr_assert_neq(result, SIP_FOUND, "at %zu", at);
	}
}

/* A Call-ID at each position where a stride or a word can end, near the end of the message or not. */
Test(sip_limits, every_place_in_a_stride)
{
	for (size_t before = 0; before < 2 * SIP_STRIDE + 8; before++) {
		for (size_t behind = 0; behind < 2 * SIP_STRIDE + 8; behind++) {
			start(REQUEST "Subject: ");
			put_many("x", before);
			put("\r\nCall-ID: 1\r\n");
			put_many("x", behind);
			cr_expect_eq(scan(), SIP_FOUND, "%zu bytes before, %zu after", before, behind);
		}
	}
}

/* Bytes that differ from a newline by one, before a real one, at each position of a word. */
Test(sip_limits, bytes_that_disturb_the_search)
{
	for (int byte = 1; byte < 256; byte++) {
		for (size_t before = 0; before < 40; before++) {
			char disturbing[] = {byte, byte, 0};

			if (byte == '\n')
				continue;
			start(REQUEST "Subject: ");
			put_many("x", before);
			put(disturbing);
			put("\nCall-ID: 1" END);
			cr_expect_eq(scan(), SIP_FOUND, "byte %02x after %zu", byte, before);
		}
	}
}
