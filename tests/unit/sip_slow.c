// SPDX-License-Identifier: GPL-2.0

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "sip_slow.h"

bool slow_is_space(char c)
{
	return (uint8_t)c <= ' ';
}

bool slow_is_blank(char c)
{
	return slow_is_space(c) && c != '\r' && c != '\n';
}

/* The offset of the first line; `length` if the message is not SIP. */
static size_t start_line(const char *text, size_t length)
{
	size_t at = 0, end;

	while (at < length && slow_is_space(text[at]))
		at++;
	for (end = at; end < length && !slow_is_space(text[end]); end++) {
		if ((uint8_t)text[end] > 0x7f)
			return length;
	}
	return end < length && text[end] == ' ' && end - at < SIP_METHOD_WORDS * 8 ? at : length;
}

/* The offset of the colon after the name, if the line at `at` begins with the name; else 0. */
static size_t colon_of(const char *text, size_t length, size_t at, const char *name)
{
	if (!name || length - at < strlen(name) || strncasecmp(text + at, name, strlen(name)) != 0)
		return 0;
	at += strlen(name);
	while (at < length && slow_is_blank(text[at]))
		at++;
	return at < length && text[at] == ':' ? at : 0;
}

enum sip_result slow_header(const char *text, size_t length, const char *name, const char *letter, size_t *colon)
{
	size_t at = start_line(text, length);

	if (at == length || length < SIP_MINIMUM)
		return SIP_NOT_SIP;
	for (;;) {
		const char *newline = memchr(text + at, '\n', length - at);

		if (!newline || newline + 1 == text + length)
			return SIP_TOO_FAR;
		at = newline + 1 - text;
		if (text[at] == '\r' || text[at] == '\n')
			return SIP_NOT_THERE;
		*colon = colon_of(text, length, at, name);
		if (!*colon)
			*colon = colon_of(text, length, at, letter);
		if (*colon)
			return SIP_FOUND;
	}
}

/* A copy of the value of a header, unfolded and NUL-terminated. *cut: the text ends within the value. */
static char *unfold(const char *text, size_t length, size_t at, bool *cut)
{
	char *line = calloc(1, length + 1), *end = line;

	for (; at < length; at++) {
		if (text[at] != '\n') {
			*end++ = text[at] ? text[at] : 1;
			continue;
		}
		if (at + 1 == length)
			break;
		*cut = false;
		if (text[at + 1] != ' ' && text[at + 1] != '\t')
			return line;
	}
	*cut = true;
	return line;
}

/* The position after the quoted string at `p`; the end of the value if it is not closed. */
static const char *skip_quoted(const char *p)
{
	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
	}
	return *p ? p + 1 : p;
}

static const char *skip_brackets(const char *p)
{
	const char *end = strchr(p, '>');

	return end ? end + 1 : p + strlen(p);
}

static const char *skip_space(const char *p)
{
	while (*p && slow_is_space(*p))
		p++;
	return p;
}

static bool is_tag(const char *p)
{
	p = skip_space(p);
	return strncasecmp(p, "tag", 3) == 0 && *skip_space(p + 3) == '=';
}

static bool has_tag(const char *p)
{
	while (*p) {
		if (*p == '"')
			p = skip_quoted(p);
		else if (*p == '<')
			p = skip_brackets(p);
		else if (*p++ == ';' && is_tag(p))
			return true;
	}
	return false;
}

enum sip_result slow_tag(const char *text, size_t length, size_t colon)
{
	bool cut, found;
	char *value = unfold(text, length, colon + 1, &cut);

	found = has_tag(value);
	free(value);
	if (found)
		return SIP_FOUND;
	return cut ? SIP_TOO_FAR : SIP_NOT_THERE;
}
