// SPDX-License-Identifier: GPL-2.0
/* The headers that select the backend of a message, in the host build: rows, truncated at every byte between
 * unreadable pages and compared with the slow scanners; limits. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "bpf/sip_dialog.h"
#include "tests/prog/sip_message.h"
#include "sip_guard.h"
#include "sip_slow.h"

#define MESSAGES 20000
#define VALUES 200000

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define REQUEST "INVITE sip:bob@example.net SIP/2.0\r\n"
#define RESPONSE "SIP/2.0 180 Ringing\r\n"
#define VIA "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1\r\n"
#define END "CSeq: 1 INVITE\r\n\r\n"

static const struct {
	const char *name;
	const char *letter;
	enum sip_header key;
} headers[] = {
	{"To", "t", SIP_TO},
	{"From", "f", SIP_FROM},
	{"Via", "v", SIP_VIA},
	{"Route", NULL, SIP_ROUTE},
};

static const char *result_name(enum sip_result result)
{
	static const char *const names[] = {"found", "not there", "too far", "no SIP"};

	return names[result];
}

/* A header of a text that is a message. */
static enum sip_result find_header(struct sip_text text, enum sip_header header, __u32 *colon)
{
	__u16 budget = SIP_PACKET_BUDGET;
	struct sip_lines lines = {};
	struct sip_start start;
	enum sip_result result = sip_find_start(text, 0, &start);

	if (result != SIP_FOUND)
		return result;
	lines.at = start.line;
	result = sip_find_header(text, &lines, header, &budget);
	*colon = lines.colon[header];
	return result;
}

/* --- finding a header */

struct place {
	enum sip_result result;
	size_t colon; /* valid if SIP_FOUND */
};

static struct place find(const uint8_t *message, size_t length, size_t header)
{
	struct sip_text text = sip_text(message, message + length, length, 0);
	__u32 colon = 0;
	struct place place = {.result = find_header(text, headers[header].key, &colon)};

	if (place.result == SIP_FOUND)
		place.colon = colon;
	return place;
}

static struct place find_slowly(const char *message, size_t length, size_t header)
{
	size_t colon = 0;
	struct place place = {
		.result = slow_header(message, length, headers[header].name, headers[header].letter, &colon)};

	if (place.result == SIP_FOUND)
		place.colon = colon;
	return place;
}

static void check_place(const char *name, const char *text, size_t length, struct place is, struct place should)
{
	cr_assert(is.result == should.result && is.colon == should.colon,
		"%s: %s at %zu, not %s at %zu, in %zu bytes\n%.*s", name, result_name(is.result), is.colon,
		result_name(should.result), should.colon, length, (int)length, text);
}

/* Finds all headers of a message, placed at each of the two guard pages. */
static void check_headers(const char *name, const char *text, size_t length)
{
	for (size_t i = 0; i < COUNT(headers); i++) {
		struct place slow = find_slowly(text, length, i);

		check_place(name, text, length, find(sip_guard_end(text, length), length, i), slow);
		check_place(name, text, length, find(sip_guard_start(text, length), length, i), slow);
	}
}

/* The found value, right after the colon, begins with `value`; NULL: none is found. */
static const struct header_row {
	const char *sentence;
	enum sip_header key;
	const char *text;
	const char *value;
} header_rows[] = {
	{"To", SIP_TO, REQUEST VIA "To: 1\r\n" END, " 1"},
	{"to in lower case", SIP_TO, REQUEST VIA "to: 1\r\n" END, " 1"},
	{"TO", SIP_TO, REQUEST VIA "TO:1\r\n" END, "1"},
	{"the short To", SIP_TO, REQUEST VIA "t: 1\r\n" END, " 1"},
	{"the short To, a capital", SIP_TO, REQUEST VIA "T :1\r\n" END, "1"},
	{"blanks before the colon", SIP_TO, REQUEST VIA "To \t : 1\r\n" END, " 1"},
	{"To after headers that begin like it", SIP_TO,
		REQUEST "Timestamp: 2\r\nTop: 2\r\nT-o: 2\r\nTo-: 2\r\nTo: 1\r\n" END, " 1"},
	{"To in a folded line is part of a different header", SIP_TO,
		REQUEST "Subject: x\r\n To: 2\r\n\tt: 2\r\nTo: 1\r\n" END, " 1"},
	{"To in a value", SIP_TO, REQUEST "Subject: To: 2\r\nTo: 1\r\n" END, " 1"},
	{"To whose line a bare LF ends", SIP_TO, "INVITE sip:bob@example.net SIP/2.0\nCSeq: 1 INVITE\nTo: 1\n\n", " 1"},
	{"a bare CR ends no line", SIP_TO, REQUEST "Subject: x\rTo: 2\r\nTo: 1\r\n" END, " 1"},
	{"From", SIP_FROM, RESPONSE VIA "From: 1\r\n" END, " 1"},
	{"fROM", SIP_FROM, RESPONSE VIA "fROM: 1\r\n" END, " 1"},
	{"the short From", SIP_FROM, RESPONSE VIA "f:1\r\n" END, "1"},
	{"From after headers that begin like it", SIP_FROM, RESPONSE "Foo: 2\r\nFro: 2\r\nFromm: 2\r\nFrom: 1\r\n" END,
		" 1"},
	{"the topmost Via", SIP_VIA, RESPONSE "Via: 1\r\nVia: 2\r\n" END, " 1"},
	{"the topmost Via, a short one", SIP_VIA, RESPONSE "v: 1\r\nVia: 2\r\n" END, " 1"},
	{"Via after headers that begin like it", SIP_VIA, RESPONSE "Viaduct: 2\r\nVi: 2\r\nX-Via: 2\r\nVia: 1\r\n" END,
		" 1"},
	{"the topmost Route", SIP_ROUTE, REQUEST VIA "Route: 1\r\nRoute: 2\r\n" END, " 1"},
	{"Route has no short form", SIP_ROUTE, REQUEST "r: 2\r\nRecord-Route: 2\r\nrOUTE: 1\r\n" END, " 1"},
	{"a name and a colon on different lines", SIP_TO, REQUEST "To\r\n: 2\r\nTo: 1\r\n" END, " 1"},
	{"after leading line ends", SIP_TO, "\r\n\r\n" REQUEST "To: 1\r\n" END, " 1"},
	{"an empty value is found", SIP_TO, REQUEST "To:\r\n" END, "\r\n"},
	{"the start-line is not a header", SIP_VIA, "v: sip:bob@example.net SIP/2.0\r\nVia: 1\r\n" END, " 1"},
	{"none", SIP_TO, REQUEST VIA END, NULL},
	{"not after the blank line", SIP_TO, REQUEST VIA END "To: 2\r\n\r\n", NULL},
	{"not after a blank line of LF", SIP_TO, REQUEST VIA "CSeq: 1 INVITE\n\nTo: 2\n\n", NULL},
	{"not after a blank line of mixed ends", SIP_TO, REQUEST VIA "CSeq: 1 INVITE\r\n\nTo: 2\n\n", NULL},
	{"none in a message without headers", SIP_VIA, REQUEST "\r\nVia: 2\r\n\r\n", NULL},
	{"no Route among Record-Routes", SIP_ROUTE, REQUEST "Record-Route: 2\r\nRecord-Route: 2\r\n" END, NULL},
};

Test(sip_headers, rows)
{
	for (size_t i = 0; i < COUNT(header_rows); i++) {
		const struct header_row *row = &header_rows[i];
		size_t length = strlen(row->text);
		const uint8_t *data = sip_guard_end(row->text, length);
		__u32 colon = 0;
		enum sip_result result = find_header(sip_text(data, data + length, length, 0), row->key, &colon);

		cr_expect_eq(
			result, row->value ? SIP_FOUND : SIP_NOT_THERE, "%s: %s", row->sentence, result_name(result));
		if (row->value && result == SIP_FOUND)
			cr_expect(row->text[colon] == ':' &&
					  strncmp(row->text + colon + 1, row->value, strlen(row->value)) == 0,
				"%s: \"%s\"", row->sentence, row->text + colon);
	}
}

Test(sip_headers, rows_cut_at_every_byte)
{
	for (size_t i = 0; i < COUNT(header_rows); i++) {
		for (size_t length = 0; length <= strlen(header_rows[i].text); length++)
			check_headers(header_rows[i].sentence, header_rows[i].text, length);
	}
}

Test(sip_headers, agree_with_the_slow_scanner_on_every_spelling)
{
	uint64_t seed = rng_seed();

	for (uint32_t n = 0; n < MESSAGES; n++) {
		struct rng rng = rng_start(seed, n);
		struct sip_message message;
		char name[64];

		sip_message_write(&rng, "1", &message);
		snprintf(name, sizeof(name), "SIPXDP_SEED=%lu, message %u", seed, n);
		check_headers(name, message.text, message.length);
		check_headers(name, message.text, rng_below(&rng, message.length));
	}
}

/* A header at each position where a stride or a word can end, near the end of the message or not. */
Test(sip_headers, every_place_in_a_stride)
{
	char text[512];

	for (size_t before = 0; before < 2 * SIP_STRIDE + 8; before++) {
		for (size_t behind = 0; behind < 2 * SIP_STRIDE + 8; behind++) {
			int length = snprintf(text, sizeof(text), REQUEST "Subject: %*s\nRoute: 1\r\nSubject:%*s",
				(int)before, "", (int)behind, "");

			cr_expect_eq(find(sip_guard_end(text, length), length, 3).result, SIP_FOUND,
				"%zu bytes before, %zu after", before, behind);
		}
	}
}

/* --- the tag of a To */

static enum sip_result find_tag(const uint8_t *message, size_t length)
{
	struct sip_text text = sip_text(message, message + length, length, 0);
	__u16 budget = SIP_PACKET_BUDGET;
	__u32 colon;
	enum sip_result result = find_header(text, SIP_TO, &colon);

	return result == SIP_FOUND ? sip_has_tag(text, colon, &budget) : result;
}

static enum sip_result find_tag_slowly(const char *message, size_t length)
{
	size_t colon;
	enum sip_result result = slow_header(message, length, "To", "t", &colon);

	return result == SIP_FOUND ? slow_tag(message, length, colon) : result;
}

/* Values of a To. */
static const struct tag_row {
	const char *sentence;
	bool has_tag;
	const char *to;
} tag_rows[] = {
	{"none", false, "<sip:bob@example.net>"},
	{"one", true, "<sip:bob@example.net>;tag=a6c85cf"},
	{"TAG", true, "<sip:bob@example.net>;TAG=a6c85cf"},
	{"after a different parameter", true, "<sip:bob@example.net>;x;y=z;tag=a6c85cf"},
	{"white space around all", true, "<sip:bob@example.net>  ; \t tag  = a6c85cf"},
	{"folds around all", true, "<sip:bob@example.net>\r\n ;\r\n\ttag\r\n  \r\n =\r\n a6c85cf"},
	{"folds of bare LF", true, "\n <sip:bob@example.net>;\n tag\n =a6c85cf"},
	{"different names that begin like it", false, "<sip:bob@example.net>;tags=1;tag2=1;ta=g;stag=1;tag-=1"},
	{"tag without a value", false, "<sip:bob@example.net>;tag"},
	{"tag without a value, and a different parameter", false, "<sip:bob@example.net>;tag;x=1"},
	{"tag as a value", false, "<sip:bob@example.net>;x=tag"},
	{"two, one of them without a value", true, "<sip:bob@example.net>;tag;tag=1"},
	{"a parameter of the URI", false, "<sip:bob@example.net;tag=1>"},
	{"a parameter of the URI, and one of the header", true, "<sip:bob@example.net;tag=1>;tag=2"},
	{"in the user", false, "<sip:bob;tag=1@example.net>"},
	{"in a header of the URI", false, "<sip:bob@example.net?To=%3Csip:a%3E;tag=1>"},
	{"an addr-spec without", false, "sip:bob@example.net"},
	{"an addr-spec with a tag", true, "sip:bob@example.net;tag=1"},
	{"a tel URI with one", true, "tel:+15550100;tag=1"},
	{"a display name of tokens", true, "Bob Builder <sip:bob@example.net>;tag=1"},
	{"a display name in quotes", true, "\"Bob\" <sip:bob@example.net>;tag=1"},
	{"in the display name", false, "\"Bob ;tag=1\" <sip:bob@example.net>"},
	{"in the display name, with brackets", false, "\"<sip:a@example.com>;tag=1\" <sip:bob@example.net>"},
	{"in the display name, after an escaped quote", false, "\"B\\\";tag=1 \\\\\\\";tag=1\" <sip:bob@example.net>"},
	{"after a display name that ends in an escaped backslash", true, "\"Bob\\\\\" <sip:bob@example.net>;tag=1"},
	{"in a parameter's quoted value", false, "<sip:bob@example.net>;x=\"a;tag=1\""},
	{"after a parameter's quoted value", true, "<sip:bob@example.net>;x=\"a;tag\\\"=1\";tag=1"},
	{"unclosed quotes", false, "\"Bob <sip:bob@example.net>;tag=1"},
	{"an unclosed bracket", false, "<sip:bob@example.net;tag=1"},
	{"an escape at the end of a line", false, "\"Bob\\\r\n\t\" <sip:bob@example.net>"},
	{"an escape at the end of the line", false, "\"Bob\\"},
	{"an escape at the end of the line, which is a bare LF", false, "\"Bob\\\n\";tag=1"},
	{"a long display name", true,
		"\"A display name that is so long that it spans many words\" "
		"<sip:bob@example.net>;tag=1"},
	{"nothing", false, ""},
	{"a semicolon", false, ";"},
	/* RFC 4475 section 3.1.1.1, and 3.1.1.6: names with unusual characters. */
	{"white space anywhere", true, "\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n"},
	{"an empty display name", true, "\"\" <sip:bob@example.net>;tag=1"},
	{"characters above 0x7f", true, "\"\xc3\xbc\xc2\xbb\" <sip:bob@example.net>;tag=1"},
};

static int write_to(char text[1024], const char *to)
{
	return snprintf(text, 1024, REQUEST VIA "To: %s\r\nFrom: <sip:alice@example.com>;tag=2\r\n" END, to);
}

Test(sip_tag, rows)
{
	for (size_t i = 0; i < COUNT(tag_rows); i++) {
		char text[1024];
		int length = write_to(text, tag_rows[i].to);
		enum sip_result result = find_tag(sip_guard_end(text, length), length);

		cr_expect_eq(result, tag_rows[i].has_tag ? SIP_FOUND : SIP_NOT_THERE, "%s: %s", tag_rows[i].sentence,
			result_name(result));
	}
}

static void check_tag(const char *name, const char *text, size_t length)
{
	enum sip_result slow = find_tag_slowly(text, length);
	enum sip_result end = find_tag(sip_guard_end(text, length), length);
	enum sip_result start = find_tag(sip_guard_start(text, length), length);

	cr_assert_eq(end, slow, "%s: %s, not %s, in %zu bytes\n%.*s", name, result_name(end), result_name(slow), length,
		(int)length, text);
	cr_assert_eq(start, slow, "%s: adjacent bytes change the result", name);
}

Test(sip_tag, rows_cut_at_every_byte)
{
	for (size_t i = 0; i < COUNT(tag_rows); i++) {
		char text[1024];
		int length = write_to(text, tag_rows[i].to);

		for (int cut = 0; cut <= length; cut++)
			check_tag(tag_rows[i].sentence, text, cut);
	}
}

/* Values that consist of significant pieces in any order. */
Test(sip_tag, agrees_with_the_slow_scanner_on_any_value)
{
	static const char *const pieces[] = {"\"", "\\", "<", ">", ";", "tag", "TAG", "=", " ", "\t", "\r\n ", "\n\t",
		"x", "sip:bob@example.net", ";tag=1", ",", "\r", "\x8a", "abcdefgh", "\r\n", "\n", "\xbc\xbb"};
	uint64_t seed = rng_seed();

	for (uint32_t n = 0; n < VALUES; n++) {
		struct rng rng = rng_start(seed, n);
		char value[256] = "", text[1024], name[64];
		size_t length;

		for (uint32_t left = rng_below(&rng, 12); left; left--)
			strcat(value, pieces[rng_below(&rng, COUNT(pieces))]);
		length = write_to(text, value);
		snprintf(name, sizeof(name), "SIPXDP_SEED=%lu, value %u", seed, n);
		check_tag(name, text, rng_percent(&rng, 80) ? length : rng_below(&rng, length));
	}
}

/* The result for a flood of tokens is SIP_TOO_FAR. */
#define TOKENS (SIP_PACKET_BUDGET / SIP_COST_WALK)

Test(sip_tag, many_tokens)
{
	for (int quotes = 0; quotes < 2 * TOKENS; quotes++) {
		char value[512], text[1024];
		enum sip_result result;
		int length;

		memset(value, '"', quotes * 2);
		strcpy(value + quotes * 2, ";tag=1");
		length = write_to(text, value);
		result = find_tag(sip_guard_end(text, length), length);
		if (quotes < TOKENS / 2 - 4)
			cr_expect_eq(result, SIP_FOUND, "%d pairs", quotes);
		else if (quotes > TOKENS / 2)
			cr_expect_eq(result, SIP_TOO_FAR, "%d pairs", quotes);
	}
}

/* --- initial requests */

#define TO "To: <sip:bob@example.net>\r\n"
#define TO_TAG "To: <sip:bob@example.net>;tag=1\r\n"
#define WITH(method, to) method " sip:bob@example.net SIP/2.0\r\n" VIA to END

static const struct initial_row {
	const char *sentence;
	bool opens;
	const char *text;
} initial_rows[] = {
	{"INVITE without a tag", true, WITH("INVITE", TO)},
	{"INVITE with a tag", false, WITH("INVITE", TO_TAG)},
	{"INVITE without a To", true, WITH("INVITE", "")},
	{"REGISTER", true, WITH("REGISTER", TO)},
	{"an unknown method", true, WITH("FOO", TO)},
	{"BYE with a tag", false, WITH("BYE", TO_TAG)},
	{"CANCEL", false, WITH("CANCEL", TO)},
	{"ACK", false, WITH("ACK", TO)},
	{"ACK with a tag", false, WITH("ACK", TO_TAG)},
	{"a response", false, RESPONSE VIA TO END},
	{"a response with a tag", false, RESPONSE VIA TO_TAG END},
	{"a keepalive", true, "\r\n\r\n"},
	{"nothing", true, ""},
	{"STUN", true, "\x01\x01\x01\x20\x21\x12\xa4\x42 not SIP at all, and long enough"},
	{"truncated before its To", false, REQUEST VIA},
	{"truncated in its To", false, REQUEST VIA "To: <sip:bob@example.net>;ta"},
	{"truncated after the tag of its To", false, REQUEST VIA TO_TAG},
};

Test(sip_initial, rows)
{
	for (size_t i = 0; i < COUNT(initial_rows); i++) {
		const struct initial_row *row = &initial_rows[i];
		size_t length = strlen(row->text);
		const uint8_t *data = sip_guard_end(row->text, length);
		struct sip_start start;

		sip_find_start(sip_text(data, data + length, length, 0), 0, &start);
		cr_expect_eq(sip_is_initial(start.method, find_tag(data, length)), row->opens, "%s", row->sentence);
	}
}
