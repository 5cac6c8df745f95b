// SPDX-License-Identifier: GPL-2.0
/* See path_mtu.h. */

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include "path_mtu.h"

#define ICMP_SIZE 8

/* UDP may be GUE. The port is not tested: a path that is too small for a UDP packet of this length is also too small
 * for a tunnel packet. */
static bool may_be_tunnel(uint8_t protocol)
{
	return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6 || protocol == IPPROTO_UDP;
}

static struct address from_ipv4(__be32 address)
{
	return (struct address){.word = {0, 0, htonl(0xffff), address}};
}

static int read_ipv4(const uint8_t *icmp, size_t size, struct path_mtu *out)
{
	uint16_t mtu;
	struct iphdr ip;

	if (size < ICMP_SIZE + sizeof(ip) || icmp[0] != ICMP_DEST_UNREACH || icmp[1] != ICMP_FRAG_NEEDED)
		return -EINVAL;
	memcpy(&mtu, icmp + 6, sizeof(mtu));
	memcpy(&ip, icmp + ICMP_SIZE, sizeof(ip));
	if (ip.version != 4 || !may_be_tunnel(ip.protocol))
		return -EINVAL;
	*out = (struct path_mtu){from_ipv4(ip.saddr), from_ipv4(ip.daddr), ntohs(ip.tot_len), ntohs(mtu)};
	return out->mtu >= PATH_MTU_LEAST_IPV4 && out->mtu < out->length ? 0 : -EINVAL;
}

static int read_ipv6(const uint8_t *icmp, size_t size, struct path_mtu *out)
{
	struct ipv6hdr ip;
	uint32_t mtu;

	if (size < ICMP_SIZE + sizeof(ip) || icmp[0] != ICMPV6_PKT_TOOBIG)
		return -EINVAL;
	memcpy(&mtu, icmp + 4, sizeof(mtu));
	memcpy(&ip, icmp + ICMP_SIZE, sizeof(ip));
	if (ip.version != 6 || !may_be_tunnel(ip.nexthdr))
		return -EINVAL;
	*out = (struct path_mtu){.length = ntohs(ip.payload_len) + sizeof(ip), .mtu = ntohl(mtu)};
	memcpy(&out->source, &ip.saddr, sizeof(out->source));
	memcpy(&out->destination, &ip.daddr, sizeof(out->destination));
	return out->mtu >= PATH_MTU_LEAST_IPV6 && out->mtu < out->length ? 0 : -EINVAL;
}

int path_mtu_read(const uint8_t *icmp, size_t size, bool ipv6, struct path_mtu *out)
{
	return ipv6 ? read_ipv6(icmp, size, out) : read_ipv4(icmp, size, out);
}
