// SPDX-License-Identifier: GPL-2.0
/* See message.h. */
#include <errno.h>
#include <stdio.h>
#include "message.h"

#define SIP_VERSION "SIP/2.0"

static bool is_token(struct span word)
{
	for (const char *c = word.at; c < word.end; c++)
		if (*c <= ' ' || *c >= 0x7f)
			return false;
	return word.at < word.end;
}

/* Returns the method from the value of a CSeq header, such as "314159 INVITE". */
static struct span cseq_method(struct span value)
{
	span_take(&value, ' ');
	return span_trim(value);
}

static void set_name(struct message *message, struct span first, struct span method)
{
	if (!is_token(method))
		method = (struct span){0};
	snprintf(message->name, sizeof(message->name), "%.*s%s%.*s", (int)(first.end - first.at), first.at,
		method.at < method.end ? "/" : "", (int)(method.end - method.at), method.at);
}

/* Reads "INVITE sip:... SIP/2.0" or "SIP/2.0 200 OK". `code` is empty for a request. */
static int read_start_line(struct span line, struct span *method, struct span *code)
{
	struct span first = span_take(&line, ' ');

	*code = (struct span){0};
	*method = first;
	if (!is_token(first))
		return -EINVAL;
	if (span_equals(first, SIP_VERSION)) {
		*code = span_take(&line, ' ');
		return span_number(*code) >= 100 && span_number(*code) <= 699 ? 0 : -EINVAL;
	}
	span_take(&line, ' ');
	return span_equals(span_trim(line), SIP_VERSION) ? 0 : -EINVAL;
}

int message_read(const char *text, size_t length, struct message *out)
{
	struct span rest = {text, text + length}, line, method, code, cseq = {0};
	bool complete;

	*out = (struct message){0};
	while (rest.at < rest.end && span_is_newline(*rest.at)) /* RFC 3261 section 7.5 */
		rest.at++;
	if (!span_take_line(&rest, &line) || read_start_line(span_trim(line), &method, &code))
		return -EINVAL;
	do {
		complete = span_take_line(&rest, &line);
		if (span_trim(line).at == span_trim(line).end)
			break; /* the end of the headers */
		if (!out->call_id.at && span_take_name(&line, "Call-ID", "i"))
			out->call_id = span_trim(line);
		else if (!cseq.at && span_take_name(&line, "CSeq", NULL))
			cseq = cseq_method(span_trim(line));
	} while (complete);
	if (code.at)
		set_name(out, code, cseq);
	else
		set_name(out, method, (struct span){0});
	return 0;
}
