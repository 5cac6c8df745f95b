/* SPDX-License-Identifier: GPL-2.0 */
/* How the slots of a pool get from the owners that they have to those that they should
 * have, so that no live call moves (docs/migration.md). A slot whose owner is gone moves at
 * once. Any other stays while its calls are recorded, then moves, and the owner that it
 * had keeps the calls that it has until the slot is settled. What the kernel does with a
 * slot in motion is said at `former` in bpf/abi.h. Pure: times are ms of any one clock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "bpf/abi.h"
#include "slots.h"

struct motion;

struct motion_rules {
	uint64_t record_time;   /* that a slot's calls are recorded before it moves */
	uint64_t drain_timeout; /* from then on until it is settled */
	const bool *held;       /* by slot: calls are known to go on at a backend that is not its owner. Such a
				 * slot stays in motion past its time, for those calls alone. NULL: no slot is */
};

#define MOTION_NEVER UINT64_MAX

/* The motion of a pool of so many slots, of which nobody has any. Aborts when memory is
 * out, as does all of this file. */
struct motion *motion_new(uint32_t slots);
void motion_free(struct motion *motion);
struct motion *motion_copy(const struct motion *motion);

/* Goes on from what a daemon before us has left: recording begins anew where it was under
 * way, and what has moved is settled after the whole drain_timeout. */
void motion_adopt(struct motion *motion, struct slots *owners, struct slots *former, uint64_t now);

/* Brings the slots as near to the wanted owners as may be now. `alive` says by id who can
 * have packets at all. Returns when to come again, MOTION_NEVER when nothing is in motion. */
uint64_t motion_step(
	struct motion *motion, struct slots *wanted, const bool *alive, const struct motion_rules *rules, uint64_t now);

/* What the step at the time `step` began has its effect only now: its times count from here. */
void motion_postpone(struct motion *motion, uint64_t step, uint64_t now);

/* Makes the wanted owners those that are, calls or not. */
void motion_settle(struct motion *motion, struct slots *wanted);

/* The owners, and for a slot in motion the one it had (0 for others; NULL while nothing is in
 * motion): valid until the next call, unless held. */
struct slots *motion_owners(const struct motion *motion);
struct slots *motion_former(const struct motion *motion);

/* Would a step change anything? */
bool motion_is_over(const struct motion *motion, const struct slots *wanted);

bool motion_is_going_on(const struct motion *motion);

/* For how long a call may be silent and still go on: as long as session timers let it (RFC 4028,
 * section 4); while it is only being set up, as long as an INVITE may ring (timer C of RFC 3261,
 * section 16.6, and some); a connection, until TCP itself would ask (RFC 1122, section 4.2.3.6). */
#define MOTION_CALL_SECONDS 1800
#define MOTION_SETUP_SECONDS 300
#define MOTION_CONNECTION_SECONDS 7200

/* Does what a note is about go on at a time, in seconds of CLOCK_MONOTONIC? */
bool motion_is_live(const struct note *note, uint32_t now);
