// SPDX-License-Identifier: GPL-2.0
/* See messages.h. The corpus is in corpus.c. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "messages.h"

#define CALL_ID "3848276298220188511@198.51.100.7"
#define TEXT_SIZE 2048

struct text {
	char bytes[TEXT_SIZE];
	size_t length;
};

const char *message_text(enum message message)
{
#define MESSAGE_TEXT(name, text) [MESSAGE_##name] = text,
	static const char *const texts[] = {MESSAGES(MESSAGE_TEXT)};
#undef MESSAGE_TEXT

	return texts[message];
}

static void add(struct text *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text->length += vsnprintf(text->bytes + text->length, TEXT_SIZE - text->length, format, arguments);
	va_end(arguments);
}

/* Repeats a pattern until the text has this length. */
static void fill(struct text *text, const char *pattern, size_t length)
{
	size_t size = strlen(pattern);

	for (size_t i = 0; text->length < length; i++)
		text->bytes[text->length++] = pattern[i % size];
}

/* Headers before the Call-ID, in a common order. */
static const char *const headers_before[] = {
	"From: \"Alice\" <sip:alice@example.net>;tag=1928301774\r\n",
	"To: <sip:1000@example.net>\r\n",
	"Max-Forwards: 70\r\n",
	"Record-Route: <sip:198.51.100.1;lr=on;ftag=1928301774>\r\n",
	"Via: SIP/2.0/UDP 198.51.100.61:5060;rport=5060;branch=z9hG4bK4fb2.b1f25e07.1\r\n",
	"Record-Route: <sip:198.51.100.2:5060;transport=udp;lr=on;did=a41.7f22>\r\n",
	"Via: SIP/2.0/UDP 198.51.100.62:5060;received=203.0.113.9;branch=z9hG4bK776asd.2\r\n",
	"User-Agent: Example Phone 5.2 (build 8812)\r\n",
	"P-Asserted-Identity: \"Alice\" <sip:alice@example.net;user=phone>\r\n",
	"Supported: replaces, timer, path, 100rel, gruu\r\n",
	"Via: SIP/2.0/UDP 198.51.100.63:5060;received=203.0.113.9;branch=z9hG4bK776asd.3\r\n",
	"Session-Expires: 1800;refresher=uac\r\n",
};

/* Writes everything before the header name Call-ID, which then begins at byte `at`. The branch of
 * the topmost Via fills the remaining space. */
static void begin_message_from(struct text *text, const char *start_line, const char *host, size_t at)
{
	size_t spent, count = 0;

	add(text, "%sVia: SIP/2.0/UDP %s:5060;branch=z9hG4bK", start_line, host);
	spent = text->length + 2;

	while (count < sizeof(headers_before) / sizeof(*headers_before) &&
		spent + strlen(headers_before[count]) + 8 <= at)
		spent += strlen(headers_before[count++]);
	fill(text, "74bf9ae2", text->length + at - spent);
	add(text, "\r\n");
	for (size_t i = 0; i < count; i++)
		add(text, "%s", headers_before[i]);
}

static void begin_message(struct text *text, const char *start_line, size_t at)
{
	begin_message_from(text, start_line, "198.51.100.7", at);
}

/* Writes the rest of an INVITE, up to a total of `length` bytes. */
static void end_invite(struct text *text, size_t length)
{
	add(text, "CSeq: 314159 INVITE\r\nContact: <sip:alice@198.51.100.7>\r\nContent-Type: application/sdp\r\n\r\n");
	fill(text, "a=rtpmap:101 telephone-event/8000\r\n", length);
}

static void invite_at(struct text *text, size_t value, const char *name, size_t length)
{
	begin_message(text, "INVITE sip:1000@192.0.2.10 SIP/2.0\r\n", value - strlen(name));
	add(text, "%s" CALL_ID "\r\n", name);
	end_invite(text, length);
}

static void last_header(struct text *text)
{
	begin_message(text, "INVITE sip:1000@192.0.2.10 SIP/2.0\r\n", 500);
	add(text, "CSeq: 314159 INVITE\r\nContact: <sip:alice@198.51.100.7:5060;ob>\r\n");
	fill(text, "X-Fill: of no meaning   ", 590 - 11);
	add(text, "\r\nCall-ID: " CALL_ID "\r\n\r\n");
}

static void no_call_id(struct text *text)
{
	begin_message(text, "INVITE sip:1000@192.0.2.10 SIP/2.0\r\n", 500);
	add(text, "CSeq: 314159 INVITE\r\nContact: <sip:alice@198.51.100.7:5060;ob>\r\n");
	fill(text, "X-Fill: of no meaning   ", 617);
	add(text, "\r\n\r\n");
}

static void response(struct text *text, const char *via)
{
	begin_message_from(text, "SIP/2.0 200 OK\r\n", via, 320);
	add(text, "Call-ID: " CALL_ID "\r\n");
	end_invite(text, 780);
}

static void bye_with_route(struct text *text, const char *first)
{
	add(text,
		"BYE sip:alice@198.51.100.7:5060 SIP/2.0\r\nRoute: <sip:%s;lr=on;ftag=1928301774>\r\n"
		"Route: <sip:198.51.100.1;lr=on>\r\nVia: SIP/2.0/UDP 203.0.113.44:5060;branch=z9hG4bKnashds7\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:1000@example.net>;tag=a6c85cf\r\n"
		"To: \"Alice\" <sip:alice@example.net>;tag=1928301774\r\nCall-ID: " CALL_ID "\r\n"
		"CSeq: 231 BYE\r\nContent-Length: 0\r\n\r\n",
		first);
}

/* Changes the tag of the recipient into one of the same length that names a backend. */
static void put_tag(struct text *text)
{
	static const char tag[] = ";tag=1928301774\r\n";
	char *at = memmem(text->bytes, text->length, tag, strlen(tag));

	memcpy(at + 1, MESSAGE_TAG_HINT, strlen(MESSAGE_TAG_HINT));
}

static void registration(struct text *text)
{
	add(text, "REGISTER sip:example.net SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKnashds7\r\n"
		  "Max-Forwards: 70\r\nFrom: <sip:alice@example.net>;tag=456248\r\nTo: <sip:alice@example.net>\r\n"
		  "Call-ID: " CALL_ID "\r\nCSeq: 1826 REGISTER\r\nContact: <sip:alice@198.51.100.7>\r\n"
		  "Expires: 7200\r\nContent-Length: 0\r\n\r\n");
}

static void hostile(struct text *text, const char *pattern)
{
	add(text, "OPTIONS sip:1000@192.0.2.10 SIP/2.0\r\n");
	fill(text, pattern, 1400);
}

/* A pattern that begins within a header. */
static void hostile_behind(struct text *text, const char *begin, const char *pattern)
{
	add(text, "OPTIONS sip:1000@192.0.2.10 SIP/2.0\r\n%s", begin);
	fill(text, pattern, 1400);
}

static void hostile_via(struct text *text)
{
	add(text, "SIP/2.0 200 OK\r\nFrom: <sip:alice@example.net>\r\nVia: SIP/2.0/");
	fill(text, " ", 1400);
}

/* Each search for the next Route passes the largest allowed number of lines. */
static void hostile_routes(struct text *text)
{
	add(text, "OPTIONS sip:1000@192.0.2.10 SIP/2.0\r\n");
	for (int i = 0; i < 3; i++) {
		fill(text, "R\n", text->length + 80);
		add(text, "Route: <sip:192.0.2.10;lr>\n");
	}
	fill(text, "R\n", 1400);
}

static void write_text(enum message message, struct text *text)
{
	switch (message) {
	case MESSAGE_AT_128:
		return invite_at(text, 128, "Call-ID: ", 621);
	case MESSAGE_AT_512:
		return invite_at(text, 512, "Call-ID: ", 776);
	case MESSAGE_AT_776:
		return invite_at(text, 776, "Call-ID: ", 1040);
	case MESSAGE_AT_937:
		return invite_at(text, 937, "Call-ID: ", 1201);
	case MESSAGE_AT_1288:
		return invite_at(text, 1288, "Call-ID: ", 1440);
	case MESSAGE_COMPACT:
		return invite_at(text, 357, "i: ", 621);
	case MESSAGE_LAST:
		return last_header(text);
	case MESSAGE_NONE:
		return no_call_id(text);
	case MESSAGE_RESPONSE:
	case MESSAGE_RETURNED:
		return response(text, "198.51.100.7");
	case MESSAGE_VIA_NAME:
		return response(text, "px-aaaaaaaa.sip.example.net");
	case MESSAGE_VIA_ADDRESS:
		return response(text, MESSAGE_BACKEND);
	case MESSAGE_ROUTE:
		return bye_with_route(text, "192.0.2.10");
	case MESSAGE_ROUTE_ADDRESS:
		return bye_with_route(text, MESSAGE_BACKEND);
	case MESSAGE_TAG:
		bye_with_route(text, "192.0.2.10");
		return put_tag(text);
	case MESSAGE_RESPONSE_TAG:
		response(text, "198.51.100.7");
		return put_tag(text);
	case MESSAGE_REGISTER:
		return registration(text);
	case MESSAGE_NEWLINE_C:
		return hostile(text, "C\n");
	case MESSAGE_HEADER_LIKE:
		return hostile(text, "Call-Info: x\r\nCall-I: y\r\nContact: z\r\nCSeq: 1\r\nAccept: a\r\n");
	case MESSAGE_BLANKS:
		return hostile(text, "call-id         x                  \n");
	case MESSAGE_LINES:
		return hostile_behind(text, "From: <sip:alice@example.net>\r\n", "C\n");
	case MESSAGE_QUOTES:
		return hostile_behind(text, "From: \"", "\\a");
	case MESSAGE_FOLDS:
		return hostile_behind(text, "From:", "\n ");
	case MESSAGE_ESCAPES:
		return hostile_behind(text, "From: <sip:", "%41");
	case MESSAGE_VIA_BLANKS:
		return hostile_via(text);
	case MESSAGE_TAGS:
		return hostile_behind(
			text, "Call-ID: 1\r\nTo: <sip:b@example.net>;tag=1\r\nFrom: <sip:alice@example.net>", ";t");
	case MESSAGE_ROUTES:
		return hostile_routes(text);
	case MESSAGE_NEWLINES:
		return fill(text, "\r\n", 1400);
	case MESSAGE_HIGH_BYTES:
		return hostile(text, "\xc3\xa4\xc3\xb6\xc3\xbc");
	case MESSAGE_NOT_SIP:
	case MESSAGE_IPV6_NOT_SIP:
		return fill(text, "\x80\x12\x7f of no meaning to SIP ", 621);
	case MESSAGE_MEDIA:
		return fill(text, "\x80\x00\x12\x34 media of some codec ", 172);
	case MESSAGE_ECHO:
		return fill(text, "abcdefgh", 56);
	case MESSAGE_STUN:
		text->length = 20;
		memcpy(text->bytes, "\0\1\0\0\x21\x12\xa4\x42transaction!", 20);
		return;
	case MESSAGE_KEEPALIVE:
		return add(text, "\r\n\r\n");
	default:
		return invite_at(text, 357, "Call-ID: ", 621);
	}
}

void message_build(enum message message, struct frame *frame)
{
	struct text text = {};
	struct frame_spec spec = {};

	write_text(message, &text);
	spec.payload = text.bytes;
	spec.payload_length = text.length;
	if (message == MESSAGE_IPV6 || message == MESSAGE_IPV6_NOT_SIP)
		spec.destination = "2001:db8::10";
	if (message == MESSAGE_VLAN)
		spec.vlan[0] = 7;
	if (message == MESSAGE_QINQ)
		spec.vlan[0] = 100, spec.vlan[1] = 7;
	if (message == MESSAGE_FIRST_FRAGMENT)
		spec.more_fragments = true, spec.id = 4711;
	if (message == MESSAGE_LATER_FRAGMENT)
		spec.fragment_offset = 1480, spec.id = 4711;
	if (message == MESSAGE_TCP)
		spec.protocol = 6;
	if (message == MESSAGE_MEDIA)
		spec.destination_port = MESSAGE_MEDIA_PORT;
	if (message == MESSAGE_RANGED)
		spec.destination_port = MESSAGE_RANGED_PORT;
	if (message == MESSAGE_ECHO)
		spec.protocol = 1, spec.icmp_type = 8;
	if (message == MESSAGE_FROM_VIP)
		spec.source = "192.0.2.10", spec.destination = "198.51.100.7";
	if (message == MESSAGE_FROM_BACKEND || message == MESSAGE_RETURNED)
		spec.source = MESSAGE_BACKEND, spec.destination = "198.51.100.7";
	if (message == MESSAGE_OTHER_VIP)
		spec.destination = "192.0.2.200";
	if (message == MESSAGE_ARP)
		spec.ethertype = 0x0806;
	frame_build(frame, &spec);
}
