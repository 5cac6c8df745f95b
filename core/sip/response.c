// SPDX-License-Identifier: GPL-2.0
/* See response.h. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/net/address.h"
#include "response.h"

#define SIP_PORT 5060

struct text {
	char *at, *end;
	bool full; /* something did not fit */
};

static void put_bytes(struct text *text, const char *bytes, size_t length)
{
	if (length > (size_t)(text->end - text->at)) {
		text->full = true;
		return;
	}
	memcpy(text->at, bytes, length);
	text->at += length;
}

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
	size_t room = text->end - text->at;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text->at, room, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= room) /* the closing NUL needs a byte, too */
		text->full = true;
	else
		text->at += length;
}

/* Writes a header, or a part of one, in one line: each fold becomes a space (section 7.3.1). */
static void put_span(struct text *text, struct span span)
{
	while (!span_is_empty(span)) {
		const char *start = span.at;

		while (!span_is_empty(span) && !span_is_newline(*span.at))
			span.at++;
		put_bytes(text, start, span.at - start);
		if (span_is_empty(span))
			return;
		put_bytes(text, " ", 1);
		while (!span_is_empty(span) && span_is_space(*span.at))
			span.at++;
	}
}

/* The port in "SIP/2.0/UDP 10.0.0.14:5062", or the default port if the Via has none, as in "... [2001:db8::14]". */
static uint16_t port_of(struct span sent_by)
{
	const char *bracket = memrchr(sent_by.at, ']', sent_by.end - sent_by.at);
	const char *from = bracket ?: sent_by.at, *colon = memchr(from, ':', sent_by.end - from);
	long port = colon ? span_number(span_trim((struct span){colon + 1, sent_by.end})) : SIP_PORT;

	return port > 0 && port <= UINT16_MAX ? port : SIP_PORT;
}

/* Writes the topmost Via with the source of the request in `received` and `rport`, and sets the port of the peer. A
 * value of these parameters in the request is removed. */
static void put_topmost_via(struct text *text, struct span via, struct endpoint *peer)
{
	struct span sent_by = span_take_unquoted(&via, ';', ','), name, value;
	uint16_t port = port_of(sent_by), source_port = peer->port;
	char address[ADDRESS_TEXT_SIZE];
	const char *parameter = via.at;

	put_span(text, sent_by);
	for (; span_take_parameter(&via, &name, &value); parameter = via.at) {
		if (span_equals(name, "rport")) {
			port = source_port;
			put(text, ";rport=%u", port);
		} else if (!span_equals(name, "received")) {
			put_span(text, (struct span){parameter, via.at});
		}
	}
	put(text, ";received=%s", address_format(&peer->address, address));
	put_span(text, via);
	peer->port = port;
}

static void put_header(
	struct text *text, const struct sip_request *request, struct span line, uint64_t tag, struct endpoint *peer)
{
	struct span value;
	enum request_header header = request_header(line, &value);

	if (header == REQUEST_HEADERS)
		return;
	if (value.at == request->values[REQUEST_VIA].at) {
		put_span(text, (struct span){line.at, value.at});
		put_topmost_via(text, value, peer);
	} else {
		put_span(text, line);
	}
	if (header == REQUEST_TO && !request_has_tag(value))
		put(text, ";tag=%016lx", tag);
	put_bytes(text, "\r\n", 2);
}

size_t response_write(const struct sip_request *request, const struct response *response, struct endpoint *peer,
	char *out, size_t size)
{
	struct text text = {.at = out, .end = out + size};
	struct span rest = request->headers, line;

	put(&text, "SIP/2.0 %u %s\r\n", response->status, response->reason);
	while (request_take_header(&rest, &line))
		put_header(&text, request, line, response->tag, peer);
	put(&text, "%sContent-Length: 0\r\n\r\n", response->headers);
	return text.full ? 0 : text.at - out;
}
