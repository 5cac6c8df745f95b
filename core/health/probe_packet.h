/* SPDX-License-Identifier: GPL-2.0 */
/* The packets of probes: whose one is that goes out, what comes before it in a tunnel, and
 * where in a frame an answer begins. Pure. */
#pragma once

#include <stddef.h>
#include "bpf/abi.h"

/* What tells the sockets of probes apart. No padding: compared as bytes. */
struct probe_key {
	struct address source;
	__be16 port;       /* of an echo request its identifier */
	uint16_t protocol; /* IPPROTO_UDP, _TCP, _ICMP, _ICMPV6 */
};

/* Whose an IP packet is that goes out. 0, or -EINVAL for a packet that no such socket
 * sends: a fragment, another protocol, what a kernel says to its neighbours. */
int probe_packet_key(const void *packet, size_t length, struct probe_key *out);

/* Writes the header that goes before a packet into a tunnel: IPv4 or IPv6 as the
 * tunnel's addresses are, TTL 64, the rest as in the packet's own header (RFC 2003
 * section 3.1, RFC 2473 section 5.1). The packet must have a whole header. Returns the
 * header's size, in bytes. */
#define PROBE_OUTER_SIZE 40
size_t probe_packet_outer(const void *packet, const struct address *source, const struct address *destination,
	uint8_t out[PROBE_OUTER_SIZE]);

/* The offset of the IP packet in an Ethernet frame, VLAN tags allowed for; 0: there is none. */
size_t probe_packet_offset(const void *frame, size_t length);
