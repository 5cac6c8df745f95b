/* SPDX-License-Identifier: GPL-2.0 */
/* What a router on the way to a backend says of a tunnel's packet that is too large for its next link:
 * "fragmentation needed" of ICMP (RFC 1191, section 4) or "packet too big" of ICMPv6 (RFC 4443, section
 * 3.2), which go to the address that the tunnel begins at (RFC 2003, section 5.1; RFC 2473, section 7.1).
 * Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "bpf/abi.h"

#define PATH_MTU_LEAST_IPV4 576  /* what every host takes (RFC 791): less is an attempt to make us useless */
#define PATH_MTU_LEAST_IPV6 1280 /* RFC 8200, section 5 */

struct path_mtu {
	struct address source; /* of the tunnel, as the quoted outer header has it */
	struct address destination;
	uint32_t length; /* of the packet that was too large, bytes from its outer IP header on */
	uint32_t mtu;    /* likewise, of what would fit; less than `length` */
};

/* Reads an ICMP message from its first byte on. 0; -EINVAL for one that is cut short, about something
 * else than a tunnel's packet, or that makes no sense. */
int path_mtu_read(const uint8_t *icmp, size_t size, bool ipv6, struct path_mtu *out);
