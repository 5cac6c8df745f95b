/* SPDX-License-Identifier: GPL-2.0 */
/* A clock that runs only while the daemon receives packets. It pauses while the daemon is stopped or busy: responses
 * and heartbeats then wait in socket buffers, so their absence does not mean that a server is silent. All decisions
 * about servers use this clock. No I/O: the caller passes the time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LISTENING_INTERVAL 100 /* ms between two calls of listening_look() */
#define LISTENING_LATE 100     /* tolerated delay of a call on a busy machine, ms */

struct listening {
	uint64_t ms;     /* this clock at the last call; starts with the caller's time */
	uint64_t looked; /* the caller's time at the last call, ms */
};

struct listening listening_begin(uint64_t now);

/* Call it every LISTENING_INTERVAL, before any decision about servers. Returns the time for which this clock paused,
 * ms, usually 0. */
uint64_t listening_look(struct listening *listening, uint64_t now);

/* The time of this clock, ms. The time never decreases. */
uint64_t listening_now(const struct listening *listening, uint64_t now);
