/* SPDX-License-Identifier: GPL-2.0 */
/* Composes the response 503 to an initial INVITE that the guard refuses. No I/O. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "bpf/abi_punt.h"

/* Writes the frame of the response, as a server does (RFC 3261 sections 8.2.6 and 18.2.2; RFC 3581 section 4): from the
 * destination of the INVITE to its source address, with the same VLAN tags. The destination port is the source port if
 * the topmost Via has `rport`, otherwise the port of its sent-by. No part of the INVITE selects a different address.
 *
 * The To tag is a hash of Call-ID and branch with the secret `key`, so that every copy of an INVITE gets the same
 * response. `punt` contains the frame of the INVITE and the value of Retry-After.
 *
 * 0; -EINVAL: the packet is not an initial INVITE, is not from a single host, or has no usable Via with a branch, From,
 * To, Call-ID or CSeq; -EMSGSIZE: the response would be larger than the request. */
int refusal_compose(const struct punt *punt, const __u64 key[2], uint8_t frame[PUNT_FRAME_SIZE], size_t *length);
