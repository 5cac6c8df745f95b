/* SPDX-License-Identifier: GPL-2.0 */
/* Later fragments that are held until the first fragment of their datagram arrives. A look-up by key, source or age
 * takes constant time. Any sender can send such fragments, even with forged sources, so their number is bounded:
 * when a limit is reached, a new fragment replaces the oldest one. During a flood, fragments are held for a shorter
 * time. A source at its limit replaces only its own fragments. No I/O. */
#pragma once

#include <stddef.h>
#include "bpf/abi_punt.h"

#define HELD_MOST 16384          /* fragments of all datagrams */
#define HELD_MOST_OF_SOURCE 2048 /* fragments of an IPv4 address or an IPv6 /64 */
#define HELD_MOST_OF_KEY 64      /* fragments of a datagram; 64 KiB on Ethernet have 45 fragments */

struct held_fragments;

/* `secret` is random, so that no sender can predict which sources or keys share a hash bucket. */
struct held_fragments *held_new(const __u64 secret[2]);
void held_free(struct held_fragments *held);

enum held_result {
	HELD_ADDED,
	HELD_REPLACED,  /* added, and an older fragment was removed */
	HELD_DUPLICATE, /* not added: the same frame is already held */
};

/* Adds a copy of a PUNT_FRAGMENT. The fragment must be newer than all held fragments. */
enum held_result held_add(struct held_fragments *held, const struct punt *fragment);

/* Return the oldest held fragment of a datagram, or of all datagrams. NULL if there is none. */
const struct punt *held_of(const struct held_fragments *held, const struct fragment_key *key);
const struct punt *held_oldest(const struct held_fragments *held);

/* Removes a fragment that held_of() or held_oldest() has returned. */
void held_remove(struct held_fragments *held, const struct punt *fragment);

size_t held_count(const struct held_fragments *held);
