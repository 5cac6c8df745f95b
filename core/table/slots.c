// SPDX-License-Identifier: GPL-2.0
/* See slots.h. */

#include <string.h>
#include "core/base/memory.h"
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

static void forget_owners(struct slots *slots)
{
	free(slots->owners);
	slots->owners = NULL;
}

void slots_drop(struct slots *slots)
{
	if (!slots || --slots->holders)
		return;
	forget_owners(slots);
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

	if ((*holder)->holders == 1) {
		forget_owners(*holder);
		return;
	}
	copy = slots_copy((*holder)->ids, (*holder)->count);
	slots_drop(*holder);
	*holder = copy;
}

const uint16_t *slots_owners(struct slots *slots, size_t *count)
{
	bool *owns;

	if (!slots->owners) {
		owns = allocate(UINT16_MAX + 1, sizeof(*owns));
		for (uint32_t slot = 0; slot < slots->count; slot++)
			owns[slots->ids[slot]] = true;
		slots->owner_count = 0;
		for (uint32_t id = 1; id <= UINT16_MAX; id++)
			slots->owner_count += owns[id];
		slots->owners = allocate(slots->owner_count, sizeof(*slots->owners));
		for (uint32_t id = UINT16_MAX, i = slots->owner_count; id > 0; id--)
			if (owns[id])
				slots->owners[--i] = id;
		free(owns);
	}
	*count = slots->owner_count;
	return slots->owners;
}

bool slots_equal(const struct slots *a, const struct slots *b)
{
	return a == b || (a && b && !memcmp(a->ids, b->ids, a->count * sizeof(*a->ids)));
}
