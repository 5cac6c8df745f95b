// SPDX-License-Identifier: GPL-2.0
/* See span.h. */
#include <string.h>
#include <strings.h>
#include "span.h"

bool span_is_empty(struct span span)
{
	return span.at >= span.end;
}

bool span_is_newline(char c)
{
	return c == '\r' || c == '\n';
}

bool span_is_space(char c)
{
	return c == ' ' || c == '\t' || span_is_newline(c);
}

struct span span_trim(struct span span)
{
	while (span.at < span.end && span_is_space(*span.at))
		span.at++;
	while (span.at < span.end && span_is_space(span.end[-1]))
		span.end--;
	return span;
}

bool span_equals(struct span span, const char *text)
{
	size_t length = span.end - span.at;

	return length == strlen(text) && strncasecmp(span.at, text, length) == 0;
}

long span_number(struct span span)
{
	long number = 0;

	if (span.at == span.end || span.end - span.at > 9)
		return -1;
	for (; span.at < span.end; span.at++) {
		if (*span.at < '0' || *span.at > '9')
			return -1;
		number = number * 10 + (*span.at - '0');
	}
	return number;
}

struct span span_take(struct span *rest, char separator)
{
	const char *found = rest->at < rest->end ? memchr(rest->at, separator, rest->end - rest->at) : NULL;
	struct span taken = {rest->at, found ?: rest->end};

	rest->at = found ? found + 1 : rest->end;
	return taken;
}

struct span span_take_unquoted(struct span *rest, char a, char b)
{
	struct span taken = *rest;
	bool quoted = false;

	for (; rest->at < rest->end; rest->at++) {
		if (quoted && *rest->at == '\\' && rest->at + 1 < rest->end)
			rest->at++;
		else if (*rest->at == '"')
			quoted = !quoted;
		else if (!quoted && (*rest->at == a || *rest->at == b))
			break;
	}
	taken.end = rest->at;
	return taken;
}

bool span_take_parameter(struct span *rest, struct span *name, struct span *value)
{
	if (rest->at >= rest->end || *rest->at != ';')
		return false;
	rest->at++;
	*value = span_take_unquoted(rest, ';', ',');
	*name = span_trim(span_take(value, '='));
	*value = span_trim(*value);
	return true;
}

bool span_take_line(struct span *rest, struct span *line)
{
	const char *start = rest->at;
	bool ended = false;

	while (rest->at < rest->end && !ended) {
		ended = *rest->at++ == '\n';
		if (ended && !span_is_newline(*start) && rest->at < rest->end &&
			(*rest->at == ' ' || *rest->at == '\t'))
			ended = false;
	}
	*line = span_trim((struct span){start, rest->at});
	return ended;
}

bool span_take_name(struct span *line, const char *name, const char *compact)
{
	struct span value = *line, found = span_trim(span_take(&value, ':'));

	if (!span_equals(found, name) && !(compact && span_equals(found, compact)))
		return false;
	*line = span_trim(value);
	return true;
}
