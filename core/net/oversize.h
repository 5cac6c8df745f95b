/* SPDX-License-Identifier: GPL-2.0 */
/* A packet that does not fit the way to its backend, as the program has handed it over
 * (struct punt): cut into fragments, or its sender told what would fit. Frames in,
 * frames out. Pure. */
#pragma once

#include "bpf/abi.h"

/* May a router cut it up? Not with Don't Fragment, and never in IPv6. */
bool oversize_may_fragment(const struct punt *punt);

/* A packet that is being cut up (RFC 791, section 3.2). */
struct oversize_fragments {
	const struct punt *punt;
	uint32_t ip;    /* offset of its header in the frame */
	uint32_t start; /* and of what that carries */
	uint32_t at;    /* of what has not been cut off yet */
	uint32_t end;
	uint32_t step; /* bytes that a fragment can carry, but for the last one */
	uint32_t most;
};

/* Begins; `punt` must outlive it. 0, or -EINVAL: it is no IPv4 packet that may be fragments, not
 * here as a whole, or the way is too narrow for any fragment. */
int oversize_fragment_start(struct oversize_fragments *fragments, const struct punt *punt);

/* The next fragment as a frame like the one that it was in. Its bytes; 0 after the last. */
size_t oversize_fragment_next(struct oversize_fragments *fragments, uint8_t frame[PUNT_FRAME_SIZE]);

/* The frame that tells the sender: "fragmentation needed" of ICMP (RFC 1191, section 4) or
 * "packet too big" of ICMPv6 (RFC 4443, section 3.2), to the MAC address that the packet
 * came from, with its VLAN tags. Its bytes; 0 if nobody is to be told (RFC 1122, section
 * 3.2.2), or telling would not help, since an IPv6 sender never goes below 1280. */
#define OVERSIZE_ERROR_SIZE 1304 /* 1280 (RFC 4443, section 2.4), Ethernet header, two tags */
size_t oversize_error(const struct punt *punt, uint8_t frame[OVERSIZE_ERROR_SIZE]);

/* How many are told in a second: each costs us a frame, and anybody can ask for one. Start
 * from all zero. */
#define OVERSIZE_ERRORS_PER_SECOND 1000
struct oversize_error_rate {
	uint64_t next; /* usec */
};

/* May one more go at this time, in usec of a clock that never goes back? */
bool oversize_error_is_allowed(struct oversize_error_rate *rate, uint64_t now);
