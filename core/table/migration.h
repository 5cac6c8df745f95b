/* SPDX-License-Identifier: GPL-2.0 */
/* Changes the owners of a pool's slots without moving a live call (docs/design/migration.md). A slot whose
 * owner is dead moves at once. Any other slot first records its calls, then moves; its previous owner keeps
 * the recorded calls until the migration is done. `previous_owners` in bpf/abi.h describes what the kernel does
 * with a migrating slot. No I/O. Times are ms of any one clock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "bpf/abi.h"
#include "slots.h"

struct migration;

struct migration_rules {
	uint64_t record_time;   /* the recording phase: from its begin to the move */
	uint64_t drain_timeout; /* the moving phase: from the move to the end of the migration */
	const bool *held; /* by slot: calls are known to be at a backend that is not the owner. Such a slot continues to
			     migrate after its time, for these calls alone. NULL: no slot */
};

#define MIGRATION_NEVER UINT64_MAX

/* The migration of a pool with this many slots; none has an owner. All functions of this file abort when
 * memory is exhausted. */
struct migration *migration_new(uint32_t slots);
void migration_free(struct migration *migration);
struct migration *migration_copy(const struct migration *migration);

/* Continues after a restart of the daemon, with the owners and previous owners of the maps. A slot that was
 * recording begins to record again, and a slot that has moved ends after a whole drain_timeout. */
void migration_adopt(struct migration *migration, struct slots *owners, struct slots *previous, uint64_t now);

/* Advances all slots towards the wanted owners. `alive`, indexed by id, marks the backends that can receive packets.
 * Returns when to call again, MIGRATION_NEVER when no slot is migrating. */
uint64_t migration_step(struct migration *migration, struct slots *wanted, const bool *alive,
	const struct migration_rules *rules, uint64_t now);

/* The result of the step at time `step` takes effect only at `now`: its times count from `now`. */
void migration_postpone(struct migration *migration, uint64_t step, uint64_t now);

/* Makes the wanted owners the owners at once, even if calls are still at previous owners. */
void migration_finish(struct migration *migration, struct slots *wanted);

/* The owners; and the previous owner of each migrating slot (0 for other slots; NULL while no slot is
 * migrating). Valid until the next call, unless held. */
struct slots *migration_owners(const struct migration *migration);
struct slots *migration_previous(const struct migration *migration);

/* True if a step would change nothing. */
bool migration_is_complete(const struct migration *migration, const struct slots *wanted);

bool migration_is_going_on(const struct migration *migration);

/* A call may be silent for this long and still be live: for as long as session timers allow (RFC 4028, section
 * 4); during setup, for as long as an INVITE may ring (timer C of RFC 3261, section 16.6, plus a margin); a
 * TCP connection, until TCP itself sends a keep-alive (RFC 1122, section 4.2.3.6). */
#define MIGRATION_CALL_SECONDS 1800
#define MIGRATION_SETUP_SECONDS 300
#define MIGRATION_CONNECTION_SECONDS 7200

/* Is the tracked call live at this time, in seconds of CLOCK_MONOTONIC? */
bool tracked_call_is_live(const struct tracked_call *tracked, uint32_t now);
