/* SPDX-License-Identifier: GPL-2.0 */
/* Later fragments that wait for the first one of their datagram. Each is found by its key, by its
 * source and by its age in constant time, however many there are. Anyone can send such fragments,
 * also with forged sources, so their number is bounded: where there is no room the oldest one makes
 * it. A flood thus shortens the wait and does not end it; a source with its number full shortens
 * only its own. Pure. */
#pragma once

#include <stddef.h>
#include "bpf/abi.h"

#define HELD_MOST 16384          /* fragments */
#define HELD_MOST_OF_SOURCE 2048 /* of an IPv4 address or an IPv6 /64 */
#define HELD_MOST_OF_KEY 64      /* a datagram of 64 KiB has 45 on Ethernet */

struct held_fragments;

/* `secret`: random, so that no sender knows which sources or keys are counted together. */
struct held_fragments *held_new(const __u64 secret[2]);
void held_free(struct held_fragments *held);

enum held_result {
	HELD_ADDED,
	HELD_REPLACED,  /* likewise, and an older one made room */
	HELD_DUPLICATE, /* not added: the very same frame waits already */
};

/* Adds a copy of a PUNT_FRAGMENT, which is younger than all that wait. */
enum held_result held_add(struct held_fragments *held, const struct punt *fragment);

/* The oldest of those of a datagram, and of all; NULL: there is none. */
const struct punt *held_of(const struct held_fragments *held, const struct fragment_key *key);
const struct punt *held_oldest(const struct held_fragments *held);

/* Removes one that held_of() or held_oldest() has returned. */
void held_remove(struct held_fragments *held, const struct punt *fragment);

size_t held_count(const struct held_fragments *held);
