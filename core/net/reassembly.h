/* SPDX-License-Identifier: GPL-2.0 */
/* Reassembles fragmented IP datagrams (RFC 791, RFC 8200 section 4.5) for readers of packets that the balancer
 * forwards as fragments. Memory is bounded: if no memory is free, a new datagram replaces the oldest incomplete one.
 * No I/O. */
#pragma once

#include <stddef.h>
#include "bpf/abi_punt.h"

#define REASSEMBLY_NSEC 1000000000ULL /* an incomplete datagram is discarded after this time */
#define REASSEMBLY_MOST 512           /* maximum number of incomplete datagrams */
#define REASSEMBLY_BYTES (4 << 20)    /* maximum bytes of their payloads */
#define DATAGRAM_SIZE_MAX 65535

struct reassembly;

/* `secret` is random, so that no sender can predict which datagrams share a hash bucket. */
struct reassembly *reassembly_new(const __u64 secret[2]);
void reassembly_free(struct reassembly *reassembly);

/* A fragment. */
struct part {
	struct fragment_key key;
	const void *bytes; /* of the IP payload */
	size_t length;
	size_t at; /* position in the datagram, a multiple of 8 */
	bool more; /* it is not the last fragment */
};

/* Adds a fragment that arrived at `now`, in ns of a monotonic clock. If the datagram is now complete,
 * returns its IP payload, which is valid until the next call. Returns NULL if fragments are missing. */
const void *reassembly_add(struct reassembly *reassembly, const struct part *part, uint64_t now, size_t *length);

/* Discards datagrams that are too old at `now`. */
void reassembly_expire(struct reassembly *reassembly, uint64_t now);

/* Returns the number of discarded datagrams: too old, replaced, or with overlapping fragments. */
uint64_t reassembly_given_up(const struct reassembly *reassembly);
