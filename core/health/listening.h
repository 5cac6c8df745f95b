/* SPDX-License-Identifier: GPL-2.0 */
/* A clock that runs only while the daemon listens. It stands still while the daemon is stopped or busy,
 * because responses and heartbeats then wait to be read, and a server is not silent. All times for judging
 * servers are times of this clock. No I/O: the caller passes the time. */
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

/* Call it every LISTENING_INTERVAL, before judging anything. Returns the ms for which this clock stood still,
 * usually 0. */
uint64_t listening_look(struct listening *listening, uint64_t now);

/* The time of this clock, ms. It never goes back. */
uint64_t listening_now(const struct listening *listening, uint64_t now);
