/* SPDX-License-Identifier: GPL-2.0 */
/* A clock of the time in which the daemon listens. It stands still while the daemon is stopped or
 * busy: answers and heartbeats then wait to be read, which is no silence of the servers. All times
 * by which servers are judged are times of this clock. Pure: the caller passes the time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LISTENING_INTERVAL 100 /* ms between two looks */
#define LISTENING_LATE 100     /* ms by which a look may be late on a busy machine */

struct listening {
	uint64_t ms;     /* the clock at the last look; begins with the time of the caller's clock */
	uint64_t looked; /* when that was, ms of the caller's clock */
};

struct listening listening_begin(uint64_t now);

/* To be called every LISTENING_INTERVAL, before anything is judged. Returns for how many ms the clock
 * stood still; 0 as a rule. */
uint64_t listening_look(struct listening *listening, uint64_t now);

/* The ms of this clock. It never goes back. */
uint64_t listening_now(const struct listening *listening, uint64_t now);
