// SPDX-License-Identifier: GPL-2.0
/* ICMP errors of routers about tunnel packets: accepted or refused. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include "core/net/address.h"
#include "core/net/path_mtu.h"

#define IPV4_SIZE 28 /* of the ICMP header and the quoted one */
#define IPV6_SIZE 48

/* "Fragmentation needed", MTU 1400, for a packet of 1500 bytes from 10.0.0.2 to 10.0.1.11 in protocol 4. */
static const uint8_t ipv4[IPV4_SIZE] = {
	3, 4, 0, 0, 0, 0, 0x05, 0x78, 0x45, 0, 0x05, 0xdc, 0, 1, 0x40, 0, 63, 4, 0, 0, 10, 0, 0, 2, 10, 0, 1, 11};

/* "Packet too big", MTU 1400, for a packet of 1460 bytes and its header, from fd00::2 to fd00:1::11. */
static const uint8_t ipv6[IPV6_SIZE] = {2, 0, 0, 0, 0, 0, 0x05, 0x78, 0x60, 0, 0, 0, 0x05, 0xb4, 4, 63, 0xfd,
	0, [31] = 2, [32] = 0xfd, 0, 0, 1, [47] = 0x11};

static void expect_read(const uint8_t *icmp, size_t size, bool is_ipv6, const char *source, const char *destination)
{
	char text[ADDRESS_TEXT_SIZE];
	struct path_mtu word;

	cr_assert_eq(path_mtu_read(icmp, size, is_ipv6, &word), 0);
	cr_expect_str_eq(address_format(&word.source, text), source);
	cr_expect_str_eq(address_format(&word.destination, text), destination);
	cr_expect_eq(word.length, 1500);
	cr_expect_eq(word.mtu, 1400);
}

Test(path_mtu, both_families_are_read)
{
	expect_read(ipv4, sizeof(ipv4), false, "10.0.0.2", "10.0.1.11");
	expect_read(ipv6, sizeof(ipv6), true, "fd00::2", "fd00:1::11");
}

static int poked(const uint8_t *icmp, size_t size, size_t at, uint8_t value)
{
	uint8_t copy[IPV6_SIZE];
	struct path_mtu word;

	memcpy(copy, icmp, size);
	copy[at] = value;
	return path_mtu_read(copy, size, size == IPV6_SIZE, &word);
}

Test(path_mtu, impossible_values_are_refused)
{
	cr_expect_eq(poked(ipv4, IPV4_SIZE, 17, 41), 0, "IPv6 in IPv4");
	cr_expect_eq(poked(ipv6, IPV6_SIZE, 14, 41), 0, "IPv6 in IPv6");
	cr_expect_eq(poked(ipv4, IPV4_SIZE, 17, 17), 0, "GUE in IPv4");
	cr_expect_eq(poked(ipv6, IPV6_SIZE, 14, 17), 0, "GUE in IPv6");
	cr_expect_eq(poked(ipv4, IPV4_SIZE, 0, 11), -EINVAL, "a different type");
	cr_expect_eq(poked(ipv4, IPV4_SIZE, 1, 1), -EINVAL, "a different code");
	cr_expect_eq(poked(ipv4, IPV4_SIZE, 17, 6), -EINVAL, "TCP is not a tunnel");
	cr_expect_eq(poked(ipv4, IPV4_SIZE, 8, 0x65), -EINVAL, "quotes a different IP version");
	cr_expect_eq(poked(ipv4, IPV4_SIZE, 6, 0), -EINVAL, "120, less than the minimum MTU");
	cr_expect_eq(poked(ipv4, IPV4_SIZE, 6, 0x06), -EINVAL, "larger than the packet");
	cr_expect_eq(poked(ipv6, IPV6_SIZE, 0, 1), -EINVAL, "a different type");
	cr_expect_eq(poked(ipv6, IPV6_SIZE, 14, 6), -EINVAL, "TCP is not a tunnel");
	cr_expect_eq(poked(ipv6, IPV6_SIZE, 8, 0x45), -EINVAL, "quotes a different IP version");
	cr_expect_eq(poked(ipv6, IPV6_SIZE, 6, 0x04), -EINVAL, "1144, less than the minimum MTU");
	cr_expect_eq(poked(ipv6, IPV6_SIZE, 6, 0x06), -EINVAL, "larger than the packet");
	cr_expect_eq(poked(ipv6, IPV6_SIZE, 4, 1), -EINVAL, "far larger than the packet");
}

Test(path_mtu, a_truncated_message_is_refused)
{
	struct path_mtu word;

	for (size_t size = 0; size < sizeof(ipv6); size++) {
		uint8_t *copy = malloc(size ? size : 1);

		memcpy(copy, ipv6, size);
		cr_expect_eq(path_mtu_read(copy, size, true, &word), -EINVAL, "%zu bytes", size);
		if (size < sizeof(ipv4))
			cr_expect_eq(path_mtu_read(memcpy(copy, ipv4, size), size, false, &word), -EINVAL, "%zu bytes",
				size);
		free(copy);
	}
}
