// SPDX-License-Identifier: GPL-2.0
/* See prefix.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "prefix.h"

#define ADDRESS_BITS 128
#define MAPPED_BITS 96 /* before an IPv4 address */

/* The first bits of an address, the others 0. */
static struct address cut(const struct address *address, uint32_t bits)
{
	struct address result = *address;
	uint8_t *bytes = (uint8_t *)&result;
	uint32_t i;

	for (i = 0; i < sizeof(result); i++) {
		uint32_t left = bits > 8 * i ? bits - 8 * i : 0;

		if (left < 8)
			bytes[i] &= 0xff00 >> left;
	}
	return result;
}

/* A number of at most three digits and no leading zero. */
static int read_length(const char *text, uint32_t *out)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 3 || text[digits] || (digits > 1 && text[0] == '0'))
		return -EINVAL;
	for (*out = 0; *text; text++)
		*out = *out * 10 + (*text - '0');
	return 0;
}

int prefix_parse(const char *text, struct prefix_key *out)
{
	const char *slash = strchrnul(text, '/');
	char address[ADDRESS_TEXT_SIZE];
	struct prefix_key prefix;
	uint32_t before;

	if (slash - text >= ADDRESS_TEXT_SIZE)
		return -EINVAL;
	snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
	if (address_parse(address, &prefix.address))
		return -EINVAL;
	before = address_is_ipv4(&prefix.address) && !strchr(address, ':') ? MAPPED_BITS : 0;
	prefix.bits = ADDRESS_BITS - before;
	if (*slash && read_length(slash + 1, &prefix.bits))
		return -EINVAL;
	prefix.bits += before;
	if (prefix.bits > ADDRESS_BITS || !prefix_contains(&prefix, &prefix.address))
		return -EINVAL;
	*out = prefix;
	return 0;
}

const char *prefix_format(const struct prefix_key *prefix, char text[PREFIX_TEXT_SIZE])
{
	uint32_t before = address_is_ipv4(&prefix->address) && prefix->bits >= MAPPED_BITS ? MAPPED_BITS : 0;
	size_t length;

	address_format(&prefix->address, text);
	length = strlen(text);
	if (prefix->bits < ADDRESS_BITS)
		snprintf(text + length, PREFIX_TEXT_SIZE - length, "/%u", prefix->bits - before);
	return text;
}

bool prefix_equal(const struct prefix_key *a, const struct prefix_key *b)
{
	return a->bits == b->bits && address_equal(&a->address, &b->address);
}

bool prefix_contains(const struct prefix_key *prefix, const struct address *address)
{
	struct address network = cut(address, prefix->bits);

	return address_equal(&network, &prefix->address);
}
