/* SPDX-License-Identifier: GPL-2.0 */
/* How the slots of a pool get from the owners that they have to those that they should
 * have, so that no live call moves (docs/design/migration.md). A slot whose owner is gone moves at
 * once. Any other stays while its calls are recorded, then moves, and the owner that it
 * had keeps the calls that it has until the slot is settled. What the kernel does with a
 * slot migrating is said at `previous_owners` in bpf/abi.h. Pure: times are ms of any one clock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "bpf/abi.h"
#include "slots.h"

struct migration;

struct migration_rules {
	uint64_t record_time;   /* that a slot's calls are recorded before it moves */
	uint64_t drain_timeout; /* from then on until it is settled */
	const bool *held;       /* by slot: calls are known to go on at a backend that is not its owner. Such a
				 * slot stays migrating past its time, for those calls alone. NULL: no slot is */
};

#define MIGRATION_NEVER UINT64_MAX

/* The migration of a pool of so many slots, of which nobody has any. Aborts when memory is
 * out, as does all of this file. */
struct migration *migration_new(uint32_t slots);
void migration_free(struct migration *migration);
struct migration *migration_copy(const struct migration *migration);

/* Goes on from what a daemon before us has left: recording begins anew where it was under
 * way, and what has moved is settled after the whole drain_timeout. */
void migration_adopt(struct migration *migration, struct slots *owners, struct slots *previous, uint64_t now);

/* Brings the slots as near to the wanted owners as may be now. `alive` says by id who can
 * have packets at all. Returns when to come again, MIGRATION_NEVER when nothing is migrating. */
uint64_t migration_step(struct migration *migration, struct slots *wanted, const bool *alive,
	const struct migration_rules *rules, uint64_t now);

/* What the step at the time `step` began has its effect only now: its times count from here. */
void migration_postpone(struct migration *migration, uint64_t step, uint64_t now);

/* Makes the wanted owners those that are, calls or not. */
void migration_finish(struct migration *migration, struct slots *wanted);

/* The owners, and for a slot migrating the one it had (0 for others; NULL while nothing is in
 * migration): valid until the next call, unless held. */
struct slots *migration_owners(const struct migration *migration);
struct slots *migration_previous(const struct migration *migration);

/* Would a step change anything? */
bool migration_may_start_anew(const struct migration *migration, const struct slots *wanted);

bool migration_is_going_on(const struct migration *migration);

/* For how long a call may be silent and still go on: as long as session timers let it (RFC 4028,
 * section 4); while it is only being set up, as long as an INVITE may ring (timer C of RFC 3261,
 * section 16.6, and some); a connection, until TCP itself would ask (RFC 1122, section 4.2.3.6). */
#define MIGRATION_CALL_SECONDS 1800
#define MIGRATION_SETUP_SECONDS 300
#define MIGRATION_CONNECTION_SECONDS 7200

/* Does what a tracked call is about go on at a time, in seconds of CLOCK_MONOTONIC? */
bool tracked_call_is_live(const struct tracked_call *tracked, uint32_t now);
