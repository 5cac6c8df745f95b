/* SPDX-License-Identifier: GPL-2.0 */
/* The wanted owner of each slot of a pool, according to the weights, priorities, groups and states of its backends.
 * Only backends that take new calls own slots (table.h). If a backend in a group dies, the other backends of the
 * group take over its slots. No I/O. */
#pragma once

#include "farm.h"
#include "core/table/slots.h"

struct owners;

/* All functions of this file abort when memory is exhausted. */
struct owners *owners_new(uint32_t slots, const uint64_t hash_key[2]);
void owners_free(struct owners *owners);

/* The wanted owners for the current farm; 0 where no backend takes new calls. The result is valid until the next
 * call, or longer if the caller holds it. While the owners do not change, each call returns the same object. */
struct slots *owners_wanted(struct owners *owners, const struct farm_pool *pool);

/* Selects the backends that own slots: those of the priority in charge that take new calls. `members` has room for all
 * backends of the pool. Returns their number. */
size_t owners_members(const struct farm_pool *pool, const struct farm_backend **members);

/* Makes the tables use the array `slots`, which must have the same contents as the last result of owners_wanted(). One
 * of the two arrays can then be freed. */
void owners_share(struct owners *owners, struct slots *slots);

/* Calls table_trim() for each table. */
void owners_trim(struct owners *owners);
