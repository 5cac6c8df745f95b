// SPDX-License-Identifier: GPL-2.0
/* See host.h. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/net/address.h"
#include "host.h"

#define NAME_LENGTH_MAX 253 /* characters (RFC 1035, section 2.3.4) */
#define LABEL_LENGTH_MAX 63

static bool label_is_valid(const char *label, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++) {
		if (!isalnum((unsigned char)label[i]) && label[i] != '-')
			return false;
	}
	return length > 0 && length <= LABEL_LENGTH_MAX && label[0] != '-' && label[length - 1] != '-';
}

bool host_name_is_valid(const char *name)
{
	const char *label = name;
	size_t length = strcspn(label, ".");

	if (strlen(name) > NAME_LENGTH_MAX)
		return false;
	for (; label[length]; label += length + 1, length = strcspn(label, ".")) {
		if (!label_is_valid(label, length))
			return false;
	}
	return label_is_valid(label, length) && isalpha((unsigned char)label[0]);
}

/* Reads ":5060" or an empty text. */
static int parse_port(const char *text, uint16_t *out)
{
	size_t digits;
	unsigned long port;

	*out = 0;
	if (*text == '\0')
		return 0;
	if (*text++ != ':')
		return -EINVAL;
	digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 5 || text[digits] || text[0] == '0')
		return -EINVAL;
	port = strtoul(text, NULL, 10);
	*out = port;
	return port <= 65535 ? 0 : -EINVAL;
}

int host_parse(const char *text, char host[HOST_SIZE], uint16_t *port)
{
	bool brackets = text[0] == '[', is_address;
	const char *from = text + brackets;
	size_t length = strcspn(from, brackets ? "]" : ":"), i;
	char lower[HOST_SIZE] = "";
	struct address address;

	if (length >= HOST_SIZE || (brackets && from[length] != ']') || parse_port(from + length + brackets, port))
		return -EINVAL;
	for (i = 0; i < length; i++)
		lower[i] = tolower((unsigned char)from[i]);
	is_address = address_parse(lower, &address) == 0;
	if (brackets ? !is_address || address_is_ipv4(&address) : !is_address && !host_name_is_valid(lower))
		return -EINVAL;
	if (is_address)
		address_format(&address, host);
	else
		memcpy(host, lower, length + 1);
	return 0;
}

#define TAG "tag="
#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyz0123456789"
#define TAG_SEPARATORS "-._"
#define PARAMETER_CHARACTERS LETTERS_AND_DIGITS "-._"

/* Is the name of this length that of a parameter in RFC 3261? */
static bool is_standard(const char *name, size_t length)
{
	static const char *const names[] = {"transport", "user", "method", "ttl", "maddr", "lr", "branch", "received"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i]) == length && !memcmp(names[i], name, length))
			return true;
	return false;
}

static int parse_parameter(const char *text)
{
	size_t name = strspn(text + 1, PARAMETER_CHARACTERS), value;

	if (!name || text[1 + name] != '=' || is_standard(text + 1, name))
		return -EINVAL;
	value = strspn(text + 2 + name, PARAMETER_CHARACTERS);
	return value && !text[2 + name + value] ? 0 : -EINVAL;
}

static int parse_tag(const char *text)
{
	const char *prefix = text + strlen(TAG);
	size_t length = strspn(prefix, LETTERS_AND_DIGITS);

	return length && prefix[length] && strchr(TAG_SEPARATORS, prefix[length]) && !prefix[length + 1] ? 0 : -EINVAL;
}

enum hint_kind hint_kind(const char *hint)
{
	if (*hint == ';')
		return HINT_PARAMETER;
	return strstr(hint, TAG) == hint ? HINT_TAG : HINT_HOST;
}

int hint_parse(const char *text, char hint[HOST_SIZE], uint16_t *port)
{
	char lower[HOST_SIZE] = "";
	size_t length = strlen(text);
	enum hint_kind kind;

	*port = 0;
	for (size_t i = 0; i < length && i < HOST_SIZE - 1; i++)
		lower[i] = tolower((unsigned char)text[i]);
	kind = hint_kind(lower);
	if (kind == HINT_HOST)
		return host_parse(text, hint, port);
	if (length >= HOST_SIZE || (kind == HINT_TAG ? parse_tag(lower) : parse_parameter(lower)))
		return -EINVAL;
	memcpy(hint, lower, length + 1);
	return 0;
}
