// SPDX-License-Identifier: GPL-2.0
/* See prefix.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "prefix.h"

struct prefix_key prefix_of(const struct address *address, uint32_t bits)
{
	struct prefix_key prefix = {.bits = bits, .address = *address};
	uint8_t *bytes = (uint8_t *)&prefix.address;

	for (uint32_t i = 0; i < sizeof(prefix.address); i++) {
		uint32_t left = bits > 8 * i ? bits - 8 * i : 0;

		if (left < 8)
			bytes[i] &= 0xff00 >> left;
	}
	return prefix;
}

/* Reads a number of at most three digits without a leading zero. */
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
	before = address_is_ipv4(&prefix.address) && !strchr(address, ':') ? PREFIX_MAPPED : 0;
	prefix.bits = PREFIX_BITS - before;
	if (*slash && read_length(slash + 1, &prefix.bits))
		return -EINVAL;
	prefix.bits += before;
	if (prefix.bits > PREFIX_BITS || !prefix_contains(&prefix, &prefix.address))
		return -EINVAL;
	*out = prefix;
	return 0;
}

const char *prefix_format(const struct prefix_key *prefix, char text[PREFIX_TEXT_SIZE])
{
	uint32_t before = prefix_is_ipv4(prefix) ? PREFIX_MAPPED : 0;
	size_t length;

	address_format(&prefix->address, text);
	length = strlen(text);
	if (prefix->bits < PREFIX_BITS)
		snprintf(text + length, PREFIX_TEXT_SIZE - length, "/%u", prefix->bits - before);
	return text;
}

bool prefix_equal(const struct prefix_key *a, const struct prefix_key *b)
{
	return a->bits == b->bits && address_equal(&a->address, &b->address);
}

bool prefix_contains(const struct prefix_key *prefix, const struct address *address)
{
	struct prefix_key network = prefix_of(address, prefix->bits);

	return address_equal(&network.address, &prefix->address);
}

struct prefix_key prefix_all_ipv4(void)
{
	return (struct prefix_key){.bits = PREFIX_MAPPED, .address = {.word[2] = htonl(0xffff)}};
}

bool prefix_is_ipv4(const struct prefix_key *prefix)
{
	return address_is_ipv4(&prefix->address) && prefix->bits >= PREFIX_MAPPED;
}

bool prefix_spans_families(const struct prefix_key *prefix)
{
	const struct prefix_key ipv4 = prefix_all_ipv4();

	return prefix->bits < PREFIX_MAPPED && prefix_contains(prefix, &ipv4.address);
}
