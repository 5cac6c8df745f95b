// SPDX-License-Identifier: GPL-2.0
/* See slots.h. */

#include <string.h>
#include "memory.h"
#include "slots.h"

struct slots *slots_new(uint32_t count)
{
	struct slots *slots = allocate(1, sizeof(*slots) + count * sizeof(*slots->ids));

	slots->holders = 1;
	slots->count = count;
	return slots;
}

struct slots *slots_copy(const uint16_t *ids, uint32_t count)
{
	struct slots *slots = slots_new(count);

	memcpy(slots->ids, ids, count * sizeof(*ids));
	return slots;
}

struct slots *slots_hold(struct slots *slots)
{
	if (slots)
		slots->holders++;
	return slots;
}

void slots_drop(struct slots *slots)
{
	if (slots && !--slots->holders)
		free(slots);
}

void slots_replace(struct slots **holder, struct slots *slots)
{
	slots_hold(slots);
	slots_drop(*holder);
	*holder = slots;
}

void slots_own(struct slots **holder)
{
	struct slots *copy;

	if ((*holder)->holders == 1)
		return;
	copy = slots_copy((*holder)->ids, (*holder)->count);
	slots_drop(*holder);
	*holder = copy;
}

bool slots_equal(const struct slots *a, const struct slots *b)
{
	return a == b || (a && b && !memcmp(a->ids, b->ids, a->count * sizeof(*a->ids)));
}
