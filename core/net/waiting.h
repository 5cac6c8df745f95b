/* SPDX-License-Identifier: GPL-2.0 */
/* Later fragments that wait for the first one of their datagram. Each is found by its key, by its
 * source and by its age in constant time, however many there are. Anyone can send such fragments,
 * also with forged sources, so their number is bounded: where there is no room the oldest one makes
 * it. A flood thus shortens the wait and does not end it; a source with its number full shortens
 * only its own. Pure. */
#pragma once

#include <stddef.h>
#include "bpf/abi.h"

#define WAITING_MOST 16384          /* fragments */
#define WAITING_MOST_OF_SOURCE 2048 /* of an IPv4 address or an IPv6 /64 */
#define WAITING_MOST_OF_KEY 64      /* a datagram of 64 KiB has 45 on Ethernet */

struct waiting;

/* `secret`: random, so that no sender knows which sources or keys are counted together. */
struct waiting *waiting_new(const __u64 secret[2]);
void waiting_free(struct waiting *waiting);

enum waiting_result {
	WAITING_ADDED,
	WAITING_REPLACED,  /* likewise, and an older one made room */
	WAITING_DUPLICATE, /* not added: the very same frame waits already */
};

/* Adds a copy of a PUNT_FRAGMENT, which is younger than all that wait. */
enum waiting_result waiting_add(struct waiting *waiting, const struct punt *fragment);

/* The oldest of those of a datagram, and of all; NULL: there is none. */
const struct punt *waiting_of(const struct waiting *waiting, const struct fragment_key *key);
const struct punt *waiting_oldest(const struct waiting *waiting);

/* Removes one that waiting_of() or waiting_oldest() has returned. */
void waiting_remove(struct waiting *waiting, const struct punt *fragment);

size_t waiting_count(const struct waiting *waiting);
