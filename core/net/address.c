// SPDX-License-Identifier: GPL-2.0
/* See address.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "address.h"

int address_parse(const char *text, struct address *out)
{
	struct address ipv4 = {.word[2] = htonl(0xffff)};

	if (inet_pton(AF_INET, text, &ipv4.word[3]) == 1) {
		*out = ipv4;
		return 0;
	}
	return inet_pton(AF_INET6, text, out) == 1 ? 0 : -EINVAL;
}

const char *address_format(const struct address *address, char text[ADDRESS_TEXT_SIZE])
{
	if (address_is_ipv4(address))
		return inet_ntop(AF_INET, &address->word[3], text, ADDRESS_TEXT_SIZE);
	return inet_ntop(AF_INET6, address, text, ADDRESS_TEXT_SIZE);
}

bool address_is_ipv4(const struct address *address)
{
	return address->word[0] == 0 && address->word[1] == 0 && address->word[2] == htonl(0xffff);
}

bool address_equal(const struct address *a, const struct address *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool ipv4_is_host(uint32_t address)
{
	if (address >> 24 == 0 || address >> 24 == 127) /* "this network" (RFC 1122) and loopback */
		return false;
	if (address >> 16 == 0xa9fe) /* 169.254.0.0/16, link-local */
		return false;
	return address >> 28 != 14 && address != 0xffffffff; /* multicast and broadcast */
}

bool address_is_host(const struct address *address)
{
	const struct in6_addr *ipv6 = (const struct in6_addr *)address;

	if (address_is_ipv4(address))
		return ipv4_is_host(ntohl(address->word[3]));
	return !IN6_IS_ADDR_UNSPECIFIED(ipv6) && !IN6_IS_ADDR_LOOPBACK(ipv6) && !IN6_IS_ADDR_MULTICAST(ipv6) &&
	       !IN6_IS_ADDR_LINKLOCAL(ipv6);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int mac_parse(const char *text, struct mac *out)
{
	struct mac mac;
	int i;

	/* The loop ends at the first character that is not a hex digit, for example the terminating NUL. */
	for (i = 0; i < 6; i++, text += 3) {
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac.byte[i] = high << 4 | low;
	}
	if (mac_is_zero(&mac) || mac.byte[0] & 1)
		return -EINVAL;
	*out = mac;
	return 0;
}

const char *mac_format(const struct mac *mac, char text[MAC_TEXT_SIZE])
{
	const __u8 *b = mac->byte;

	snprintf(text, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
	return text;
}

bool mac_is_zero(const struct mac *mac)
{
	static const struct mac zero;

	return memcmp(mac, &zero, sizeof(zero)) == 0;
}
