// SPDX-License-Identifier: GPL-2.0
/* See request.h. */

#include <stddef.h>
#include "request.h"

/* The names of the copied headers. */
static const struct {
	const char *name, *compact;
} copied[REQUEST_HEADERS] = {
	[REQUEST_VIA] = {"Via", "v"},
	[REQUEST_FROM] = {"From", "f"},
	[REQUEST_TO] = {"To", "t"},
	[REQUEST_CALL_ID] = {"Call-ID", "i"},
	[REQUEST_CSEQ] = {"CSeq", NULL},
};

enum request_header request_header(struct span line, struct span *value)
{
	for (unsigned int i = 0; i < REQUEST_HEADERS; i++) {
		*value = line;
		if (span_take_name(value, copied[i].name, copied[i].compact))
			return i;
	}
	return REQUEST_HEADERS;
}

/* The method in "OPTIONS sip:10.0.0.2:7946 SIP/2.0"; empty if this is not the first line of a request. */
static struct span read_method(struct span line)
{
	static const struct span none;
	struct span method = span_take(&line, ' '), uri = span_take(&line, ' ');

	return !span_is_empty(uri) && span_equals(line, "SIP/2.0") ? method : none;
}

bool request_take_header(struct span *headers, struct span *line)
{
	return span_take_line(headers, line) && !span_is_empty(*line);
}

/* Stores the value of a copied header. False: the header occurs twice. */
static bool take_copied(struct sip_request *request, struct span line)
{
	struct span value;
	enum request_header header = request_header(line, &value);

	if (header == REQUEST_HEADERS || (header == REQUEST_VIA && request->values[header].at))
		return true;
	if (request->values[header].at)
		return false;
	request->values[header] = value;
	return true;
}

bool request_read(struct span message, struct sip_request *request)
{
	struct span rest, line;

	*request = (struct sip_request){.complete = false};
	while (!span_is_empty(message) && span_is_newline(*message.at)) /* RFC 3261 section 7.5 */
		message.at++;
	span_take_line(&message, &line);
	request->method = read_method(line);
	request->headers = rest = message;
	if (span_is_empty(request->method))
		return false;
	while ((request->complete = span_take_line(&rest, &line)) && !span_is_empty(line))
		if (!take_copied(request, line))
			return false;
	for (unsigned int i = 0; i < REQUEST_HEADERS; i++)
		if (!request->values[i].at)
			return false;
	return true;
}

struct span request_branch(const struct sip_request *request)
{
	struct span via = request->values[REQUEST_VIA], name, value;

	span_take_unquoted(&via, ';', ',');
	while (span_take_parameter(&via, &name, &value))
		if (span_equals(name, "branch"))
			return value;
	return (struct span){0};
}

/* Parameters of a URI in angle brackets do not belong to the header. Without angle brackets, all parameters belong to
 * the header (section 20). */
bool request_has_tag(struct span to)
{
	struct span rest = to, name, value;

	span_take_unquoted(&rest, '<', '<');
	if (!span_is_empty(rest)) {
		span_take(&rest, '>');
		to = rest;
	}
	span_take_unquoted(&to, ';', ';');
	while (span_take_parameter(&to, &name, &value))
		if (span_equals(name, "tag"))
			return true;
	return false;
}
