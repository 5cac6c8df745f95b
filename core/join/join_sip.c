// SPDX-License-Identifier: GPL-2.0
/* See join_sip.h. */
#include <stdarg.h>
#include <string.h>
#include "join_sip.h"

#define SIP_PORT 5060

/* --- Reading */

/* The headers that a response copies from the request. */
static const struct {
	const char *name, *compact;
} repeated[] = {
	{"Via", "v"},
	{"From", "f"},
	{"To", "t"},
	{"Call-ID", "i"},
	{"CSeq", NULL},
};

enum {
	REPEATED_VIA,
	REPEATED_FROM,
	REPEATED_TO,
	REPEATED_COUNT = sizeof(repeated) / sizeof(*repeated),
};

/* Returns the index of the header in this line; REPEATED_COUNT if the list does not contain it. */
static unsigned int which(struct span line, struct span *value)
{
	for (unsigned int i = 0; i < REPEATED_COUNT; i++) {
		*value = line;
		if (span_take_name(value, repeated[i].name, repeated[i].compact))
			return i;
	}
	return REPEATED_COUNT;
}

/* Reads "action=...; time=...; signature=...". The signature covers everything before the last two parameters. */
static void read_heartbeat(struct span value, struct join_request *request)
{
	struct span rest = value;

	while (rest.at < rest.end) {
		const char *start = rest.at;
		struct span part = span_take(&rest, ';'), name = span_trim(span_take(&part, '='));

		if (!span_equals(name, "time"))
			continue;
		request->text = span_trim((struct span){value.at, start > value.at ? start - 1 : start});
		request->time = span_trim(part);
		part = span_take(&rest, ';');
		name = span_trim(span_take(&part, '='));
		if (span_equals(name, "signature") && rest.at == rest.end)
			request->signature = span_trim(part);
		return;
	}
}

/* The method in "OPTIONS sip:10.0.0.2:7946 SIP/2.0"; empty if this is not the first line of a request. */
static struct span read_method(struct span line)
{
	static const struct span none;
	struct span method = span_take(&line, ' '), uri = span_take(&line, ' ');

	return uri.at < uri.end && span_equals(line, "SIP/2.0") ? method : none;
}

unsigned int join_sip_read(struct span message, struct join_request *request, const char **text)
{
	struct span line, value, method;
	unsigned int seen = 0, twice = 0, i;
	bool found = false;

	*request = (struct join_request){.is_json = false};
	span_take_line(&message, &line);
	method = read_method(line);
	if (method.at == method.end || span_equals(method, "ACK"))
		return 0;
	while (span_take_line(&message, &line) && line.at < line.end) {
		i = which(line, &value);
		if (i != REPEATED_VIA && i < REPEATED_COUNT)
			twice |= seen & 1u << i;
		seen |= 1u << i;
		if (!found && span_take_name(&line, "X-Sipxdp-Heartbeat", NULL)) {
			found = true;
			read_heartbeat(line, request);
		}
	}
	if ((seen & ((1u << REPEATED_COUNT) - 1)) != (1u << REPEATED_COUNT) - 1 || twice)
		return 0;
	*text = !span_equals(method, "OPTIONS") ? "only OPTIONS is accepted here" : "no X-Sipxdp-Heartbeat";
	return !span_equals(method, "OPTIONS") ? 405 : found ? 200 : 400;
}

/* --- Responding */

struct writer {
	char *text;
	size_t length;
};

static void put(struct writer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct writer *out, const char *format, ...)
{
	size_t room = JOIN_SIP_ANSWER_SIZE - out->length; /* the buffer is large enough: see JOIN_SIP_ANSWER_SIZE */
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(out->text + out->length, room, format, arguments);
	va_end(arguments);
	out->length += length < 0 ? 0 : (size_t)length < room ? (size_t)length : room - 1;
}

static void put_span(struct writer *out, struct span span)
{
	size_t room = JOIN_SIP_ANSWER_SIZE - out->length, length = span.end - span.at;

	memcpy(out->text + out->length, span.at, length < room ? length : room);
	out->length += length < room ? length : room;
}

/* The port in "SIP/2.0/UDP 10.0.0.14:5062", or the default port if the Via has none, as in "... [2001:db8::14]". */
static uint16_t port_of(struct span sent_by)
{
	const char *bracket = memrchr(sent_by.at, ']', sent_by.end - sent_by.at);
	const char *from = bracket ?: sent_by.at, *colon = memchr(from, ':', sent_by.end - from);
	long port = colon ? span_number(span_trim((struct span){colon + 1, sent_by.end})) : SIP_PORT;

	return port > 0 && port <= UINT16_MAX ? port : SIP_PORT;
}

/* Adds the source address and port of the request to the first Via. */
static void put_top_via(struct writer *out, struct span via, struct endpoint *peer)
{
	struct span sent_by = span_take_unquoted(&via, ';', ','), parameter, value;
	uint16_t port = port_of(sent_by);
	bool told = false;
	char text[ADDRESS_TEXT_SIZE];

	put(out, "Via: ");
	put_span(out, sent_by);
	while (via.at < via.end && *via.at == ';') {
		via.at++;
		parameter = value = span_take_unquoted(&via, ';', ',');
		if (!told && span_equals(span_trim(span_take(&value, '=')), "rport")) {
			told = true;
			port = peer->port;
			put(out, ";rport=%u", port);
		} else {
			put(out, ";");
			put_span(out, parameter);
		}
	}
	put(out, ";received=%s", address_format(&peer->address, text));
	put_span(out, via);
	put(out, "\r\n");
	peer->port = port;
}

static bool has_tag(struct span to)
{
	const char *uri = memrchr(to.at, '>', to.end - to.at);
	struct span rest = {uri ?: to.at, to.end};

	span_take(&rest, ';');
	while (rest.at < rest.end) {
		struct span value = span_take(&rest, ';');

		if (span_equals(span_trim(span_take(&value, '=')), "tag"))
			return true;
	}
	return false;
}

size_t join_sip_answer(struct span message, const struct join_answer *answer, uint64_t tag, struct endpoint *peer,
	char out[JOIN_SIP_ANSWER_SIZE])
{
	struct writer writer = {.text = out};
	struct span line, value;
	bool top = true;

	put(&writer, "SIP/2.0 %u %s\r\n", answer->status == 401 ? 403 : answer->status, answer->text);
	span_take_line(&message, &line);
	while (span_take_line(&message, &line) && line.at < line.end) {
		unsigned int i = which(line, &value);

		if (i == REPEATED_COUNT)
			continue;
		if (i == REPEATED_VIA && top) {
			put_top_via(&writer, value, peer);
			top = false;
			continue;
		}
		put_span(&writer, line);
		if (i == REPEATED_TO && !has_tag(value))
			put(&writer, ";tag=%016lx", tag);
		put(&writer, "\r\n");
	}
	put(&writer, "Allow: OPTIONS\r\nServer: sipxdp\r\nContent-Length: 0\r\n\r\n");
	return writer.length;
}
