/* SPDX-License-Identifier: GPL-2.0 */
/* The path MTU of a tunnel. A router drops a tunnel packet that is too large for its next link, and sends ICMP
 * "fragmentation needed" (RFC 1191, section 4) or ICMPv6 "packet too big" (RFC 4443, section 3.2) to the source
 * address of the tunnel (RFC 2003, section 5.1; RFC 2473, section 7.1). This file parses these messages. No I/O. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "bpf/abi.h"

#define PATH_MTU_LEAST_IPV4 576  /* every host accepts this size (RFC 791); a smaller value is treated as an attack */
#define PATH_MTU_LEAST_IPV6 1280 /* RFC 8200, section 5 */

struct path_mtu {
	struct address source; /* source address of the tunnel, from the quoted outer header */
	struct address destination;
	uint32_t length; /* bytes of the packet that was too large, with its outer IP header */
	uint32_t mtu;    /* bytes of a packet that would fit; less than `length` */
};

/* Reads an ICMP message. 0, or -EINVAL if the message is truncated, is not about a tunnel packet, or
 * has an impossible MTU. */
int path_mtu_read(const uint8_t *icmp, size_t size, bool ipv6, struct path_mtu *out);
