/* SPDX-License-Identifier: GPL-2.0 */
/* The phases of migrating slots at all members (docs/design/group.md): each member sends which of its slots are in
 * which phase, and a phase of a slot is over when it is over at all members that count. No I/O. */
#pragma once

#include "core/table/migration.h"
#include "group.h"

/* The phases of a pool's slots at this member; NULL: no slot is migrating. `wanted` is a fingerprint of the owners that
 * the member wants. `pool` is the hash of its name, not 0. Sends what has changed. */
void group_set_phases(
	struct group *group, uint64_t pool, uint64_t wanted, const struct migration_phases *phases, size_t words);

/* Ends the phases of all pools that are not in this list of hashes: the member has these pools no longer. */
void group_keep_phases(struct group *group, const uint64_t *pools, size_t count);

/* Writes the slots of a pool that are in each phase at any member that counts, as the delivered messages say. Writes to
 * `begun` the slots that are migrating at all these members. Returns the fingerprint of the owners that these members
 * want; 0: they want different owners. A caller that wants different owners than the result must not move a slot that
 * is not in `begun`: a member may not have begun to record it. */
uint64_t group_phases(
	const struct group *group, uint64_t pool, size_t words, const struct migration_phases *out, uint64_t *begun);

/* Writes the slots of a pool that migrate at other members that count. Returns true if one of them agrees. */
bool group_phases_of_others(const struct group *group, uint64_t pool, size_t words, uint64_t *out);

/* Changes when a slot may continue. */
uint64_t group_phases_version(const struct group *group);

/* What makes slots of a pool wait for a member. */
enum group_wait {
	GROUP_WAIT_NONE,
	GROUP_WAIT_RECORDS, /* it records slots whose recording is over at this member */
	GROUP_WAIT_DIFFERS, /* it wants different owners, and such slots do not migrate there */
};

enum group_wait group_member_wait(const struct group *group, size_t index, uint64_t pool);
