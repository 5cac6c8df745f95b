/* SPDX-License-Identifier: GPL-2.0 */
/* The wanted owner of each slot of a pool, according to the weights, priorities, groups and states of its
 * backends. The owner is a backend that takes new calls (table.h). With groups, the slots of a dead backend go
 * to the other backends of its group first. No I/O. */
#pragma once

#include "farm.h"
#include "core/table/slots.h"

struct owners;

/* All functions of this file abort when memory is exhausted. */
struct owners *owners_new(uint32_t slots, const uint64_t hash_key[2]);
void owners_free(struct owners *owners);

/* The wanted owners for the current farm, 0 where no backend takes new calls. Valid until the next call,
 * unless held; the same object as long as they do not change. */
struct slots *owners_wanted(struct owners *owners, const struct farm_pool *pool);

/* Makes the tables use `slots`, which must equal the last result of owners_wanted(): saves a copy. */
void owners_share(struct owners *owners, struct slots *slots);

/* table_trim() for each table. */
void owners_trim(struct owners *owners);
