/* SPDX-License-Identifier: GPL-2.0 */
/* Who should own each slot of a pool, by all that a file and the probes say of its
 * backends: weights, priorities, groups, states. The table (table.h) of those who may
 * have new calls; and where the pool has groups, a slot whose owner is not among them
 * goes to the others of its group first. Pure. */
#pragma once

#include "farm.h"
#include "core/table/slots.h"

struct owners;

/* Aborts when memory is out, as does all of this file. */
struct owners *owners_new(uint32_t slots, const uint64_t hash_key[2]);
void owners_free(struct owners *owners);

/* The owners as the farm is now, 0 where nobody may have new calls. Valid until the next
 * call, unless held; the same as long as they do not change. */
struct slots *owners_wanted(struct owners *owners, const struct farm_pool *pool);

/* Has them use these, which are the same as what owners_wanted() gave last. */
void owners_share(struct owners *owners, struct slots *slots);

/* As table_trim(), for each table. */
void owners_trim(struct owners *owners);
