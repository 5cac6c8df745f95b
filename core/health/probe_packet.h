/* SPDX-License-Identifier: GPL-2.0 */
/* Functions for probe packets: find the socket that sent a packet, write the outer header for a tunnel, and find the
 * IP packet in a frame. No I/O. */
#pragma once

#include <stddef.h>
#include "bpf/abi.h"

/* Identifies the socket of a probe. Has no padding, because keys are compared as bytes. */
struct probe_key {
	struct address source;
	__be16 port;       /* the identifier of an echo request */
	uint16_t protocol; /* IPPROTO_UDP, _TCP, _ICMP, _ICMPV6 */
};

/* Finds the socket that sent an IP packet. 0, or -EINVAL if no probe socket sends such a packet (a fragment, a
 * different protocol, neighbour discovery). */
int probe_packet_key(const void *packet, size_t length, struct probe_key *out);

/* Writes the outer header for a packet in a tunnel: IPv4 or IPv6, depending on the tunnel's addresses, with TTL 64
 * and all other fields from the inner header (RFC 2003 section 3.1, RFC 2473 section 5.1). The packet must have a
 * complete header. Returns the size of the outer header in bytes. */
#define PROBE_OUTER_SIZE 40
size_t probe_packet_outer(const void *packet, const struct address *source, const struct address *destination,
	uint8_t out[PROBE_OUTER_SIZE]);

/* The offset of the IP packet in an Ethernet frame with or without VLAN tags; 0: there is none. */
size_t probe_packet_offset(const void *frame, size_t length);
