// SPDX-License-Identifier: GPL-2.0
/* If the straight-line code of bpf/sip_usual.h returns a result for a header, the general parser returns the same
 * result. The headers consist of common and uncommon pieces, or come from mutated messages. */

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "bpf/sip_usual.h"
#include "sip_guard.h"
#include "tests/prog/rng.h"
#include "tests/prog/sip_message.h"

#define HEADERS 300000
#define MESSAGES 20000
#define ONE_OF(rng, list) ((list)[rng_below(rng, sizeof(list) / sizeof(*(list)))])

static const __u64 KEY[2] = {0x0123456789abcdef, 0xfedcba9876543210};

/* How often the straight-line code returned a result. */
struct decided {
	unsigned int tags, branches, no_tags, numbers, hosts, nexts, users;
};

static void check_parameter(
	struct sip_text text, __u32 colon, __u64 name, unsigned int *found, unsigned int *missing, const char *message)
{
	__u32 usual = 0, at = 0, hash = 0;
	__u16 plain = SIP_PACKET_BUDGET, walk = SIP_PACKET_BUDGET;
	enum sip_result result = sip_usual_parameter(text, colon, name, &usual, KEY, &plain);
	enum sip_result expected = sip_parameter(text, colon, name, &at, &walk);

	if (result == SIP_TOO_FAR)
		return;
	cr_assert_eq(result, expected, "parameter: %d, and not %d, in\n%s", result, expected, message);
	++*(result == SIP_FOUND ? found : missing);
	if (result == SIP_FOUND && sip_value_at(text, at, &at, &walk) == SIP_FOUND)
		hash = sip_token(text, at, KEY);
	cr_assert_eq(usual, hash, "the value of a parameter differs in\n%s", message);
	sip_usual_parameter(text, colon, SIP_OFFSET_OF(name), &usual, KEY, &plain);
	cr_assert_eq(usual, result == SIP_FOUND ? at : 0, "the offset of a parameter differs in\n%s", message);
}

static void check_cseq(struct sip_text text, __u32 colon, struct decided *decided, const char *message)
{
	__u32 usual = 0, number = 0, at = 0;
	__u16 walk = SIP_PACKET_BUDGET;
	enum method method = sip_usual_cseq(text, colon, &usual), expected = METHOD_NONE;

	if (method == METHOD_NONE)
		return;
	decided->numbers++;
	if (sip_value_at(text, colon, &at, &walk) == SIP_FOUND) {
		number = sip_number(text, &at);
		if (sip_value_at(text, at - 1, &at, &walk) == SIP_FOUND)
			expected = sip_named_method(text, at);
	}
	cr_assert_eq(usual, number, "CSeq number %u, and not %u, in\n%s", usual, number, message);
	cr_assert_eq(method, expected, "CSeq method %d, and not %d, in\n%s", method, expected, message);
}

static void check_next(struct sip_text text, __u32 from, struct decided *decided, const char *message)
{
	__u32 usual = from, at = from;
	__u16 plain = SIP_PACKET_BUDGET, walk = SIP_PACKET_BUDGET;
	enum sip_result result = sip_usual_next_uri(text, &usual, &plain), expected = sip_next_uri(text, &at, &walk);

	if (result == SIP_TOO_FAR)
		return;
	decided->nexts++;
	cr_assert_eq(result, expected, "next URI: %d, and not %d, in\n%s", result, expected, message);
	cr_assert_eq(usual, at, "next URI at %u, and not at %u, in\n%s", usual, at, message);
}

static void check_host(struct sip_text text, __u32 colon, struct decided *decided, const char *message)
{
	__u32 usual = 0, uri = 0, at = 0;
	__u16 plain = SIP_PACKET_BUDGET, walk = SIP_PACKET_BUDGET;
	enum sip_result result = sip_usual_host(text, colon, &usual, &plain);
	enum sip_result expected = sip_uri(text, colon, &uri, &walk);

	if (result == SIP_TOO_FAR)
		return;
	decided->hosts++;
	if (expected == SIP_FOUND)
		expected = sip_uri_host(text, uri, &at, &walk);
	cr_assert_eq(result, expected, "host: %d, and not %d, in\n%s", result, expected, message);
	cr_assert_eq(usual, at, "host at %u, and not at %u, in\n%s", usual, at, message);
	check_next(text, at, decided, message);
}

static void check_user(struct sip_text text, __u32 colon, struct decided *decided, const char *message)
{
	struct sip_user usual = {.hash_key = {KEY[0], KEY[1]}}, user = usual;
	__u16 plain = SIP_PACKET_BUDGET, walk = SIP_PACKET_BUDGET;
	enum sip_result result = sip_usual_user(text, colon, &usual, &plain);
	__u32 uri;

	if (result == SIP_TOO_FAR)
		return;
	decided->users++;
	cr_assert_eq(sip_uri(text, colon, &uri, &walk), SIP_FOUND, "%s", message);
	cr_assert_eq(result, sip_user(text, uri, &user, &walk), "user: %d in\n%s", result, message);
	cr_assert_eq(usual.hash, user.hash, "the user differs in\n%s", message);
}

/* Checks each function at each colon of a text, regardless of the header of that colon. */
static void check(const char *message, size_t length, struct decided *decided)
{
	const uint8_t *data = sip_guard_end(message, length);
	struct sip_text text = sip_text(data, data + length, length, 0);
	char shown[SIP_MESSAGE_SIZE + 1];

	snprintf(shown, sizeof(shown), "%.*s", (int)length, message);
	for (__u32 at = 0; at < length && at < SIP_OFFSET_LIMIT - SIP_MARGIN; at++) {
		if (message[at] != ':')
			continue;
		check_parameter(text, at, SIP_TAG_NAME, &decided->tags, &decided->no_tags, shown);
		check_parameter(text, at, SIP_BRANCH_NAME, &decided->branches, &decided->no_tags, shown);
		check_cseq(text, at, decided, shown);
		check_host(text, at, decided, shown);
		check_user(text, at, decided, shown);
	}
}

static const char *const usual[] = {"<sip:bob@example.net>", "\"Bob\" <sip:bob@192.0.2.1:5060;lr=on>", "Bob <sip:px1>",
	";tag=a6c85cf", ";branch=z9hG4bK77", ";rport", ";received=192.0.2.7", "SIP/2.0/UDP px1.example.net:5060",
	"314159 INVITE", "7 REGISTER", " ", " ", "\r\n", "\r\n"};
static const char *const unusual[] = {"\"", "\\", "\\\"", "<", ">", ";", ",", "=", "@", "%41", ":", "\n", "\r\n ",
	"\n\t", " ", "\t", ";tag", ";TAG=1", "; tag=1", ";tags=2", ";tag =3", ";tag= 4", "tag=5", "sip:", "sips:a@b",
	"tel:+1-2", "sip:bob:secret@host", "12345678 BYE", "0", "a", "a-word-that-is-longer-than-eight-bytes",
	"\x80\xff"};

static void write_headers(struct rng *rng, struct sip_message *message)
{
	uint32_t strange = rng_below(rng, 60);

	message->length = sprintf(message->text, "BYE sip:a@b SIP/2.0\r\nTo:");
	for (uint32_t left = 1 + rng_below(rng, 16); left; left--)
		message->length += sprintf(message->text + message->length, "%s%s",
			rng_percent(rng, strange) ? ONE_OF(rng, unusual) : ONE_OF(rng, usual),
			rng_percent(rng, 15) ? "\r\nX: " : "");
	message->length += sprintf(message->text + message->length, "%s", rng_percent(rng, 70) ? "\r\n\r\n" : "");
	message->length -= rng_percent(rng, 20) ? rng_below(rng, 20) : 0;
}

static void expect_decisions(const struct decided *decided, unsigned int least)
{
	cr_expect_geq(decided->tags, least, "%u tags", decided->tags);
	cr_expect_geq(decided->branches, least, "%u branches", decided->branches);
	cr_expect_geq(decided->no_tags, least, "%u headers without a parameter", decided->no_tags);
	cr_expect_geq(decided->numbers, least, "%u numbers", decided->numbers);
	cr_expect_geq(decided->hosts, least, "%u hosts", decided->hosts);
	cr_expect_geq(decided->nexts, least, "%u next URIs", decided->nexts);
	cr_expect_geq(decided->users, least, "%u users", decided->users);
}

Test(sip_usual, a_walk_has_the_same_result_in_random_headers, .timeout = 120)
{
	uint64_t seed = rng_seed();
	struct decided decided = {};
	struct sip_message message;

	for (uint32_t i = 0; i < HEADERS; i++) {
		struct rng rng = rng_start(seed, i);

		write_headers(&rng, &message);
		check(message.text, message.length, &decided);
	}
	expect_decisions(&decided, HEADERS / 100);
}

Test(sip_usual, a_walk_has_the_same_result_in_mutated_messages, .timeout = 120)
{
	static const char text[] =
		"BYE sip:alice@198.51.100.7:5060 SIP/2.0\r\nVia: SIP/2.0/UDP px1:5060;rport;branch=z9\r\n"
		"Route: <sip:192.0.2.10;lr=on>, <sip:px1.example.net>\r\n"
		"From: \"A <b>\" <sip:alice@example.net;user=phone>;tag=1928301774\r\n"
		"To: Bob <sip:bob@example.net>;tag=a6c85cf;x=y\r\nCall-ID: 1@example.net\r\n"
		"CSeq: 314159 BYE\r\nContact: <sip:alice@198.51.100.7>\r\n\r\n";
	uint64_t seed = rng_seed();
	struct decided decided = {};
	struct sip_message message;

	for (uint32_t i = 0; i < MESSAGES; i++) {
		struct rng rng = rng_start(seed, i);

		message.length = sprintf(message.text, "%s", text);
		for (uint32_t left = rng_below(&rng, 4); left && message.length; left--)
			sip_message_spoil(&rng, &message);
		check(message.text, message.length, &decided);
	}
	expect_decisions(&decided, MESSAGES / 10);
}
