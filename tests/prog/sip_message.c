// SPDX-License-Identifier: GPL-2.0

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "sip_message.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The line ends of one message. */
enum line_ends {
	CRLF,
	LF,
	MIXED,
};

struct writer {
	struct rng *rng;
	struct sip_message *message;
	enum line_ends line_ends;
};

/* Not printf(), which would take most of the time of a test with many messages. */
static void put(struct writer *w, const char *text)
{
	struct sip_message *m = w->message;
	size_t length = strnlen(text, sizeof(m->text) - 1 - m->length);

	memcpy(m->text + m->length, text, length);
	m->length += length;
	m->text[m->length] = 0;
}

static void put_line_end(struct writer *w)
{
	bool bare = w->line_ends == LF || (w->line_ends == MIXED && rng_percent(w->rng, 50));

	put(w, bare ? "\n" : "\r\n");
}

static void put_space(struct writer *w, uint32_t most)
{
	for (uint32_t left = rng_below(w->rng, most + 1); left; left--)
		put(w, rng_percent(w->rng, 70) ? " " : "\t");
}

/* A name in any case. */
static void put_name(struct writer *w, const char *name)
{
	uint32_t style = rng_below(w->rng, 5);

	for (; *name; name++) {
		char letter[] = {*name, 0};

		if (style == 0 || (style == 1 && rng_percent(w->rng, 50)))
			*letter = tolower(*letter);
		else if (style == 2 || style == 1)
			*letter = toupper(*letter);
		put(w, letter);
	}
}

/* HCOLON and the white space after it, which may contain a folded line. */
static void put_colon(struct writer *w)
{
	put_space(w, rng_percent(w->rng, 15) ? 3 : 0);
	put(w, ":");
	if (rng_percent(w->rng, 65)) {
		put(w, " ");
		return;
	}
	put_space(w, 4);
	if (rng_percent(w->rng, 25)) {
		put_line_end(w);
		put(w, rng_percent(w->rng, 50) ? " " : "\t");
		put_space(w, 3);
	}
}

/* Text that looks like a Call-ID header, but is not one. */
static const char *lure(struct rng *rng)
{
	static const char *const lures[] = {
		"Call-ID: lure@example.com",
		"i: lure@example.com",
		"\rCall-ID: lure",
		"\ri: lure",
		"\212Call-ID: lure",
		"\x8ai: lure",
		"\x8a\r\x8a",
		"sip:\"i\":Call-ID",
		"\xc3\xbc\xe2\x8a\x8a",
	};

	return lures[rng_below(rng, COUNT(lures))];
}

static void put_words(struct writer *w, uint32_t most)
{
	static const char *const words[] = {"<sip:alice@example.com>", "tag=9fxced76sl", "SIP/2.0/UDP",
		"198.51.100.7:5060", ";branch=z9hG4bK77ab", "70", "\"Alice\"", "application/sdp", "replaces", "100rel",
		",", "[2001:db8::7]", "INVITE", "sips:bob@example.net"};

	for (uint32_t left = rng_below(w->rng, most) + 1; left; left--) {
		if (rng_percent(w->rng, 4))
			put(w, lure(w->rng));
		else
			put(w, words[rng_below(w->rng, COUNT(words))]);
		if (left > 1 && rng_percent(w->rng, 4))
			put_line_end(w); /* folded */
		if (left > 1)
			put(w, " ");
	}
}

static void put_other_header(struct writer *w)
{
	static const char *const names[] = {"Via", "Via", "v", "From", "f", "To", "t", "CSeq", "Max-Forwards",
		"Contact", "m", "Content-Type", "c", "Content-Length", "l", "Subject", "s", "Supported", "k", "Allow",
		"Allow-Events", "u", "User-Agent", "Server", "Record-Route", "Route", "Require", "Authorization",
		"Accept", "Date", "Event", "o", "Expires", "Organization", "P-Asserted-Identity", "Privacy", "Reason",
		"Refer-To", "r", "Session-Expires", "x", "Timestamp", "Warning", "Call-Info", "Content-ID", "Identity",
		"In-Reply-To", "Info-Package", "Identity-Info", "Call-IDs", "Call-ID-Was", "X-Call-ID", "Call_ID",
		"Call", "ii", "Icon", "Called", "C", "Callid", "XCall-ID", "Xi"};

	put_name(w, names[rng_below(w->rng, COUNT(names))]);
	put_colon(w);
	put_words(w, 4);
	put_line_end(w);
}

static void put_call_id(struct writer *w, const char *call_id)
{
	put_name(w, rng_percent(w->rng, 30) ? "i" : "Call-ID");
	put_colon(w);
	put(w, call_id);
	put_space(w, rng_percent(w->rng, 15) ? 3 : 0);
	put_line_end(w);
}

static void put_request_line(struct writer *w)
{
	static const char *const methods[] = {"INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "INFO", "PRACK",
		"SUBSCRIBE", "NOTIFY", "UPDATE", "MESSAGE", "REFER", "PUBLISH", "X-Ask.For_A!Very%Long*Method'"};
	static const char *const uris[] = {"sip:bob@example.net", "sips:bob@example.net:5061;transport=tcp",
		"tel:+15550100", "sip:[2001:db8::10]", "sip:192.0.2.10;lr"};

	put(w, methods[rng_below(w->rng, COUNT(methods))]);
	put(w, " ");
	put(w, uris[rng_below(w->rng, COUNT(uris))]);
	put(w, " SIP/2.0");
}

static void put_status_line(struct writer *w)
{
	char line[32];

	snprintf(line, sizeof(line), "SIP/2.0 %u %s", 100 + rng_below(w->rng, 600),
		rng_percent(w->rng, 50) ? "OK" : "Call-ID: no");
	put(w, line);
}

static void put_start_line(struct writer *w)
{
	for (uint32_t left = rng_percent(w->rng, 15) ? rng_below(w->rng, 6) : 0; left; left--)
		put_line_end(w); /* RFC 3261 section 7.5 */
	if (rng_percent(w->rng, 35))
		put_status_line(w);
	else
		put_request_line(w);
	put_line_end(w);
}

static void put_body(struct writer *w)
{
	static const char *const lines[] = {"v=0", "o=- 1 1 IN IP4 198.51.100.7", "i=a session", "i: lure@example.com",
		"Call-ID: lure@example.com", "c=IN IP4 198.51.100.7", "m=audio 4000 RTP/AVP 8", "a=rtpmap:8 PCMA/8000",
		""};

	for (uint32_t left = rng_percent(w->rng, 50) ? rng_below(w->rng, 8) : 0; left; left--) {
		put(w, lines[rng_below(w->rng, COUNT(lines))]);
		put_line_end(w);
	}
}

void sip_message_write(struct rng *rng, const char *call_id, struct sip_message *message)
{
	struct writer w = {
		.rng = rng, .message = message, .line_ends = rng_percent(rng, 70) ? CRLF : 1 + rng_below(rng, 2)};
	uint32_t headers = 1 + rng_below(rng, 12), place = rng_below(rng, headers);
	bool seen = false;

	message->length = 0;
	put_start_line(&w);
	for (uint32_t i = 0; i < headers; i++) {
		if (call_id && i == place) {
			put_call_id(&w, call_id);
			seen = true;
		} else if (seen && rng_percent(rng, 5)) {
			put_call_id(&w, "another@example.com"); /* the first one counts */
		} else {
			put_other_header(&w);
		}
	}
	put_line_end(&w);
	put_body(&w);
	while (message->length < 48)
		put(&w, "a="); /* the scanner accepts no shorter SIP message */
}

static void random_text(struct rng *rng, const char *letters, size_t length, char *text)
{
	for (size_t i = 0; i < length; i++)
		text[i] = letters[rng_below(rng, strlen(letters))];
	text[length] = 0;
}

void sip_message_call_id(struct rng *rng, char call_id[SIP_CALL_ID_SIZE])
{
	/* RFC 3261 section 25.1, callid and word; bytes above 0x7f are not allowed, but real messages contain them. */
	static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				   "-.!%*_+`'~()<>:\\\"/[]?{}";
	char text[200];

	switch (rng_below(rng, 5)) {
	case 0:
		sprintf(call_id, "%u-%u@198.51.100.%u", rng_below(rng, 100000), rng_below(rng, 32768),
			rng_below(rng, 256));
		break;
	case 1:
		sprintf(call_id, "%08x-%04x-4%03x-%04x-%012lx", rng_below(rng, ~0u), rng_below(rng, 65536),
			rng_below(rng, 4096), 0x8000 | rng_below(rng, 0x4000), rng_bits(rng) >> 16);
		break;
	case 2:
		random_text(rng, word, 1 + rng_below(rng, sizeof(text) - 1), text);
		sprintf(call_id, "%s%s", text, rng_percent(rng, 50) ? "@example.com" : "");
		break;
	case 3:
		random_text(rng, "0123456789abcdef", 8 + rng_below(rng, 40), text);
		sprintf(call_id, "%s@pbx%u.example.net", text, rng_below(rng, 100));
		break;
	default:
		random_text(rng, "az\x80\x8a\x8d\xa0\xc3\xff", 1 + rng_below(rng, 40), call_id);
	}
}

static uint32_t below_length(struct rng *rng, const struct sip_message *m)
{
	return rng_below(rng, m->length ? m->length : 1);
}

static void take_out(struct sip_message *m, size_t at, size_t length)
{
	if (length > m->length - at)
		length = m->length - at;
	memmove(m->text + at, m->text + at + length, m->length - at - length);
	m->length -= length;
}

static void put_in(struct sip_message *m, size_t at, const char *bytes, size_t length)
{
	char copy[64];

	if (length > sizeof(copy) || m->length + length > sizeof(m->text))
		return;
	memcpy(copy, bytes, length); /* they may belong to the message */
	memmove(m->text + at + length, m->text + at, m->length - at);
	memcpy(m->text + at, copy, length);
	m->length += length;
}

static void spoil_once(struct rng *rng, struct sip_message *m)
{
	static const struct {
		uint8_t length;
		const char *bytes;
	} inserts[] = {
		{1, "\r"},
		{1, "\n"},
		{1, ":"},
		{1, "\0"},
		{1, "\x8a"},
		{2, "\r\n"},
		{2, "\n\n"},
		{3, "\n\r\n"},
		{3, "\ni:"},
		{2, "\ni"},
		{4, "\nI :"},
		{9, "\nCall-ID:"},
		{8, "\ncall-id"},
		{1, " "},
		{1, "\t"},
		{3, "\r\n "},
		{1, "\xff"},
	};
	uint32_t at = below_length(rng, m), size = 1 + rng_below(rng, 32), n;

	switch (rng_below(rng, 6)) {
	case 0:
		m->text[at] ^= 1 << rng_below(rng, 8);
		break;
	case 1:
		m->text[at] = rng_bits(rng);
		break;
	case 2:
		m->length = at;
		break;
	case 3:
		take_out(m, at, size);
		break;
	case 4:
		put_in(m, below_length(rng, m), m->text + at, size < m->length - at ? size : m->length - at);
		break;
	default:
		n = rng_below(rng, COUNT(inserts));
		put_in(m, at, inserts[n].bytes, inserts[n].length);
	}
}

void sip_message_spoil(struct rng *rng, struct sip_message *message)
{
	uint32_t times = 1 + rng_below(rng, 4);

	if (rng_percent(rng, 2)) {
		message->length = rng_below(rng, 400);
		for (size_t i = 0; i < message->length; i++)
			message->text[i] = rng_bits(rng);
		return;
	}
	while (times--)
		spoil_once(rng, message);
}
