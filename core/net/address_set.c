// SPDX-License-Identifier: GPL-2.0
/* See address_set.h. A hash table with open addressing, at most half full. */
#include "address.h"
#include "address_set.h"
#include "core/base/memory.h"

#define FIRST_ROOM 64

static size_t hash(const struct address *address)
{
	uint64_t mixed = ((uint64_t)address->word[0] << 32 | address->word[1]) * 0x9e3779b97f4a7c15;

	mixed = (mixed ^ mixed >> 29 ^ ((uint64_t)address->word[2] << 32 | address->word[3])) * 0xbf58476d1ce4e5b9;
	return mixed ^ mixed >> 32;
}

/* Returns the slot that holds the address or, if there is none, the free slot for the address. */
static struct address *find(const struct address_set *set, const struct address *address)
{
	static const struct address none;
	size_t i = hash(address) & (set->room - 1);

	while (!address_equal(&set->slots[i], &none) && !address_equal(&set->slots[i], address))
		i = (i + 1) & (set->room - 1);
	return &set->slots[i];
}

static void grow(struct address_set *set)
{
	struct address_set larger = {.room = set->room ? 2 * set->room : FIRST_ROOM, .count = set->count};
	static const struct address none;

	larger.slots = allocate(larger.room, sizeof(*larger.slots));
	for (size_t i = 0; i < set->room; i++)
		if (!address_equal(&set->slots[i], &none))
			*find(&larger, &set->slots[i]) = set->slots[i];
	free(set->slots);
	*set = larger;
}

void address_set_add(struct address_set *set, const struct address *address)
{
	if (address_set_has(set, address))
		return;
	if (2 * (set->count + 1) > set->room)
		grow(set);
	*find(set, address) = *address;
	set->count++;
}

bool address_set_has(const struct address_set *set, const struct address *address)
{
	return set->room && address_equal(find(set, address), address);
}

bool address_set_next(const struct address_set *set, size_t *cursor, struct address *out)
{
	static const struct address none;

	while (*cursor < set->room) {
		*out = set->slots[(*cursor)++];
		if (!address_equal(out, &none))
			return true;
	}
	return false;
}

void address_set_clear(struct address_set *set)
{
	free(set->slots);
	*set = (struct address_set){0};
}
