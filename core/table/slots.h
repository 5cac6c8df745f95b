/* SPDX-License-Identifier: GPL-2.0 */
/* The owner of each slot of a pool: its id, or 0 for none. Wanted owners, current owners and previous owners
 * are usually equal, so they share one reference-counted array. An array may be written to while it has a
 * single holder. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slots {
	uint32_t holders;
	uint32_t count;
	uint16_t *owners; /* see slots_owners(); NULL until the first call */
	size_t owner_count;
	uint16_t ids[];
};

/* All zero, held by the caller. All functions of this file abort when memory is exhausted. */
struct slots *slots_new(uint32_t count);
struct slots *slots_copy(const uint16_t *ids, uint32_t count);

/* Adds or removes a holder. NULL is allowed. */
struct slots *slots_hold(struct slots *slots);
void slots_drop(struct slots *slots);

/* Makes `*holder` hold `slots` instead of its current array. */
void slots_replace(struct slots **holder, struct slots *slots);

/* Gives `*holder` a private copy, unless it is the only holder: then it may be written to. */
void slots_own(struct slots **holder);

/* The ids that own at least one slot, in ascending order. Valid as long as the slots are held. */
const uint16_t *slots_owners(struct slots *slots, size_t *count);

/* Are all slots equal? Both have the same number of slots, or are NULL. */
bool slots_equal(const struct slots *a, const struct slots *b);
