// SPDX-License-Identifier: GPL-2.0
/* Messages like those of a real farm: methods and responses in the proportions of calls and registrations, header
 * orders of several vendors, Call-IDs of many forms. The offset of the Call-ID follows public test sets: median near
 * byte 185, 5 % beyond byte 343. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "messages.h"

#define SIZE 1400

struct writer {
	char text[SIZE];
	size_t length;
	uint64_t random;
};

static uint32_t pick(struct writer *w, uint32_t below)
{
	w->random = w->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (w->random >> 33) % below;
}

static void put(struct writer *w, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	w->length += vsnprintf(w->text + w->length, SIZE - w->length, format, arguments);
	va_end(arguments);
}

static const char *const users[] = {"alice", "bob", "1000", "+4930123456", "carol.long-name", "7", "reception"};
static const char *const hosts[] = {"example.net", "sip.example.org", "198.51.100.23", "pbx7.branch.example.com"};

#define ANY(w, list) (list)[pick(w, sizeof(list) / sizeof(*(list)))]

static void call_id(struct writer *w)
{
	put(w, "%s: ", pick(w, 20) ? "Call-ID" : "i");
	switch (pick(w, 5)) {
	case 0:
		put(w, "%08x-%04x-4%03x-9%03x-%08x%04x", pick(w, 1u << 31), pick(w, 65536), pick(w, 4096),
			pick(w, 4096), pick(w, 1u << 31), pick(w, 65536));
		break;
	case 1:
		put(w, "%08x%08x@198.51.100.%u", pick(w, 1u << 31), pick(w, 1u << 31), pick(w, 256));
		break;
	case 2:
		put(w, "%u-%u@203.0.113.%u", 1 + pick(w, 9999), 1000 + pick(w, 30000), pick(w, 256));
		break;
	case 3:
		put(w, "%u%u%u", 100000 + pick(w, 900000), 100000 + pick(w, 900000), pick(w, 1000));
		break;
	default:
		put(w, "%08x%08x%08x%08x@%s", pick(w, 1u << 31), pick(w, 1u << 31), pick(w, 1u << 31),
			pick(w, 1u << 31), ANY(w, hosts));
	}
	put(w, "\r\n");
}

static void via(struct writer *w)
{
	put(w, "Via: SIP/2.0/UDP %s", ANY(w, hosts));
	if (pick(w, 2))
		put(w, ":%u", 1024 + pick(w, 60000));
	put(w, ";branch=z9hG4bK%08x%s%s\r\n", pick(w, 1u << 31), pick(w, 3) ? "" : ".0.1", pick(w, 2) ? ";rport" : "");
}

static void party(struct writer *w, const char *name, bool tag)
{
	put(w, "%s: ", name);
	if (pick(w, 3) == 0)
		put(w, "\"%s\" ", ANY(w, users));
	put(w, "<sip:%s@%s>", ANY(w, users), ANY(w, hosts));
	if (tag)
		put(w, ";tag=%x", pick(w, 1u << 31));
	put(w, "\r\n");
}

/* Writes one of the headers that may be at any position. */
static void other(struct writer *w)
{
	switch (pick(w, 7)) {
	case 0:
		return put(w, "User-Agent: Example/%u.%u\r\n", pick(w, 9), pick(w, 99));
	case 1:
		return put(w, "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, REFER\r\n");
	case 2:
		return put(w, "Contact: <sip:%s@198.51.100.%u:%u>\r\n", ANY(w, users), pick(w, 256), pick(w, 65536));
	case 3:
		return put(w, "Supported: replaces, timer\r\n");
	case 4:
		return put(w, "Record-Route: <sip:198.51.100.%u;lr=on;ftag=%x>\r\n", pick(w, 256), pick(w, 1u << 31));
	case 5:
		return put(w, "Accept: application/sdp\r\n");
	default:
		return put(w, "Max-Forwards: %u\r\n", 60 + pick(w, 11));
	}
}

static const char *start_line(struct writer *w)
{
	static const char *const methods[] = {"INVITE", "INVITE", "ACK", "BYE", "REGISTER", "REGISTER", "OPTIONS",
		"SUBSCRIBE", "NOTIFY", "CANCEL", "MESSAGE"};
	static const char *const statuses[] = {"100 Trying", "180 Ringing", "200 OK", "200 OK", "401 Unauthorized",
		"404 Not Found", "486 Busy Here", "487 Request Terminated"};
	const char *method = ANY(w, methods);

	if (pick(w, 5) < 2)
		put(w, "SIP/2.0 %s\r\n", ANY(w, statuses));
	else
		put(w, "%s sip:%s@%s SIP/2.0\r\n", method, ANY(w, users), ANY(w, hosts));
	return method;
}

static void body(struct writer *w, const char *method)
{
	if (strcmp(method, "INVITE") != 0 || pick(w, 4) == 0) {
		put(w, "Content-Length: 0\r\n\r\n");
		return;
	}
	put(w,
		"Content-Type: application/sdp\r\n\r\nv=0\r\no=- %u %u IN IP4 198.51.100.%u\r\ns=-\r\n"
		"c=IN IP4 198.51.100.%u\r\nt=0 0\r\nm=audio %u RTP/AVP 8 0 101\r\n",
		pick(w, 99999), pick(w, 99999), pick(w, 256), pick(w, 256), 10000 + pick(w, 20000));
	for (uint32_t i = pick(w, 8); i > 0; i--)
		put(w, "a=rtpmap:%u telephone-event/8000\r\n", 96 + i);
}

/* Via headers first, as in most messages; the rest in any order. */
static void headers(struct writer *w, const char *method)
{
	uint32_t left = 0xf, others = pick(w, 4);

	via(w);
	if (pick(w, 3) == 0)
		via(w);
	while (left) {
		uint32_t next = pick(w, 6);

		if (next >= 4 && others) {
			others--;
			other(w);
			continue;
		}
		next &= 3;
		if (!(left & 1u << next))
			continue;
		left &= ~(1u << next);
		if (next == 0)
			party(w, "From", true);
		else if (next == 1)
			party(w, "To", pick(w, 2));
		else if (next == 2)
			call_id(w);
		else
			put(w, "CSeq: %u %s\r\n", 1 + pick(w, 9999), method);
	}
	while (others--)
		other(w);
}

void message_build_corpus(uint32_t nth, struct frame *frame)
{
	struct writer w = {.random = 0x5851f42d4c957f2dULL * (nth + 1)};
	char source[32];
	const char *method;

	method = start_line(&w);
	headers(&w, method);
	body(&w, method);
	snprintf(source, sizeof(source), "198.51.%u.%u", nth / 256, nth % 256);
	frame_build(frame, &(struct frame_spec){.source = source,
				   .source_port = 1024 + pick(&w, 60000),
				   .payload = w.text,
				   .payload_length = w.length});
}
