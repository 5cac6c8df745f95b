/* SPDX-License-Identifier: GPL-2.0 */
/* The phases of migrating slots at all members of the group: from core/group to the desired image, and back. Without a
 * group, slots move by the clock of this balancer alone. */
#pragma once

#include "core/group/group_slots.h"
#include "ctl/daemon/daemon.h"

struct group_phases;

struct group_phases *group_phases_new(void);
void group_phases_free(struct group_phases *phases);

/* Has a phase ended at all members since the last call of group_phases_read()? The caller then reconciles. */
bool group_phases_have_ended(const struct group_phases *phases, const struct daemon *daemon);

/* Only the worker calls the next two functions. Passes the phases at all members to daemon->desired, for the next
 * image. Returns true if a phase may have ended. */
bool group_phases_read(struct group_phases *phases, struct daemon *daemon);

/* Sends the phases of this balancer after an image of this farm has been written. Called without the lock, which it
 * takes for moments. */
void group_phases_send(struct group_phases *phases, struct daemon *daemon, const struct farm *farm, uint64_t now);

/* Slots of a pool that wait for the group */
struct group_phases_wait {
	uint32_t slots;
	uint64_t since; /* clock_msec() */
};

/* Those that do not move yet, because other members still record them or have different owners. */
struct group_phases_wait group_phases_wait(const struct group_phases *phases, uint32_t pool);

/* Those whose migration does not end, because a member has left less than `alone_after` ago. */
struct group_phases_wait group_phases_prolonged(const struct group_phases *phases, uint32_t pool);

/* "member lb2, which still records their calls"; "" if the slots of the pool wait for no member. */
#define GROUP_PHASES_SIZE 512
const char *group_phases_reason(const struct group *group, const char *pool, char text[GROUP_PHASES_SIZE]);
