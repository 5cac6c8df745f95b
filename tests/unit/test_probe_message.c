// SPDX-License-Identifier: GPL-2.0
/* The contents of probes, and the responses that count. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/health/probe_message.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static struct config_probe options = {.type = PROBE_OPTIONS};

static struct probe_message message_of(const struct config_probe *probe, const char *local, const char *target)
{
	struct probe_message message = {
		.probe = probe,
		.local_port = 40000,
		.target_port = 5060,
		.ids = {.branch = 0x0123456789abcdef, .call_id = 0xfedcba9876543210, .tag = 0x42},
	};

	cr_assert_eq(address_parse(local, &message.local), 0);
	cr_assert_eq(address_parse(target, &message.target), 0);
	return message;
}

/* A copy of exactly these bytes, so that ASan detects an overrun. */
static char *copy_of(const char *text, size_t length)
{
	return memcpy(malloc(length + !length), text, length);
}

/* --- Writing */

Test(probe_message, options_in_full)
{
	struct probe_message message = message_of(&options, "10.0.0.2", "192.0.2.10");
	char buffer[PROBE_MESSAGE_SIZE];
	int length = probe_message_write(&message, buffer);

	cr_expect_str_eq(buffer, "OPTIONS sip:192.0.2.10:5060 SIP/2.0\r\n"
				 "Via: SIP/2.0/UDP 10.0.0.2:40000;rport;branch=z9hG4bK0123456789abcdef\r\n"
				 "Max-Forwards: 0\r\n"
				 "From: <sip:sipxdp@10.0.0.2:40000>;tag=0000000000000042\r\n"
				 "To: <sip:192.0.2.10:5060>\r\n"
				 "Call-ID: fedcba9876543210@sipxdp\r\n"
				 "CSeq: 1 OPTIONS\r\n"
				 "Contact: <sip:sipxdp@10.0.0.2:40000>\r\n"
				 "Accept: application/sdp\r\n"
				 "User-Agent: sipxdp\r\n"
				 "Content-Length: 0\r\n"
				 "\r\n");
	cr_expect_eq(length, (int)strlen(buffer));
}

/* The message contains no Contact, because a server would register that Contact. */
Test(probe_message, register_in_full)
{
	struct config_probe probe = {.type = PROBE_REGISTER, .transport = TRANSPORT_TLS, .user = "probe"};
	struct probe_message message = message_of(&probe, "2001:db8::2", "2001:db8:f::10");
	char buffer[PROBE_MESSAGE_SIZE];

	cr_expect_gt(probe_message_write(&message, buffer), 0);
	cr_expect_str_eq(buffer, "REGISTER sip:[2001:db8:f::10]:5060 SIP/2.0\r\n"
				 "Via: SIP/2.0/TLS [2001:db8::2]:40000;rport;branch=z9hG4bK0123456789abcdef\r\n"
				 "Max-Forwards: 0\r\n"
				 "From: <sip:probe@[2001:db8:f::10]:5060>;tag=0000000000000042\r\n"
				 "To: <sip:probe@[2001:db8:f::10]:5060>\r\n"
				 "Call-ID: fedcba9876543210@sipxdp\r\n"
				 "CSeq: 1 REGISTER\r\n"
				 "User-Agent: sipxdp\r\n"
				 "Content-Length: 0\r\n"
				 "\r\n");
}

static const struct {
	struct config_probe probe;
	const char *line; /* a line that the message must contain */
} written[] = {
	{{.type = PROBE_OPTIONS, .user = "ping"}, "OPTIONS sip:ping@192.0.2.10:5060 SIP/2.0\r\n"},
	{{.type = PROBE_OPTIONS, .user = "ping"}, "\r\nTo: <sip:ping@192.0.2.10:5060>\r\n"},
	{{.type = PROBE_OPTIONS, .request_uri = "sip:a@b.c", .user = "u"}, "OPTIONS sip:a@b.c SIP/2.0\r\n"},
	{{.type = PROBE_OPTIONS, .from = "sip:m@example.net"}, "\r\nFrom: <sip:m@example.net>;tag="},
	{{.type = PROBE_OPTIONS, .from = "sip:m@example.net"}, "\r\nTo: <sip:m@example.net>\r\n"},
	{{.type = PROBE_OPTIONS, .transport = TRANSPORT_TCP}, "\r\nVia: SIP/2.0/TCP 10.0.0.2:40000;rport;"},
	{{.type = PROBE_REGISTER}, "REGISTER sip:192.0.2.10:5060 SIP/2.0\r\n"},
	{{.type = PROBE_REGISTER}, "\r\nTo: <sip:sipxdp@192.0.2.10:5060>\r\n"},
	{{.type = PROBE_REGISTER, .request_uri = "sip:example.net", .from = "sip:x@example.net"},
		"REGISTER sip:example.net SIP/2.0\r\n"},
};

Test(probe_message, values_of_the_file_are_used)
{
	for (size_t i = 0; i < COUNT(written); i++) {
		struct probe_message message = message_of(&written[i].probe, "10.0.0.2", "192.0.2.10");
		char buffer[PROBE_MESSAGE_SIZE];

		cr_expect_gt(probe_message_write(&message, buffer), 0);
		cr_expect(strstr(buffer, written[i].line), "no %s in\n%s", written[i].line, buffer);
	}
}

Test(probe_message, messages_that_are_too_long_are_refused)
{
	char *longest = calloc(1, PROBE_MESSAGE_SIZE), buffer[PROBE_MESSAGE_SIZE];
	struct config_probe probes[] = {
		{.type = PROBE_OPTIONS, .user = longest},
		{.type = PROBE_OPTIONS, .from = longest},
		{.type = PROBE_OPTIONS, .request_uri = longest},
	};

	for (size_t length = 900; length < PROBE_MESSAGE_SIZE; length++) {
		memset(longest, 'x', length);
		for (size_t i = 0; i < COUNT(probes); i++) {
			struct probe_message message = message_of(&probes[i], "10.0.0.2", "192.0.2.10");
			int written = probe_message_write(&message, buffer);

			if (written >= 0)
				cr_expect_str_eq(buffer + written - 4, "\r\n\r\n");
			else
				cr_expect_eq(written, -EMSGSIZE);
			if (length >= PROBE_MESSAGE_SIZE / 4)
				cr_expect_eq(written, -EMSGSIZE);
		}
	}
	free(longest);
}

/* --- Judging */

#define VIA "Via: SIP/2.0/UDP 10.0.0.2:40000;rport=40000;branch=z9hG4bK0123456789abcdef\r\n"
#define CALL_ID "Call-ID: fedcba9876543210@sipxdp\r\n"
#define CSEQ "CSeq: 1 OPTIONS\r\n"
#define REST "From: <sip:a@b>;tag=42\r\nTo: <sip:c@d>;tag=1\r\nContent-Length: 0\r\n\r\n"
#define OK "SIP/2.0 200 OK\r\n"

static const struct {
	const char *what;
	const char *text;
	unsigned int code; /* 0: not our response */
	const char *status;
} responses[] = {
	{"plain", OK VIA CALL_ID CSEQ REST, 200, "200 OK"},
	{"provisional", "SIP/2.0 100 Trying\r\n" VIA CALL_ID CSEQ REST, 100, "100 Trying"},
	{"failure", "SIP/2.0 503 Service Unavailable\r\n" VIA CALL_ID CSEQ REST, 503, "503 Service Unavailable"},
	{"highest", "SIP/2.0 699 x\r\n" VIA CALL_ID CSEQ REST, 699, "699 x"},
	{"no reason phrase", "SIP/2.0 483 \r\n" VIA CALL_ID CSEQ REST, 483, "483"},
	{"nor a blank", "SIP/2.0 483\r\n" VIA CALL_ID CSEQ REST, 483, "483"},
	{"reason phrase in other characters", "SIP/2.0 200 G\xc3\xbc\x1bt\r\n" VIA CALL_ID CSEQ REST, 200, "200 G???t"},
	{"long reason phrase",
		"SIP/2.0 500 "
		"12345678901234567890123456789012345678901234567890123456789012345678901234567890\r\n" VIA CALL_ID CSEQ
			REST,
		500, "500 123456789012345678901234567890123456789012345678901234567890123456789012345"},
	{"neither Via nor Call-ID", OK CSEQ REST, 0, NULL},
	{"in another order", OK CSEQ "From: <sip:a@b>\r\n" CALL_ID VIA "\r\n", 200, "200 OK"},
	{"compact forms",
		OK "v: SIP/2.0/UDP 10.0.0.2:40000;branch=z9hG4bK0123456789abcdef\r\ni:fedcba9876543210@sipxdp\r\n" CSEQ
			REST,
		200, "200 OK"},
	{"case of names",
		"sip/2.0 200 OK\r\n"
		"VIA:SIP/2.0/UDP 10.0.0.2:40000;Branch=Z9HG4BK0123456789ABCDEF\r\ncall-id \t: "
		"fedcba9876543210@sipxdp\r\ncSEQ: 1 OPTIONS\r\n\r\n",
		200, "200 OK"},
	{"folded",
		OK "Via:\r\n SIP/2.0/UDP 10.0.0.2:40000\r\n\t;branch\r\n = z9hG4bK0123456789abcdef\r\nCall-ID:\r\n "
		   "fedcba9876543210@sipxdp\r\nCSeq: 1\r\n  OPTIONS\r\n\r\n",
		200, "200 OK"},
	{"bare newlines",
		"SIP/2.0 200 OK\nVia: SIP/2.0/UDP h;branch=z9hG4bK0123456789abcdef\nCall-ID: "
		"fedcba9876543210@sipxdp\nCSeq: 1 OPTIONS\n\n",
		200, "200 OK"},
	{"no end of headers", OK VIA CALL_ID "CSeq: 1 OPTIONS", 200, "200 OK"},
	{"a body", OK VIA CALL_ID CSEQ "Content-Length: 4\r\n\r\nv=0\n", 200, "200 OK"},
	{"branch among other parameters",
		OK "Via: SIP/2.0/UDP "
		   "h;x=\";branch=z9hG4bKother,\\\"\";branch=z9hG4bK0123456789abcdef;received=1.2.3.4\r\n" CALL_ID CSEQ
			   REST,
		200, "200 OK"},
	{"several values in one Via",
		OK
		"Via: SIP/2.0/UDP h;branch=z9hG4bK0123456789abcdef, SIP/2.0/UDP i;branch=z9hG4bKother\r\n" CALL_ID CSEQ
			REST,
		200, "200 OK"},
	{"another Via below ours", OK VIA "Via: SIP/2.0/UDP i;branch=z9hG4bKother\r\n" CALL_ID CSEQ REST, 200,
		"200 OK"},

	{"another branch", OK "Via: SIP/2.0/UDP h;branch=z9hG4bK0123456789abcdee\r\n" CALL_ID CSEQ REST, 0, NULL},
	{"a longer branch", OK "Via: SIP/2.0/UDP h;branch=z9hG4bK0123456789abcdef0\r\n" CALL_ID CSEQ REST, 0, NULL},
	{"a shorter branch", OK "Via: SIP/2.0/UDP h;branch=z9hG4bK0123456789abcde\r\n" CALL_ID CSEQ REST, 0, NULL},
	{"no branch", OK "Via: SIP/2.0/UDP h;rport\r\n" CALL_ID CSEQ REST, 0, NULL},
	{"a branch without a value", OK "Via: SIP/2.0/UDP h;branch\r\n" CALL_ID CSEQ REST, 0, NULL},
	{"ours is the second value",
		OK
		"Via: SIP/2.0/UDP i;branch=z9hG4bKother, SIP/2.0/UDP h;branch=z9hG4bK0123456789abcdef\r\n" CALL_ID CSEQ
			REST,
		0, NULL},
	{"ours is the second Via", OK "Via: SIP/2.0/UDP i;branch=z9hG4bKother\r\n" VIA CALL_ID CSEQ REST, 0, NULL},
	{"ours is the second branch",
		OK "Via: SIP/2.0/UDP h;branch=z9hG4bKother;branch=z9hG4bK0123456789abcdef\r\n" CALL_ID CSEQ REST, 0,
		NULL},
	{"ours is quoted", OK "Via: SIP/2.0/UDP h;x=\";branch=z9hG4bK0123456789abcdef;\"\r\n" CALL_ID CSEQ REST, 0,
		NULL},
	{"a quote that does not end", OK "Via: SIP/2.0/UDP h;x=\"\\\r\n" CALL_ID CSEQ REST, 0, NULL},
	{"another Call-ID", OK VIA "Call-ID: fedcba9876543211@sipxdp\r\n" CSEQ REST, 0, NULL},
	{"a Call-ID with more", OK VIA "Call-ID: fedcba9876543210@sipxdp.\r\n" CSEQ REST, 0, NULL},
	{"ours is the second Call-ID", OK VIA "i: x\r\n" CALL_ID CSEQ REST, 0, NULL},
	{"no Call-ID", OK VIA CSEQ REST, 0, NULL},
	{"no Via", OK CALL_ID CSEQ REST, 0, NULL},
	{"no CSeq", OK VIA CALL_ID REST, 0, NULL},
	{"another method", OK VIA CALL_ID "CSeq: 1 REGISTER\r\n" REST, 0, NULL},
	{"another number", OK VIA CALL_ID "CSeq: 2 OPTIONS\r\n" REST, 0, NULL},
	{"a number beyond all", OK VIA CALL_ID "CSeq: 18446744073709551617 OPTIONS\r\n" REST, 0, NULL},
	{"no number", OK VIA CALL_ID "CSeq: OPTIONS\r\n" REST, 0, NULL},
	{"headers in the body", OK "\r\n" VIA CALL_ID CSEQ REST, 0, NULL},
	{"the request itself", "OPTIONS sip:192.0.2.10:5060 SIP/2.0\r\n" VIA CALL_ID CSEQ REST, 0, NULL},
	{"another version", "SIP/3.0 200 OK\r\n" VIA CALL_ID CSEQ REST, 0, NULL},
	{"HTTP", "HTTP/1.1 200 OK\r\n" VIA CALL_ID CSEQ REST, 0, NULL},
	{"a code of two digits", "SIP/2.0 99 x\r\n" VIA CALL_ID CSEQ REST, 0, NULL},
	{"a code of four digits", "SIP/2.0 0200 x\r\n" VIA CALL_ID CSEQ REST, 0, NULL},
	{"a code too high", "SIP/2.0 700 x\r\n" VIA CALL_ID CSEQ REST, 0, NULL},
	{"a code too low", "SIP/2.0 099 x\r\n" VIA CALL_ID CSEQ REST, 0, NULL},
	{"a code that is none", "SIP/2.0 2x0 x\r\n" VIA CALL_ID CSEQ REST, 0, NULL},
	{"nothing", "", 0, NULL},
	{"keepalive", "\r\n\r\n", 0, NULL},
};

static unsigned int check_response(const char *text, size_t length, char status[PROBE_STATUS_SIZE])
{
	struct probe_message message = message_of(&options, "10.0.0.2", "192.0.2.10");
	char *copy = copy_of(text, length);
	unsigned int code = probe_message_check(&message, copy, length, status);

	free(copy);
	return code;
}

Test(probe_message, only_the_response_to_this_request_counts)
{
	char status[PROBE_STATUS_SIZE];

	for (size_t i = 0; i < COUNT(responses); i++) {
		unsigned int code = check_response(responses[i].text, strlen(responses[i].text), status);

		cr_expect_eq(code, responses[i].code, "%s: %u", responses[i].what, code);
		if (code && responses[i].status)
			cr_expect_str_eq(status, responses[i].status, "%s: %s", responses[i].what, status);
	}
}

Test(probe_message, the_load_in_a_response)
{
	static const struct {
		const char *headers;
		int load;
	} rows[] = {
		{"X-Load: 42\r\n", 42},
		{"x-load : 0\r\n", 0},
		{"Server: a\r\nX-LOAD:100\r\n", 100},
		{"X-Load: 12\r\nX-Load: 13\r\n", 12},
		{"X-Load: 101\r\n", 100},
		{"X-Load: 350\r\n", 100},
		{"X-Load: 95%\r\n", 95},
		{"X-Load: -1\r\n", -1},
		{"X-Load: 42 %\r\n", 42},
		{"X-Load: 120%\r\n", 100},
		{"X-Load: %\r\n", -1},
		{"X-Load: 0.95\r\n", -1},
		{"X-Load:\r\n", -1},
		{"X-Load: 99999999999999999999\r\n", -1},
		{"X-Loads: 42\r\n", -1},
		{"", -1},
		{"Content-Length: 12\r\n\r\nX-Load: 42\r\n", -1},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[512], *copy;
		int length = snprintf(text, sizeof(text), "SIP/2.0 200 OK\r\n%s\r\n", rows[i].headers);

		copy = copy_of(text, length);
		cr_expect_eq(probe_message_load("X-Load", copy, length), rows[i].load, "%s", rows[i].headers);
		free(copy);
	}
}

/* A response is truncated at each byte. It counts as soon as the last of the three headers is complete. */
Test(probe_message, truncated_responses)
{
	const char text[] = OK VIA "From: <sip:a@b>\r\n" CALL_ID CSEQ REST;
	size_t needed = strlen(OK VIA "From: <sip:a@b>\r\n" CALL_ID CSEQ) - 2;
	char status[PROBE_STATUS_SIZE];

	for (size_t length = 0; length < sizeof(text); length++)
		cr_expect_eq(check_response(text, length, status), length >= needed ? 200u : 0u, "%zu bytes", length);
}

/* --- Streams */

static const struct {
	const char *what;
	const char *text;
	int result;
	size_t start, end;
} streams[] = {
	{"nothing", "", 0, 0, 0},
	{"keepalives alone", "\r\n\r\n", 0, 4, 0},
	{"whole", "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", 1, 0, 37},
	{"without Content-Length", "SIP/2.0 200 OK\r\nTo: x\r\n\r\n", 1, 0, 25},
	{"behind keepalives", "\r\n\r\nSIP/2.0 200 OK\r\nl: 0\r\n\r\n", 1, 4, 28},
	{"with a body", "SIP/2.0 200 OK\r\nl: 3\r\n\r\nabcdef", 1, 0, 27},
	{"the body is not all there", "SIP/2.0 200 OK\r\nl: 3\r\n\r\nab", 0, 0, 0},
	{"the headers are not all there", "SIP/2.0 200 OK\r\nl: 3\r\n", 0, 0, 0},
	{"bare newlines", "SIP/2.0 200 OK\nl:1\n\nx", 1, 0, 21},
	{"a body of blanks", "SIP/2.0 200 OK\r\nl: 2\r\n\r\n  ", 1, 0, 26},
	{"folded", "SIP/2.0 200 OK\r\nContent-Length\r\n :\r\n\t2\r\n\r\nxyz", 1, 0, 44},
	{"case", "SIP/2.0 200 OK\r\nCONTENT-LENGTH : 1\r\n\r\nx", 1, 0, 39},
	{"twice the same", "SIP/2.0 200 OK\r\nl: 1\r\nl: 1\r\n\r\nx", 1, 0, 31},
	{"two lengths", "SIP/2.0 200 OK\r\nl: 1\r\nl: 2\r\n\r\nx", -EBADMSG, 0, 0},
	{"a negative length", "SIP/2.0 200 OK\r\nl: -1\r\n\r\nx", -EBADMSG, 0, 0},
	{"an empty length", "SIP/2.0 200 OK\r\nl:\r\n\r\nx", -EBADMSG, 0, 0},
	{"a length that overflows", "SIP/2.0 200 OK\r\nl: 4294967297\r\n\r\nx", -EBADMSG, 0, 0},
	{"a length with more", "SIP/2.0 200 OK\r\nl: 1 2\r\n\r\nx", -EBADMSG, 0, 0},
	{"a long length", "SIP/2.0 200 OK\r\nl: 999999999\r\n\r\nx", 0, 0, 0},
};

Test(probe_message, the_end_of_a_message_in_a_stream)
{
	for (size_t i = 0; i < COUNT(streams); i++) {
		size_t length = strlen(streams[i].text), start = 0, end = 0;
		char *copy = copy_of(streams[i].text, length);
		int result = probe_message_find(copy, length, &start, &end);

		cr_expect_eq(result, streams[i].result, "%s: %d", streams[i].what, result);
		if (result == 1)
			cr_expect(start == streams[i].start && end == streams[i].end, "%s: %zu to %zu", streams[i].what,
				start, end);
		free(copy);
	}
}

Test(probe_message, a_stream_in_pieces_of_any_size)
{
	const char text[] = "\r\nSIP/2.0 100 Trying\r\nl: 2\r\n\r\nabSIP/2.0 200 OK\r\n\r\n";

	for (size_t length = 0; length < sizeof(text); length++) {
		char *copy = copy_of(text, length);
		size_t start, end = 0;
		int result = probe_message_find(copy, length, &start, &end);

		cr_expect_eq(result, length >= 32, "%zu bytes", length);
		cr_expect_eq(end, result ? 32u : 0u, "%zu bytes: ends at %zu", length, end);
		free(copy);
	}
}

/* --- Echo */

Test(probe_message, echo)
{
	static const struct probe_ids ids = {.branch = 1, .call_id = 2, .tag = 3}, others = {.branch = 1, .call_id = 2};
	uint8_t packet[20 + PROBE_ECHO_SIZE] = {0x45};

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		uint8_t *echo = packet + 20;

		probe_echo_write(&ids, ipv6, echo);
		cr_expect_eq(echo[0], ipv6 ? 128 : 8);
		cr_expect_not(probe_echo_matches(&ids, ipv6, echo, PROBE_ECHO_SIZE), "the request is no reply");
		echo[0] = ipv6 ? 129 : 0;
		cr_expect(probe_echo_matches(&ids, ipv6, echo, PROBE_ECHO_SIZE));
		cr_expect_not(probe_echo_matches(&others, ipv6, echo, PROBE_ECHO_SIZE));
		cr_expect_not(probe_echo_matches(&ids, !ipv6, echo, PROBE_ECHO_SIZE));
		cr_expect_eq(probe_echo_matches(&ids, ipv6, packet, sizeof(packet)), !ipv6, "behind an IPv4 header");
		for (size_t length = 0; length < sizeof(packet); length++) {
			char *copy = copy_of((char *)packet, length);

			cr_expect_not(probe_echo_matches(&ids, ipv6, (uint8_t *)copy, length));
			free(copy);
		}
	}
}

/* The sum over the packet with its checksum is all ones (RFC 1071). */
Test(probe_message, echo_checksum)
{
	for (uint64_t seed = 1; seed < 1000; seed++) {
		struct probe_ids ids = {seed * 0x9e3779b97f4a7c15, ~seed, seed << 40};
		uint8_t echo[PROBE_ECHO_SIZE];
		uint32_t sum = 0;

		probe_echo_write(&ids, false, echo);
		for (size_t i = 0; i < sizeof(echo); i += 2)
			sum += echo[i] << 8 | echo[i + 1];
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		cr_assert_eq(sum, 0xffff);
	}
}
