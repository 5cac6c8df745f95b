// SPDX-License-Identifier: GPL-2.0
/* Heartbeats in SIP: reading requests, and writing responses. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/join/join_sip.h"
#include "core/base/memory.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static struct span span_of(const char *text)
{
	return (struct span){text, text + strlen(text)};
}

/* --- Reading requests */

#define SIP_HEAD                                                                                                       \
	"OPTIONS sip:10.0.0.2:7946 SIP/2.0\r\n"                                                                        \
	"Via: SIP/2.0/UDP 10.0.0.14:5062;branch=z9hG4bK1\r\n"                                                          \
	"Max-Forwards: 70\r\n"                                                                                         \
	"From: <sip:px4@10.0.0.14>;tag=1\r\n"                                                                          \
	"To: <sip:10.0.0.2:7946>\r\n"                                                                                  \
	"Call-ID: a@b\r\n"                                                                                             \
	"CSeq: 1 OPTIONS\r\n"
#define BEAT "X-Sipxdp-Heartbeat: action=heartbeat; pool=proxies; name=px4; time=17; signature=ab\r\n"

struct heartbeat {
	const char *name, *message;
	const char *said, *time, *signature;
};

static bool span_is(struct span span, const char *text)
{
	size_t length = span.end - span.at;

	return length == strlen(text) && (!length || !memcmp(span.at, text, length));
}

/* Reads a copy of exactly these bytes, so that ASan detects an overrun. Free the result. */
static char *read_sip(const char *message, struct join_request *request, const char **text, unsigned int *status)
{
	size_t length = strlen(message);
	char *copy = memcpy(malloc(length + !length), message, length);

	*status = join_sip_read((struct span){copy, copy + length}, request, text);
	return copy;
}

#define SAID "action=heartbeat; pool=proxies; name=px4"
#define SHORT "a=b; time=1; signature=2\r\n"

Test(join_sip, heartbeats)
{
	static const struct heartbeat rows[] = {
		{"a heartbeat", SIP_HEAD BEAT "Content-Length: 0\r\n\r\n", SAID, "17", "ab"},
		{"without an end", SIP_HEAD BEAT, SAID, "17", "ab"},
		{"no blanks", SIP_HEAD "x-sipxdp-heartbeat:a=b;time=1;signature=2\r\n\r\n", "a=b", "1", "2"},
		{"folded", SIP_HEAD "X-Sipxdp-Heartbeat: a=b\r\n ; time=1\r\n ;signature=2\r\n\r\n", "a=b", "1", "2"},
		{"two headers, of which the first one counts", SIP_HEAD BEAT "X-Sipxdp-Heartbeat: " SHORT "\r\n", SAID,
			"17", "ab"},
		{"compact", "OPTIONS sip:a SIP/2.0\nv: SIP/2.0/UDP a\nf: a\nt: b\ni: c\nCSeq: 1 OPTIONS\n" BEAT "\n",
			SAID, "17", "ab"},
		{"an empty command", SIP_HEAD "X-Sipxdp-Heartbeat: time=17; signature=ab\r\n\r\n", "", "17", "ab"},
		{"no time", SIP_HEAD "X-Sipxdp-Heartbeat: a=b; signature=ab\r\n\r\n", "", "", ""},
		{"no signature", SIP_HEAD "X-Sipxdp-Heartbeat: a=b; time=17\r\n\r\n", "a=b", "17", ""},
		{"text after the signature", SIP_HEAD "X-Sipxdp-Heartbeat: a=b; time=1; signature=2; c=d\r\n\r\n",
			"a=b", "1", ""},
		{"empty", SIP_HEAD "X-Sipxdp-Heartbeat:\r\n\r\n", "", "", ""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct heartbeat *row = &rows[i];
		struct join_request request;
		unsigned int status;
		const char *text;
		char *copy = read_sip(row->message, &request, &text, &status);

		cr_expect_eq(status, 200, "%s: %u", row->name, status);
		cr_expect(span_is(request.text, row->said), "%s: said", row->name);
		cr_expect(span_is(request.time, row->time), "%s: time", row->name);
		cr_expect(span_is(request.signature, row->signature), "%s: signature", row->name);
		cr_expect(!request.is_json, "%s", row->name);
		free(copy);
	}
}

struct no_heartbeat {
	const char *name, *message;
	unsigned int status;
	const char *text;
};

#define OTHERS(method) "Via: SIP/2.0/UDP a\r\nf: a\r\nt: b\r\ni: c\r\nCSeq: 1 " method "\r\n" BEAT "\r\n"

Test(join_sip, other_messages)
{
	static const struct no_heartbeat rows[] = {
		{"a heartbeat after the blank line", SIP_HEAD "\r\n" BEAT, 400, "no X-Sipxdp-Heartbeat"},
		{"a ping", SIP_HEAD "\r\n", 400, "no X-Sipxdp-Heartbeat"},
		{"INVITE", "INVITE sip:a SIP/2.0\r\n" OTHERS("INVITE"), 405, "only OPTIONS is accepted here"},
		{"ACK", "ACK sip:a SIP/2.0\r\n" OTHERS("ACK"), 0, ""},
		{"a response", "SIP/2.0 200 OK\r\n" OTHERS("OPTIONS"), 0, ""},
		{"no Via", "OPTIONS sip:a SIP/2.0\r\nf: a\r\nt: b\r\ni: c\r\nCSeq: 1 OPTIONS\r\n" BEAT "\r\n", 0, ""},
		{"no CSeq", "OPTIONS sip:a SIP/2.0\r\nv: SIP/2.0/UDP a\r\nf: a\r\nt: b\r\ni: c\r\n" BEAT "\r\n", 0, ""},
		{"two Call-IDs", SIP_HEAD "i: other\r\n" BEAT "\r\n", 0, ""},
		{"not SIP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, ""},
		{"a keepalive", "\r\n\r\n", 0, ""},
		{"nothing", "", 0, ""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *text = "";
		struct join_request request;
		unsigned int status;
		char *copy = read_sip(rows[i].message, &request, &text, &status);

		cr_expect_eq(status, rows[i].status, "%s: %u", rows[i].name, status);
		cr_expect(!status || !strcmp(text, rows[i].text), "%s: %s", rows[i].name, text);
		free(copy);
	}
}

static char *answer_to(const char *message, unsigned int status, const char *text, struct endpoint *peer)
{
	static char out[JOIN_SIP_ANSWER_SIZE + 1];
	struct join_answer answer = {.status = status};
	size_t length;

	snprintf(answer.text, sizeof(answer.text), "%s", text);
	address_parse("10.0.0.99", &peer->address);
	peer->port = 40000;
	length = join_sip_answer(span_of(message), &answer, 0x42, peer, out);
	out[length] = '\0';
	return out;
}

Test(join_sip, a_complete_response)
{
	struct endpoint peer;

	cr_expect_str_eq(answer_to(SIP_HEAD BEAT "\r\nbody", 200, "heartbeat received", &peer),
		"SIP/2.0 200 heartbeat received\r\n"
		"Via: SIP/2.0/UDP 10.0.0.14:5062;branch=z9hG4bK1;received=10.0.0.99\r\n"
		"From: <sip:px4@10.0.0.14>;tag=1\r\n"
		"To: <sip:10.0.0.2:7946>;tag=0000000000000042\r\n"
		"Call-ID: a@b\r\n"
		"CSeq: 1 OPTIONS\r\n"
		"Allow: OPTIONS\r\n"
		"Server: sipxdp\r\n"
		"Content-Length: 0\r\n"
		"\r\n");
	cr_expect_eq(peer.port, 5062);
}

struct answer_row {
	const char *name;
	const char *headers;
	const char *contains;
	uint16_t port;
};

#define REST "f: a\r\ni: c\r\nCSeq: 1 OPTIONS\r\n\r\n"

Test(join_sip, responses)
{
	static const struct answer_row rows[] = {
		{"no port", "Via: SIP/2.0/UDP a\r\nt: b\r\n", "\r\nVia: SIP/2.0/UDP a;received=10.0.0.99\r\n", 5060},
		{"IPv6", "Via: SIP/2.0/UDP [2001:db8::14]\r\nt: b\r\n", "Via: SIP/2.0/UDP [2001:db8::14];r", 5060},
		{"IPv6 with a port", "Via: SIP/2.0/UDP [2001:db8::14]:5062;x\r\nt: b\r\n", "]:5062;x;received", 5062},
		{"rport", "v: SIP/2.0/UDP a:1;branch=b;rport;x=\";rport\"\r\nt: b\r\n",
			"v: SIP/2.0/UDP a:1;branch=b;rport=40000;x=\";rport\";received=10.0.0.99\r\n", 40000},
		{"rport with a wrong value", "v: SIP/2.0/UDP a:1;rport=2\r\nt: b\r\n",
			"a:1;rport=40000;received=", 40000},
		{"rport twice", "v: SIP/2.0/UDP a:1;rport;rport\r\nt: b\r\n",
			"a:1;rport=40000;rport=40000;received=", 40000},
		{"rport in a different Via", "v: SIP/2.0/UDP a:1, SIP/2.0/UDP b;rport\r\nt: b\r\n",
			"a:1;received=10.0.0.99, SIP/2.0/UDP b;rport\r\n", 1},
		{"many Vias", "v: SIP/2.0/UDP a:1\r\nVia: SIP/2.0/UDP b\r\nt: b\r\nvia: SIP/2.0/UDP c\r\n",
			"\r\nVia: SIP/2.0/UDP b\r\nt: b;tag=0000000000000042\r\nvia: SIP/2.0/UDP c\r\n", 1},
		{"port 0", "v: SIP/2.0/UDP a:0\r\nt: b\r\n", "a:0;", 5060},
		{"port of 17 bits", "v: SIP/2.0/UDP a:65536\r\nt: b\r\n", "a:65536;", 5060},
		{"a tag", "v: SIP/2.0/UDP a\r\nTo: \"b;tag=1\" <sip:b;tag=1>;x;TAG=2\r\n", ";x;TAG=2\r\n", 5060},
		{"no tag yet", "v: SIP/2.0/UDP a\r\nTo: \"b;tag=1\" <sip:b;tag=1>;x\r\n", ";x;tag=0000000000000042\r\n",
			5060},
		{"a tag without brackets", "v: SIP/2.0/UDP a\r\nTo: sip:b;tag=2\r\n", "To: sip:b;tag=2\r\n", 5060},
	};
	char message[1024];

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct endpoint peer;
		const char *answer;

		snprintf(message, sizeof(message), "OPTIONS sip:a SIP/2.0\r\n%s" REST, rows[i].headers);
		answer = answer_to(message, 401, "no", &peer);
		cr_expect(strstr(answer, rows[i].contains), "%s: %s", rows[i].name, answer);
		cr_expect_eq(peer.port, rows[i].port, "%s: %u", rows[i].name, peer.port);
		cr_expect(!strncmp(answer, "SIP/2.0 403 no\r\n", 16), "401 has a challenge in SIP");
	}
}

/* The response is longest if each line is short and ends in a bare LF. */
Test(join_sip, response_to_the_longest_request)
{
	char message[JOIN_REQUEST_MAX];
	struct span span = {message, message + sizeof(message)};
	size_t length = snprintf(message, sizeof(message), "OPTIONS a SIP/2.0\nf:\nt:\ni:\nCSeq:\n");
	struct join_answer answer = {.status = 200};
	char *out = malloc(JOIN_SIP_ANSWER_SIZE);
	struct join_request request;
	struct endpoint peer = {0};
	const char *text;

	memset(answer.text, 'x', sizeof(answer.text) - 1);
	for (; length < sizeof(message); length++)
		message[length] = "v:\n"[length % 3];
	cr_expect_eq(join_sip_read(span, &request, &text), 400);
	length = join_sip_answer(span, &answer, 0, &peer, out);
	cr_expect_lt(length, JOIN_SIP_ANSWER_SIZE - 1);
	cr_expect(!memcmp(out + length - 4, "\r\n\r\n", 4));
	free(out);
}
