// SPDX-License-Identifier: GPL-2.0
/* The message counter of the packet path is that of a slow, plain parser, on random and mutated messages. The slow
 * parser follows the rules of docs/reference/counters.md without any limit; the messages are short enough for all
 * limits of the packet path. */

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "rng.h"
#include "sip_message.h"
#include "tests/unit/sip_slow.h"
#include "suite.h"

#define MESSAGES 50000
#define ONE_OF(rng, list) ((list)[rng_below(rng, sizeof(list) / sizeof(*(list)))])

static const struct balancer_setup setup = {.backends = 4};

static void load(void)
{
	suite_load(&setup);
}

TestSuite(counters_random, .init = load, .fini = suite_unload);

#define COUNTER_NAME(name, kind, method, detail, text) #name,
static const char *const names[] = {SERVICE_COUNTERS(COUNTER_NAME)};

/* --- the slow parser */

/* Moves *at over white space and folded line ends; false: the header or the text ends there. */
static bool skip(const char *text, size_t length, size_t *at)
{
	for (; *at < length && slow_is_space(text[*at]); ++*at) {
		if (text[*at] == '\n' && (*at + 1 == length || (text[*at + 1] != ' ' && text[*at + 1] != '\t')))
			return false;
	}
	return *at < length;
}

/* The method at `at`, in lower case as in the names of the counters. */
static const char *slow_method(const char *text, size_t length, size_t at)
{
	static const char *const methods[] = {"invite", "ack", "cancel", "bye", "options", "register", "prack",
		"subscribe", "notify", "publish", "info", "refer", "message", "update"};
	size_t end = at;

	while (end < length && !slow_is_space(text[end]))
		end++;
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		if (end - at == strlen(methods[i]) && !strncasecmp(text + at, methods[i], end - at))
			return methods[i];
	}
	return end - at == 7 && !strncasecmp(text + at, "SIP/2.0", 7) ? "unknown" : "other";
}

/* The first part of the name of a response counter. */
static const char *slow_cseq(const char *text, size_t length)
{
	const char *method;
	size_t at, digits = 0;

	if (slow_header(text, length, "CSeq", NULL, &at) != SIP_FOUND)
		return "unknown";
	at++;
	if (!skip(text, length, &at))
		return "unknown";
	while (digits < 10 && at < length && isdigit((unsigned char)text[at]))
		at++, digits++;
	if (!skip(text, length, &at))
		return "unknown";
	method = slow_method(text, length, at);
	return !strcmp(method, "invite") || !strcmp(method, "register") || !strcmp(method, "unknown") ? method
												      : "other";
}

static void slow_response(const char *text, size_t length, size_t code_at, char name[64])
{
	static const char *const listed[] = {"100", "180", "183", "200", "302", "401", "403", "404", "407", "408",
		"480", "481", "483", "486", "487", "488", "500", "503", "603"};
	const char *cseq = slow_cseq(text, length), *code = text + code_at;
	size_t left = length - code_at;

	if (left < 3 || !isdigit((unsigned char)code[0]) || !isdigit((unsigned char)code[1]) ||
		!isdigit((unsigned char)code[2]) || (left > 3 && !slow_is_space(code[3])) || *code < '1' ||
		*code > '6') {
		sprintf(name, "%s_invalid", cseq);
		return;
	}
	sprintf(name, "%s_other_%cxx", cseq, *code);
	for (size_t i = 0; i < sizeof(listed) / sizeof(*listed); i++) {
		if (!memcmp(code, listed[i], 3))
			sprintf(name, "%s_%s", cseq, listed[i]);
	}
}

static void slow_counter(const char *text, size_t length, char name[64])
{
	size_t line = 0, colon;
	enum sip_result tag = slow_header(text, length, "To", "t", &colon);
	const char *method;
	bool never_initial;

	if (tag == SIP_NOT_SIP) {
		strcpy(name, "not_sip");
		return;
	}
	while (slow_is_space(text[line]))
		line++;
	if (!strncasecmp(text + line, "SIP/2.0 ", 8)) {
		slow_response(text, length, line + 8, name);
		return;
	}
	if (tag == SIP_FOUND)
		tag = slow_tag(text, length, colon);
	method = slow_method(text, length, line);
	never_initial = !strcmp(method, "ack") || !strcmp(method, "cancel");
	sprintf(name, "%s_%s",
		tag == SIP_FOUND || never_initial ? "in_dialog"
		: tag == SIP_NOT_THERE            ? "initial"
						  : "unknown",
		method);
}

/* --- messages */

static const char *const start_lines[] = {"INVITE sip:bob@example.net SIP/2.0", "invite sip:bob@example.net SIP/2.0",
	"BYE sip:bob@example.net SIP/2.0", "REGISTER sip:example.net SIP/2.0", "SUBSCRIBE sip:bob@example.net SIP/2.0",
	"ACK sip:bob@example.net SIP/2.0", "REGISTERED sip:bob@example.net SIP/2.0", "\r\nOPTIONS sip:bob SIP/2.0",
	"SIP/2.0 200 OK", "SIP/2.0 180 Ringing", "sip/2.0 486 Busy Here", "SIP/2.0 699 ", "SIP/2.0 20 OK",
	"SIP/2.0 2000 OK", "SIP/2.0 099 Low", "SIP/2.0 700 High"};
static const char *const lines[] = {"Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK77", "From: <sip:a@b>;tag=1",
	"f: \"x\" <sip:a@b>;tag=2", "Max-Forwards: 70", "To: <sip:bob@example.net>", "To: <sip:bob@example.net>;tag=b1",
	"t:sip:bob@example.net;tag=b2", "TO : \"a;tag=1\" <sip:b;tag=2>;x=y", "To: Bob <sip:b>;q=1;tag=b3",
	"To: <sip:b>\r\n ;tag=b4", "Timestamp: 54", "To-Do: <sip:b>;tag=9", "T", "Call-ID: 1@example.net",
	"Call-ID: 3848276298220188511@atlanta.example.com", "i:2@b", "Call-ID:\r\n 3@b", "CSeq: 1 INVITE",
	"CSeq: 4711 REGISTER", "cseq : 12345678901 BYE", "CSeq: 7\r\n\tINVITE", "CSeq: INVITE", "CSeq: 9",
	"CSeq: 3 FOO", "CSeq: 1 INVITED", "CSeq: 2 invite ", "Contact: <sip:a@b>", "Content-Length: 0",
	"Subject: To: x;tag=1", "", "v=0", "To: <sip:in-the-body>;tag=7", "\xc3\xa4\xc3\xb6: \xc3\xbc"};

/* A usual order with unusual headers, or any order. */
static void write_message(struct rng *rng, struct sip_message *m)
{
	static const char *const usual[] = {"Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK77",
		"From: <sip:a@b>;tag=1", "To: <sip:bob@example.net>", "Call-ID: 1@example.net", "CSeq: 1 INVITE", ""};
	const char *line_end = rng_percent(rng, 90) ? "\r\n" : "\n";
	uint32_t strange = rng_below(rng, 3) ? rng_below(rng, 40) : 100;

	m->length = sprintf(m->text, "%s%s", ONE_OF(rng, start_lines), line_end);
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++) {
		m->length += sprintf(m->text + m->length, "%s%s",
			rng_percent(rng, strange) ? ONE_OF(rng, lines) : usual[i], line_end);
		if (rng_percent(rng, strange / 2))
			m->length += sprintf(m->text + m->length, "%s%s", ONE_OF(rng, lines), line_end);
	}
	if (rng_percent(rng, 50))
		m->length += sprintf(m->text + m->length, "%s%s", ONE_OF(rng, lines), line_end);
	if (rng_percent(rng, 25))
		sip_message_spoil(rng, m);
	if (rng_percent(rng, 10))
		m->length = rng_below(rng, m->length + 1);
	/* The slow parser treats any control character as a blank; the packet path treats only space and tab as
	 * blanks. */
	for (size_t i = 0; i < m->length; i++) {
		if (slow_is_space(m->text[i]) && !strchr(" \t\r\n", m->text[i] ? m->text[i] : 1))
			m->text[i] = '.';
	}
}

/* Does the message have several lines that begin like a CSeq? Such a message is invalid (RFC 3261 section 20), and
 * the packet path may use any of them. */
static bool has_several_cseqs(const struct sip_message *m)
{
	uint32_t count = 0;

	for (size_t i = 0; i + 5 < m->length; i++)
		count += m->text[i] == '\n' && !strncasecmp(m->text + i + 1, "cseq", 4);
	return count > 1;
}

/* Are all brackets and quotes closed in the line at `at`? A parser that starts at the beginning of a value and one
 * that starts at its end may differ for an invalid value such as "<sip:b;tag=1". */
static bool is_closed(const struct sip_message *m, size_t at)
{
	uint32_t open = 0, close = 0, quotes = 0;

	for (; at < m->length && m->text[at] != '\n'; at++) {
		open += m->text[at] == '<';
		close += m->text[at] == '>';
		quotes += m->text[at] == '"';
	}
	return open == close && !(quotes & 1);
}

/* The comparison needs a valid To, and at most one CSeq. */
static bool is_comparable(const struct sip_message *m)
{
	size_t colon;

	if (slow_header(m->text, m->length, "To", "t", &colon) == SIP_FOUND && !is_closed(m, colon))
		return false;
	return !has_several_cseqs(m);
}

/* --- comparison */

/* Sends a message to a port. Returns the only counter that increased; 0: none. */
static uint32_t count(const struct sip_message *message, enum test_service service, uint16_t port)
{
	static struct balancer_counts before, after;
	uint32_t counted = 0, counters = 0;
	struct frame frame;

	frame_build(&frame, &(struct frame_spec){.destination = "192.0.2.10",
				    .destination_port = port,
				    .payload = message->length ? message->text : "",
				    .payload_length = message->length});
	balancer_count(skel, setup.backends, &before);
	balancer_run(skel, &frame);
	balancer_count(skel, setup.backends, &after);
	for (uint32_t i = SERVICE_COUNTER_bytes + 1; i < SERVICE_COUNTER_COUNT; i++) {
		if (after.service_messages[service][i] == before.service_messages[service][i])
			continue;
		counted = i;
		counters++;
	}
	cr_assert_leq(counters, 1, "%u counters", counters);
	return counted;
}

Test(counters_random, kernel_and_slow_parser_agree, .timeout = 170)
{
	uint64_t seed = rng_seed();
	uint32_t seen[SERVICE_COUNTER_COUNT] = {}, different = 0, messages = rng_frames(MESSAGES);
	struct sip_message message;
	char expected[64];

	for (uint32_t n = 0; n < messages; n++) {
		struct rng rng = rng_start(seed, n);
		bool plain = rng_percent(&rng, 50);
		uint32_t counted;

		write_message(&rng, &message);
		if (message.length > 1200 || !is_comparable(&message))
			continue;
		slow_counter(message.text, message.length, expected);
		counted = count(&message, plain ? SERVICE_SIP : SERVICE_SPLIT, plain ? 5060 : 5063);
		cr_assert(!strcmp(names[counted], expected),
			"SIPXDP_SEED=%lu, message %u to %s: %s, where %s is expected\n%.*s", seed, n,
			plain ? "the fast path" : "the stages", names[counted], expected, (int)message.length,
			message.text);
		different += !seen[counted]++;
	}
	cr_expect_geq(different, SERVICE_COUNTER_COUNT / 5, "the messages reach only %u counters", different);
	cr_expect_gt(seen[SERVICE_COUNTER_initial_invite], messages / 200);
	cr_expect_gt(seen[SERVICE_COUNTER_in_dialog_invite], messages / 200);
	cr_expect_gt(seen[SERVICE_COUNTER_unknown_invite], 0);
	cr_expect_gt(seen[SERVICE_COUNTER_invite_200], messages / 200);
	cr_expect_gt(seen[SERVICE_COUNTER_not_sip], 0);
}
