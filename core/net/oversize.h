/* SPDX-License-Identifier: GPL-2.0 */
/* Handles packets that exceed the MTU of the route to the backend; the XDP program punts them (struct punt). Builds
 * the fragments, or the ICMP error that reports the MTU to the sender. Input and output are frames. No I/O. */
#pragma once

#include "bpf/abi_punt.h"

/* May a router fragment the packet? False if Don't Fragment is set, and for IPv6. */
bool oversize_may_fragment(const struct punt *punt);

/* A packet during its fragmentation (RFC 791, section 3.2). Offsets are in the frame. */
struct oversize_fragments {
	const struct punt *punt;
	uint32_t ip;    /* offset of the IP header */
	uint32_t start; /* offset of the IP payload */
	uint32_t at;    /* offset of the next fragment's payload */
	uint32_t end;   /* offset of the first byte after the IP payload */
	uint32_t step;  /* payload bytes of each fragment except the last, a multiple of 8 */
	uint32_t most;  /* maximum payload bytes of the last fragment */
};

/* Starts the fragmentation. `punt` must stay valid until the last fragment. 0, or -EINVAL if no router may fragment
 * the packet, the frame is truncated, or the MTU is too small for any fragment. */
int oversize_fragment_start(struct oversize_fragments *fragments, const struct punt *punt);

/* Writes the next fragment with the link header of the packet. Returns its bytes, 0 after the
 * last fragment. */
size_t oversize_fragment_next(struct oversize_fragments *fragments, uint8_t frame[PUNT_FRAME_SIZE]);

/* Writes the error for the sender: ICMP "fragmentation needed" (RFC 1191, section 4) or ICMPv6 "packet too big" (RFC
 * 4443, section 3.2). The frame goes to the source MAC address of the packet and has the same VLAN tags. Returns its
 * bytes. 0 if the packet must not cause an error (RFC 1122, section 3.2.2), or if an IPv6 packet has at most 1280
 * bytes: no IPv6 sender sends smaller packets than this after a "packet too big". */
#define OVERSIZE_ERROR_SIZE 1304 /* 1280 (RFC 4443, section 2.4), Ethernet header, two tags */
size_t oversize_error(const struct punt *punt, uint8_t frame[OVERSIZE_ERROR_SIZE]);

/* The rate limit of these errors. Any sender can cause errors, and each error costs one sent frame, so their rate must
 * be bounded. The initial value is all zero. */
#define OVERSIZE_ERRORS_PER_SECOND 1000
struct oversize_error_rate {
	uint64_t next; /* usec */
};

/* May one more error be sent now? `now` is in usec of a monotonic clock. */
bool oversize_error_is_allowed(struct oversize_error_rate *rate, uint64_t now);
