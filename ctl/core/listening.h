/* SPDX-License-Identifier: GPL-2.0 */
/* A clock of the time in which the daemon listened, by which silence is measured. While the
 * daemon is stopped, or busy, heartbeats wait to be read: that is no silence of the servers.
 * Pure: the caller passes the time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LISTENING_INTERVAL 1000 /* ms between two looks */
#define LISTENING_LATE 500      /* ms by which a look may be late on a busy machine */
#define LISTENING_LONG 2000     /* ms without an answer after which a server may have given a heartbeat up */

struct listening {
	uint64_t ms;     /* listened until the last look; begins at 1 */
	uint64_t looked; /* when that was, ms of the caller's clock */
};

struct listening listening_begin(uint64_t now);

/* To be called every LISTENING_INTERVAL. Returns for how many ms the daemon did not listen; 0 as
 * a rule. Otherwise no server may be judged yet: what came meanwhile may not have been read. */
uint64_t listening_look(struct listening *listening, uint64_t now);

/* The ms listened until now. */
uint64_t listening_now(const struct listening *listening, uint64_t now);
