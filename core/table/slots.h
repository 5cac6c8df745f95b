/* SPDX-License-Identifier: GPL-2.0 */
/* The slots of a pool, each the id of its owner, 0 for none: as they should be, as they are, as they
 * were. Most of these are the same most of the time, and then there is one copy that all of
 * them hold. A new one may be written to until it has a second holder. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slots {
	uint32_t holders;
	uint32_t count;
	uint16_t *owners; /* see slots_owners(); NULL: not asked for yet */
	size_t owner_count;
	uint16_t ids[];
};

/* Zeroed, and held by the caller. Aborts when memory is out, as does all of this file. */
struct slots *slots_new(uint32_t count);
struct slots *slots_copy(const uint16_t *ids, uint32_t count);

/* Both take NULL, too. */
struct slots *slots_hold(struct slots *slots);
void slots_drop(struct slots *slots);

/* Puts `slots` in place of what `holder` holds. */
void slots_replace(struct slots **holder, struct slots *slots);

/* Makes what `holder` holds its own, to be written to. */
void slots_own(struct slots **holder);

/* The ids that own any slot, in rising order. Valid as long as the slots are held. */
const uint16_t *slots_owners(struct slots *slots, size_t *count);

/* Is it the same for each slot? Both have as many, or are NULL. */
bool slots_equal(const struct slots *a, const struct slots *b);
