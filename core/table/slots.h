/* SPDX-License-Identifier: GPL-2.0 */
/* The owner of each slot of a pool: the id of a backend, or 0 if the slot has no owner. Wanted owners, current
 * owners and previous owners are usually equal, so they share one reference-counted array. An array may only be
 * modified while it has a single holder. No I/O. */
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

/* Returns an array of zeros, held by the caller. All functions of this file abort when memory is exhausted. */
struct slots *slots_new(uint32_t count);
struct slots *slots_copy(const uint16_t *ids, uint32_t count);

/* Adds or removes a holder. NULL is allowed. */
struct slots *slots_hold(struct slots *slots);
void slots_drop(struct slots *slots);

/* Makes `*holder` hold `slots` instead of its current array. */
void slots_replace(struct slots **holder, struct slots *slots);

/* Makes `*holder` the only holder of its array, with a copy if necessary. The array may then be modified. */
void slots_own(struct slots **holder);

/* The ids that own at least one slot, in ascending order. The result is valid as long as the slots are held. */
const uint16_t *slots_owners(struct slots *slots, size_t *count);

/* Are all slots equal? Both arrays must have the same number of slots, or be NULL. */
bool slots_equal(const struct slots *a, const struct slots *b);
