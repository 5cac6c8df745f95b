/* SPDX-License-Identifier: GPL-2.0 */
/* Functions for probe packets: find the socket that sent a packet, write the outer header for a tunnel, and find the
 * socket that a frame is for. No I/O. */
#pragma once

#include <stddef.h>
#include "bpf/abi.h"

/* Identifies the socket of a probe. Has no padding, because keys are compared as bytes. */
struct probe_key {
	struct address source; /* of its requests: the destination of replies */
	__be16 port;           /* the identifier of an echo request */
	uint16_t protocol;     /* IPPROTO_UDP, _TCP, _ICMP, _ICMPV6 */
};

/* Finds the socket that sent an IP packet. 0, or -EINVAL if no probe socket sends such a packet (a fragment, a
 * different protocol, neighbour discovery). */
int probe_packet_key(const void *packet, size_t length, struct probe_key *out);

/* Writes the outer headers for a packet in the tunnel to a backend, as the packet path does (bpf/tunnel.h). The packet
 * must be complete. `out` must have an alignment of 4. Returns the size of the outer headers in bytes. */
#define PROBE_OUTER_SIZE 48
size_t probe_packet_outer(
	const void *packet, size_t size, const struct backend *backend, uint8_t out[PROBE_OUTER_SIZE]);

/* Finds the socket that a reply is for: UDP, TCP, an echo reply, or an ICMP error about any of them. Returns the offset
 * of the IP packet in the frame, or 0 if the frame is no such reply. */
size_t probe_packet_reply(const void *frame, size_t length, struct probe_key *out);
