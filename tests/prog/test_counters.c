// SPDX-License-Identifier: GPL-2.0
/* Each packet must increment one message counter of its service and one of its backend. Each message is sent in
 * forms that the fast path handles and in forms for which the program must read all headers. The test derives the
 * expected counter from the parts of the message. */

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "suite.h"
#include "rng.h"

static const struct balancer_setup setup = {.backends = 4};

static void load(void)
{
	suite_load(&setup);
}

TestSuite(counters, .init = load, .fini = suite_unload);

#define COUNTER_NAME(name, kind, method, detail, text) {#name, COUNTER_##kind, method, detail},
static const struct {
	const char *name;
	enum counter_kind kind;
	const char *method;
	const char *detail;
} service_counters[] = {SERVICE_COUNTERS(COUNTER_NAME)}, backend_counters[] = {BACKEND_COUNTERS(COUNTER_NAME)};

/* --- messages */

struct message {
	char text[2048];
	size_t length;
};

/* Values of To, with %s for a tag parameter; most senders use the first form. */
static const char *const to_values[] = {
	"To: <sip:bob@example.net>%s\r\n",
	"To: Bob <sip:bob@example.net>%s\r\n",
	"To: \"Bob <bob>\" <sip:bob@example.net;user=phone>%s\r\n",
	"To: \"a>;tag=b\" <sip:bob@example.net>;q=1%s\r\n",
	"t: <sip:bob@example.net;tag=of-the-uri>%s\r\n",
	"TO:<sip:bob@example.net>%s\r\n",
	"to : sip:bob@example.net%s\r\n",
	"To: <sip:bob@example.net>\r\n %s\r\n",
	"To: <sip:bob@example.net>%s;foo=\"x;tag=y\"\r\n",
	"To: <sip:bob@example.net;tag=of-the-uri> %s\r\n",
	"Timestamp: 54\r\nTo: <sip:bob@example.net>%s\r\n",
};

#define TO_VALUES (sizeof(to_values) / sizeof(*to_values))
#define ORDERS 4 /* of From, To, Call-ID and CSeq */

/* A message with its headers in one of several orders. */
static void write_message(struct message *message, const char *start_line, const char *cseq, bool tag, unsigned int to,
	unsigned int order)
{
	static const char headers[ORDERS][5] = {"vftcs", "vfstc", "vcsft", "sctfv"};
	char line[256];
	size_t length = snprintf(message->text, sizeof(message->text), "%s\r\n", start_line);

	for (const char *header = headers[order]; header < headers[order] + 5; header++) {
		switch (*header) {
		case 'v':
			snprintf(line, sizeof(line), "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-77ab31\r\n");
			break;
		case 'f':
			snprintf(line, sizeof(line), "From: \"T\" <sip:alice@example.com>;tag=9fxced76sl\r\n");
			break;
		case 't':
			snprintf(line, sizeof(line), to_values[to], tag ? ";tag=a6c85cf-1" : "");
			break;
		case 'c':
			snprintf(line, sizeof(line), "Call-ID: 3848276298220188511@atlanta.example.com\r\n");
			break;
		default:
			snprintf(line, sizeof(line), "CSeq: %s\r\n", cseq);
		}
		length += snprintf(message->text + length, sizeof(message->text) - length, "%s", line);
	}
	length += snprintf(message->text + length, sizeof(message->text) - length,
		"Max-Forwards: 70\r\nContact: <sip:alice@198.51.100.7>\r\nContent-Length: 0\r\n\r\n");
	message->length = length;
}

/* --- counting */

static uint32_t find_service_counter(const char *method, const char *detail)
{
	for (uint32_t i = 0; i < SERVICE_COUNTER_COUNT; i++)
		if (!strcmp(service_counters[i].method, method) && !strcmp(service_counters[i].detail, detail))
			return i;
	cr_assert_fail("no counter for %s, %s", method, detail);
	return 0;
}

static uint32_t find_backend_counter(uint32_t service)
{
	const char *method = service_counters[service].method, *detail = service_counters[service].detail;

	switch (service_counters[service].kind) {
	case COUNTER_RESPONSE:
		return BACKEND_COUNTER_response;
	case COUNTER_NOT_SIP:
		return BACKEND_COUNTER_not_sip;
	default:
		break;
	}
	if (!strcmp(detail, "in_dialog"))
		return BACKEND_COUNTER_in_dialog;
	if (!strcmp(detail, "unknown"))
		return BACKEND_COUNTER_unknown;
	if (!strcmp(method, "INVITE"))
		return BACKEND_COUNTER_initial_invite;
	return strcmp(method, "REGISTER") ? BACKEND_COUNTER_initial_other : BACKEND_COUNTER_initial_register;
}

/* Sends a payload to a port. Only the counter `wanted` of its service must increase; 0: no counter. */
static void send_payload(const char *payload, size_t length, enum test_service service, uint16_t port, uint32_t wanted)
{
	static struct balancer_counts before, after;
	uint32_t backend = wanted ? find_backend_counter(wanted) : 0;
	struct frame frame;

	frame_build(&frame, &(struct frame_spec){.destination = service == SERVICE_ONE ? "192.0.2.20" : "192.0.2.10",
				    .destination_port = port,
				    .payload = payload,
				    .payload_length = length});
	balancer_count(skel, setup.backends, &before);
	cr_assert_eq(balancer_run(skel, &frame), XDP_TX, "%.300s", payload);
	balancer_count(skel, setup.backends, &after);
	for (uint32_t i = SERVICE_COUNTER_bytes + 1; i < SERVICE_COUNTER_COUNT; i++)
		cr_assert_eq(after.service_messages[service][i] - before.service_messages[service][i], i == wanted,
			"%s, where %s is expected, for: %.400s", service_counters[i].name,
			service_counters[wanted].name, payload);
	for (uint32_t i = BACKEND_COUNTER_bytes + 1; i < BACKEND_COUNTER_COUNT; i++)
		cr_assert_eq(after.backend_messages[i] - before.backend_messages[i], backend && i == backend,
			"%s of a backend, where %s is expected, for: %.400s", backend_counters[i].name,
			backend_counters[backend].name, payload);
}

static void send_everywhere(const struct message *message, uint32_t wanted)
{
	send_payload(message->text, message->length, SERVICE_SIP, 5060, wanted);
	send_payload(message->text, message->length, SERVICE_NEAR, 5062, wanted);
	send_payload(message->text, message->length, SERVICE_SPLIT, 5063, wanted);
	send_payload(message->text, message->length, SERVICE_USER, 5064, wanted);
	send_payload(message->text, message->length, SERVICE_ONE, 5070, 0); /* this service counts no messages */
}

/* --- tests */

Test(counters, each_method_with_and_without_a_to_tag)
{
	static const char *const methods[] = {"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "PRACK",
		"SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO", "REFER", "MESSAGE", "UPDATE", "other"};

	for (unsigned int i = 0; i < sizeof(methods) / sizeof(*methods) * TO_VALUES * ORDERS * 2; i++) {
		unsigned int order = i % ORDERS, to = i / ORDERS % TO_VALUES, tag = i / ORDERS / TO_VALUES % 2;
		const char *method = methods[i / ORDERS / TO_VALUES / 2],
			   *word = strcmp(method, "other") ? method : "FOO";
		bool never_initial = !strcmp(method, "ACK") || !strcmp(method, "CANCEL");
		struct message message;
		char line[80], cseq[80];

		snprintf(line, sizeof(line), "%s sip:bob@example.net SIP/2.0", word);
		snprintf(cseq, sizeof(cseq), "1 %s", word);
		write_message(&message, line, cseq, tag, to, order);
		send_everywhere(&message, find_service_counter(method, tag || never_initial ? "in_dialog" : "initial"));
	}
}

Test(counters, each_code_by_the_method_in_cseq)
{
	static const struct {
		const char *value, *method;
	} cseqs[] = {{"1 INVITE", "INVITE"}, {"12345678 INVITE", "INVITE"}, {"2147483647  invite ", "INVITE"},
		{"7 REGISTER", "REGISTER"}, {"7\r\n REGISTER", "REGISTER"}, {"0 BYE", "other"},
		{"0 REGISTERED", "other"}, {"9 INVITES", "other"}, {"", "unknown"}, {"17", "unknown"}};
	static const unsigned int codes[] = {100, 180, 183, 200, 302, 401, 403, 404, 407, 408, 480, 481, 483, 486, 487,
		488, 500, 503, 603, 181, 202, 301, 400, 504, 600, 99, 700, 999};
	struct message message;
	char line[80], detail[16];

	for (unsigned int i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		for (unsigned int j = 0; j < sizeof(cseqs) / sizeof(*cseqs) * ORDERS; j++) {
			snprintf(line, sizeof(line), "SIP/2.0 %03u Some Reason", codes[i]);
			snprintf(detail, sizeof(detail),
				i < 19                             ? "%u"
				: codes[i] < 100 || codes[i] > 699 ? "invalid"
								   : "other_%uxx",
				i < 19 ? codes[i] : codes[i] / 100);
			write_message(&message, line, cseqs[j / ORDERS].value, true, 0, j % ORDERS);
			send_everywhere(&message, find_service_counter(cseqs[j / ORDERS].method, detail));
		}
	}
	write_message(&message, "SIP/2.0 2x0 OK", "1 INVITE", true, 0, 0);
	send_everywhere(&message, SERVICE_COUNTER_invite_invalid);
	write_message(&message, "SIP/2.0 2000 OK", "1 INVITE", true, 0, 0);
	send_everywhere(&message, SERVICE_COUNTER_invite_invalid);
}

/* There are more header lines before To or CSeq than the budget of a packet allows. */
Test(counters, values_beyond_the_search_limit_are_unknown)
{
	static const char *const methods[] = {"INVITE", "BYE", "OPTIONS", "REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY",
		"PUBLISH", "INFO", "REFER", "MESSAGE", "UPDATE", "other"};
	char text[1400], lines[1200] = "";

	for (int i = 0; i < 220; i++)
		strcat(lines, "E:1\r\n");
	for (unsigned int i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		int length =
			snprintf(text, sizeof(text), "%s sip:b@example.net SIP/2.0\r\nCall-ID: 1@example.net\r\n%s",
				i < 12 ? methods[i] : "FOO", lines);

		send_payload(text, length, SERVICE_SIP, 5060, find_service_counter(methods[i], "unknown"));
	}
}

Test(counters, a_datagram_that_is_not_sip)
{
	static const char keepalive[] = "\r\n\r\n",
			  text[] = "\x80 this is a datagram of a different protocol, with many bytes";

	send_payload(keepalive, sizeof(keepalive) - 1, SERVICE_SIP, 5060, SERVICE_COUNTER_not_sip);
	send_payload(text, sizeof(text) - 1, SERVICE_SIP, 5060, SERVICE_COUNTER_not_sip);
	send_payload(text, sizeof(text) - 1, SERVICE_NEAR, 5062, SERVICE_COUNTER_not_sip);
}
