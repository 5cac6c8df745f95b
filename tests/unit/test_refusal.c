// SPDX-License-Identifier: GPL-2.0
/* The response 503 to a refused INVITE: its text, its destination, and the frame. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/sip/refusal.h"
#include "tests/prog/frame.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define TAG ";tag=0123456789abcdef" /* stands for any tag of this length in the expected text */
#define TAG_LENGTH (sizeof(TAG) - 1)

static const __u64 key[2] = {0x0123456789abcdef, 0xfedcba9876543210};

static struct punt punt_of(const struct frame_spec *spec)
{
	static struct frame frame;
	struct punt punt = {.kind = PUNT_REFUSAL};

	frame_build(&frame, spec);
	punt.length = frame.length;
	memcpy(punt.frame, frame.data, frame.length < PUNT_FRAME_SIZE ? frame.length : PUNT_FRAME_SIZE);
	return punt;
}

/* Composes the response from a copy of exactly the bytes of the frame, in a buffer of exactly the allowed size, so that
 * ASan detects an overrun. Returns the error; `text` receives the SIP message. */
static int compose(const struct punt *punt, char text[PUNT_FRAME_SIZE], size_t *udp)
{
	size_t bytes = punt->length < PUNT_FRAME_SIZE ? punt->length : PUNT_FRAME_SIZE, length = 0;
	struct punt *copy = malloc(PUNT_HEADER + bytes);
	uint8_t *frame = malloc(PUNT_FRAME_SIZE);
	bool ipv6;
	int error;

	memcpy(copy, punt, PUNT_HEADER + bytes);
	error = refusal_compose(copy, key, frame, &length);
	*text = '\0';
	if (!error) {
		size_t ip = 12;

		while (frame[ip] == 0x81 || frame[ip] == 0x88)
			ip += 4;
		ip += 2;
		ipv6 = frame[ip] >> 4 == 6;
		*udp = ip + (ipv6 ? 40 : 20);
		cr_expect_leq(length, bytes, "the response is larger than the request");
		cr_expect(ipv6 || frame_ipv4_is_sound(frame + ip, length - ip));
		cr_expect(frame_udp_is_sound(frame + ip, length - ip));
		memcpy(text, frame + *udp + 8, length - *udp - 8);
		text[length - *udp - 8] = '\0';
		memcpy((void *)punt->frame, frame, length);
	}
	free(frame);
	free(copy);
	return error;
}

/* Replaces the tag that the response adds with TAG. */
static void hide_tag(char *text)
{
	char *tag = strstr(text, "\r\nT"), *end;

	tag = tag ?: strstr(text, "\r\nt");
	end = tag ? strstr(tag + 2, "\r\n") : NULL;
	if (end && end - tag > (long)TAG_LENGTH && !memcmp(end - TAG_LENGTH, ";tag=", 5))
		memcpy(end - TAG_LENGTH, TAG, TAG_LENGTH);
}

struct row {
	const char *name;
	const char *request;
	const char *response; /* NULL: there is none */
	uint16_t port;        /* the destination of the response */
	int error;
};

#define MORE "Max-Forwards: 70\r\nContact: <sip:alice@198.51.100.7:5060>\r\nContent-Length: 0\r\n\r\n"
#define REST                                                                                                           \
	"From: \"Alice\" <sip:alice@example.com>;tag=9fxced76sl\r\nTo: <sip:bob@example.com>\r\n"                      \
	"Call-ID: 3848276298220188511@example.com\r\nCSeq: 2 INVITE\r\n"
#define REST_BACK                                                                                                      \
	"From: \"Alice\" <sip:alice@example.com>;tag=9fxced76sl\r\nTo: <sip:bob@example.com>" TAG "\r\n"               \
	"Call-ID: 3848276298220188511@example.com\r\nCSeq: 2 INVITE\r\n"
#define INVITE "INVITE sip:bob@example.com SIP/2.0\r\n"
#define STATUS "SIP/2.0 503 Service Unavailable\r\n"
#define END "Content-Length: 0\r\n\r\n"

/* The source of each request is 198.51.100.7, port 40000. */
static const struct row rows[] = {
	{"with rport", INVITE "Via: SIP/2.0/UDP 198.51.100.7:5062;rport;branch=z9hG4bK74b43\r\n" REST MORE,
		STATUS
		"Via: SIP/2.0/UDP 198.51.100.7:5062;rport=40000;branch=z9hG4bK74b43;received=198.51.100.7\r\n" REST_BACK
			END,
		40000, 0},
	{"without rport, to the port of sent-by",
		INVITE "Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bK1\r\n" REST MORE,
		STATUS "Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bK1;received=198.51.100.7\r\n" REST_BACK END,
		5062, 0},
	{"sent-by is a name without a port", INVITE "Via: SIP/2.0/UDP pc33.example.com;branch=z9hG4bK1\r\n" REST MORE,
		STATUS "Via: SIP/2.0/UDP pc33.example.com;branch=z9hG4bK1;received=198.51.100.7\r\n" REST_BACK END,
		5060, 0},
	{"a port after white space", INVITE "Via: SIP/2.0/UDP 203.0.113.5 : 4000 ;branch=z9hG4bK1\r\n" REST MORE,
		STATUS "Via: SIP/2.0/UDP 203.0.113.5 : 4000 ;branch=z9hG4bK1;received=198.51.100.7\r\n" REST_BACK END,
		4000, 0},
	{"maddr and a false received do not select the destination",
		INVITE "Via: SIP/2.0/UDP a:5062;received=203.0.113.5;maddr=203.0.113.6;branch=z9hG4bK1\r\n" REST MORE,
		STATUS
		"Via: SIP/2.0/UDP a:5062;maddr=203.0.113.6;branch=z9hG4bK1;received=198.51.100.7\r\n" REST_BACK END,
		5062, 0},
	{"a false rport", INVITE "Via: SIP/2.0/UDP a:5062;rport=53;branch=z9hG4bK1\r\n" REST MORE,
		STATUS "Via: SIP/2.0/UDP a:5062;rport=40000;branch=z9hG4bK1;received=198.51.100.7\r\n" REST_BACK END,
		40000, 0},
	{"several Vias, in one header and in several",
		INVITE "Via: SIP/2.0/UDP a;branch=z9hG4bK1 , SIP/2.0/TCP b:5070;rport;branch=z9hG4bK2\r\n" REST
		       "via:SIP/2.0/UDP c;x=\",\";branch=z9hG4bK3\r\nVia: SIP/2.0/TLS d;branch=z9hG4bK4\r\n" MORE,
		STATUS "Via: SIP/2.0/UDP a;branch=z9hG4bK1 ;received=198.51.100.7, SIP/2.0/TCP "
		       "b:5070;rport;branch=z9hG4bK2\r\n" REST_BACK
		       "via:SIP/2.0/UDP c;x=\",\";branch=z9hG4bK3\r\nVia: SIP/2.0/TLS d;branch=z9hG4bK4\r\n" END,
		5060, 0},
	{"compact forms, bare LF, folds, in a different order",
		INVITE "CSeq: 1\n INVITE\ni:a@b\nt:sip:bob@b\nf\t: sip:alice@b\n ;tag=1\nv: SIP / 2.0 / UDP\n a:5062\n"
		       "\t;branch = z9hG4bK1\nm: <sip:alice@a:5062>\ns: x\nl: 0\nk: timer, 100rel\nc: "
		       "application/sdp\n\n",
		STATUS "CSeq: 1 INVITE\r\ni:a@b\r\nt:sip:bob@b" TAG "\r\nf\t: sip:alice@b ;tag=1\r\n"
		       "v: SIP / 2.0 / UDP a:5062 ;branch = z9hG4bK1;received=198.51.100.7\r\n" END,
		5062, 0},
	{"empty lines before it, and lower case",
		"\r\n\r\ninvite sip:b SIP/2.0\r\nVIA: sip/2.0/udp a;BRANCH=z9hG4bK1\r\nFROM: x;tag=1\r\nTO: y\r\n"
		"CALL-ID: z\r\nCSEQ: 1 invite\r\n" MORE,
		STATUS "VIA: sip/2.0/udp a;BRANCH=z9hG4bK1;received=198.51.100.7\r\nFROM: x;tag=1\r\nTO: y" TAG
		       "\r\nCALL-ID: z\r\nCSEQ: 1 invite\r\n" END,
		5060, 0},
	{"the tag of a display name or a URI is not the tag of To",
		INVITE
		"Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: x\r\nTo: \"a;tag=1 <\" <sip:b;tag=2>;x=\"<;tag=3\"\r\n"
		"Call-ID: z\r\nCSeq: 1 INVITE\r\n" MORE,
		STATUS "Via: SIP/2.0/UDP a;branch=z9hG4bK1;received=198.51.100.7\r\nFrom: x\r\n"
		       "To: \"a;tag=1 <\" <sip:b;tag=2>;x=\"<;tag=3\"" TAG "\r\nCall-ID: z\r\nCSeq: 1 INVITE\r\n" END,
		5060, 0},
	{"bytes that are not text",
		INVITE "Via: SIP/2.0/UDP a;branch=z9hG4bK-.!%66*_+`'~\r\nFrom: \"\xe2\x98\x8e\\\"\" <sip:a@b>;tag=1\r\n"
		       "To: y\rz\r\nCall-ID: word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\r\nCSeq: 1 INVITE\r\n" MORE,
		STATUS
		"Via: SIP/2.0/UDP a;branch=z9hG4bK-.!%66*_+`'~;received=198.51.100.7\r\nFrom: \"\xe2\x98\x8e\\\"\" "
		"<sip:a@b>;tag=1\r\nTo: y z" TAG
		"\r\nCall-ID: word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\r\nCSeq: 1 INVITE\r\n" END,
		5060, 0},
	{"an INVITE of a call",
		INVITE "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: x\r\nTo: y;tag=1\r\nCall-ID: z\r\n"
		       "CSeq: 1 INVITE\r\n" MORE,
		NULL, 0, -EINVAL},
	{"an INVITE of a call, in brackets",
		INVITE "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: x\r\nTo: <y>;x;\r\n TAG = 1\r\nCall-ID: z\r\n"
		       "CSeq: 1 INVITE\r\n" MORE,
		NULL, 0, -EINVAL},
	{"REGISTER",
		"REGISTER sip:b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: x\r\nTo: y\r\nCall-ID: "
		"z\r\nCSeq: 1 "
		"REGISTER\r\n" MORE,
		NULL, 0, -EINVAL},
	{"CSeq with a different method",
		INVITE
		"Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: x\r\nTo: y\r\nCall-ID: z\r\nCSeq: 1 OPTIONS\r\n" MORE,
		NULL, 0, -EINVAL},
	{"CSeq without a number",
		INVITE "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: x\r\nTo: y\r\nCall-ID: z\r\nCSeq: INVITE\r\n" MORE,
		NULL, 0, -EINVAL},
	{"no Via", INVITE REST MORE, NULL, 0, -EINVAL},
	{"an empty Via", INVITE "Via:\r\n" REST MORE, NULL, 0, -EINVAL},
	{"no branch", INVITE "Via: SIP/2.0/UDP a\r\n" REST MORE, NULL, 0, -EINVAL},
	{"an empty branch", INVITE "Via: SIP/2.0/UDP a;branch=\r\n" REST MORE, NULL, 0, -EINVAL},
	{"a branch only in a different Via", INVITE "Via: SIP/2.0/UDP a, SIP/2.0/UDP b;branch=z9hG4bK1\r\n" REST MORE,
		NULL, 0, -EINVAL},
	{"no From", INVITE "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nTo: y\r\nCall-ID: z\r\nCSeq: 1 INVITE\r\n" MORE, NULL,
		0, -EINVAL},
	{"an empty Call-ID",
		INVITE "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: x\r\nTo: y\r\nCall-ID: \r\nCSeq: 1 INVITE\r\n" MORE,
		NULL, 0, -EINVAL},
	{"two Call-IDs", INVITE "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n" REST "i: other\r\n" MORE, NULL, 0, -EINVAL},
	{"headers without an end", INVITE "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n" REST, NULL, 0, -EINVAL},
	{"an unknown version", "INVITE sip:b SIP/7.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n" REST MORE, NULL, 0,
		-EINVAL},
	{"no start-line", "\r\n\r\n" REST MORE, NULL, 0, -EINVAL},
	{"a response", "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n" REST MORE, NULL, 0, -EINVAL},
	{"a request that is shorter than its response",
		"INVITE a SIP/2.0\r\nv:SIP/2.0/UDP a;branch=1\r\nf:x\r\nt:y\r\ni:z\r\nCSeq:1 INVITE\r\n\r\n", NULL, 0,
		-EMSGSIZE},
};

Test(refusal, rows)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct punt punt = punt_of(&(struct frame_spec){.payload = rows[i].request, .source_port = 40000});
		char text[PUNT_FRAME_SIZE];
		size_t udp;
		int error = compose(&punt, text, &udp);

		cr_expect_eq(error, rows[i].error, "%s: %d", rows[i].name, error);
		if (error || rows[i].error)
			continue;
		hide_tag(text);
		cr_expect_str_eq(
			text, rows[i].response, "%s: got\n%s\nexpected\n%s", rows[i].name, text, rows[i].response);
		cr_expect_eq(punt.frame[udp + 2] << 8 | punt.frame[udp + 3], rows[i].port, "%s: port", rows[i].name);
	}
}

#define PLAIN INVITE "Via: SIP/2.0/UDP a:5062;branch=z9hG4bK1\r\n" REST MORE

/* MAC addresses, VLAN tags, addresses and ports of the response: from the destination of the INVITE to its source. */
Test(refusal, the_frame_goes_to_the_source)
{
	static const struct {
		const char *name;
		struct frame_spec in, back;
	} frames[] = {
		{"IPv4", {.source_port = 40000, .destination_port = 5080},
			{.source = "192.0.2.10", .destination = "198.51.100.7", .source_port = 5080}},
		{"two tags, options and a type of service with ECN",
			{.vlan = {100, 200}, .option_words = 3, .tos = 0xb9},
			{.source = "192.0.2.10", .destination = "198.51.100.7", .vlan = {100, 200}, .tos = 0xb8}},
		{"IPv6", {.source = "2001:db8::7", .destination = "2001:db8::10", .tos = 0xb9},
			{.source = "2001:db8::10", .destination = "2001:db8::7", .tos = 0xb8}},
		{"IPv6 with extension headers and a tag",
			{.source = "2001:db8::7", .destination = "2001:db8::10", .extensions = 2, .vlan = {100}},
			{.source = "2001:db8::10", .destination = "2001:db8::7", .vlan = {100}}},
	};

	for (size_t i = 0; i < COUNT(frames); i++) {
		struct frame_spec in = frames[i].in, back = frames[i].back;
		struct frame expected;
		char text[PUNT_FRAME_SIZE];
		struct punt punt;
		size_t udp;

		in.payload = PLAIN;
		punt = punt_of(&in);
		cr_assert_eq(compose(&punt, text, &udp), 0, "%s", frames[i].name);
		back.payload = text;
		back.destination_port = 5062;
		back.to_mac = "02:00:00:00:00:99";
		back.from_mac = "02:00:00:00:00:01";
		frame_build(&expected, &back);
		cr_expect_arr_eq(punt.frame, expected.data, expected.length, "%s", frames[i].name);
		cr_expect(strstr(text, in.source ? ";received=2001:db8::7\r\n" : ";received=198.51.100.7\r\n"));
	}
}

Test(refusal, other_packets_get_no_response)
{
	static const struct {
		const char *name;
		struct frame_spec in;
	} frames[] = {
		{"TCP", {.protocol = 6}},
		{"a later fragment", {.fragment_offset = 1480, .id = 7}},
		{"from a group", {.source = "224.0.0.1"}},
		{"from this host", {.source = "127.0.0.1"}},
		{"from an unspecified address", {.source = "::", .destination = "2001:db8::10"}},
		{"from a group of hosts on the network", {.from_mac = "03:00:00:00:00:99"}},
		{"to a group of hosts on the network", {.to_mac = "ff:ff:ff:ff:ff:ff"}},
	};

	for (size_t i = 0; i < COUNT(frames); i++) {
		struct frame_spec in = frames[i].in;
		char text[PUNT_FRAME_SIZE];
		struct punt punt;
		size_t udp;

		in.payload = PLAIN;
		punt = punt_of(&in);
		cr_expect_eq(compose(&punt, text, &udp), -EINVAL, "%s", frames[i].name);
	}
}

/* The headers may be complete although the datagram is not. */
Test(refusal, a_first_fragment_is_answered)
{
	struct punt punt = punt_of(&(struct frame_spec){.payload = PLAIN "v=0", .more_fragments = true, .id = 7});
	char text[PUNT_FRAME_SIZE];
	size_t udp;

	cr_expect_eq(compose(&punt, text, &udp), 0);
	cr_expect_eq(punt.frame[14 + 6] & 0x3f, 0, "the response is not a fragment");
}

Test(refusal, a_frame_that_the_record_does_not_hold_completely)
{
	static char payload[4000];
	char text[PUNT_FRAME_SIZE];
	struct punt punt;
	size_t udp;

	memset(payload, 'x', sizeof(payload) - 1);
	memcpy(payload, PLAIN, strlen(PLAIN));
	punt = punt_of(&(struct frame_spec){.payload = payload});
	cr_expect_eq(compose(&punt, text, &udp), 0);
	memset(payload, ' ', sizeof(payload) - 1);
	memcpy(payload, INVITE "Subject:", strlen(INVITE "Subject:"));
	memcpy(payload + sizeof(payload) - 1 - strlen(PLAIN), PLAIN, strlen(PLAIN));
	punt = punt_of(&(struct frame_spec){.payload = payload});
	cr_expect_eq(compose(&punt, text, &udp), -EINVAL);
}

static void tag_of(const char *call_id, const char *branch, const char *more, char tag[TAG_LENGTH + 1])
{
	char request[2048], text[PUNT_FRAME_SIZE], *end;
	struct punt punt;
	size_t udp;

	snprintf(request, sizeof(request),
		INVITE
		"Via: SIP/2.0/UDP a;branch=%s\r\nFrom: x;tag=1\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\n%sTo: y\r\n" MORE,
		branch, call_id, more);
	punt = punt_of(&(struct frame_spec){.payload = request});
	cr_assert_eq(compose(&punt, text, &udp), 0);
	end = strstr(strstr(text, "To:"), "\r\n");
	memcpy(tag, end - TAG_LENGTH, TAG_LENGTH);
	tag[TAG_LENGTH] = '\0';
}

Test(refusal, the_same_invite_gets_the_same_tag)
{
	char first[TAG_LENGTH + 1], second[TAG_LENGTH + 1];

	tag_of("call1@example.com", "z9hG4bK1", "", first);
	tag_of("call1@example.com", "z9hG4bK1", "Subject: retransmitted\r\n", second);
	cr_expect_str_eq(first, second);
	tag_of("call1@example.com", "z9hG4bK2", "", second);
	cr_expect_str_neq(first, second, "a different branch");
	tag_of("call1@example.co", "mz9hG4bK1", "", second);
	cr_expect_str_neq(first, second, "a different Call-ID and branch");
}

Test(refusal, retry_after_only_if_configured)
{
	struct punt punt = punt_of(&(struct frame_spec){.payload = PLAIN "v=0\r\no=- 1 1 IN IP4 a\r\n"});
	char text[PUNT_FRAME_SIZE];
	size_t udp;

	punt.retry_after = 120;
	cr_assert_eq(compose(&punt, text, &udp), 0);
	cr_expect(strstr(text, "\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n"));
}

Test(refusal, wherever_the_packet_is_truncated)
{
	char text[PUNT_FRAME_SIZE];
	size_t udp, complete = strlen(PLAIN);

	for (size_t length = 0; length <= complete; length++) {
		struct punt punt = punt_of(&(struct frame_spec){.payload = PLAIN, .payload_length = length});

		if (length)
			cr_expect_eq(compose(&punt, text, &udp), length == complete ? 0 : -EINVAL, "%zu bytes", length);
	}
}
