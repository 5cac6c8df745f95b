/* SPDX-License-Identifier: GPL-2.0 */
/* The owner of each slot of a pool, by weighted rendezvous hashing of (hash key, slot, backend name). The table is a
 * pure function of the hash key and the set of names and weights. The order of the members and the history of
 * changes do not matter, so that every balancer with the same file has the same table, byte for byte. See
 * docs/design/table.md. No I/O. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "slots.h"

/* The file permits weights up to 1000; a table counts weights in tenths. */
#define TABLE_MAX_WEIGHT 10000

struct table_member {
	const char *name; /* at most NAME_SIZE - 1 bytes, unique in the table; only read during the call */
	uint16_t id; /* the value stored in the slots: 1 to 65535, unique in the table; has no influence on ownership */
	uint16_t weight; /* 1 to TABLE_MAX_WEIGHT */
};

struct table;

/* Returns a table without members: all slots are 0. `slots` is a power of two, MIN_SLOTS to MAX_SLOTS. This function
 * and table_set_members() abort when memory is exhausted. */
struct table *table_new(uint32_t slots, const uint64_t hash_key[2]);
void table_free(struct table *table);

/* Replaces the members. The cost depends on the change. A new member, or one with increased weight, is compared with
 * the owners of the slots that it may win. The slots of a removed member, or of one with reduced weight, are
 * assigned again. Returns -EINVAL for a repeated name or id, a name that is too long, or a weight or id out of
 * range; the table is then unchanged. */
int table_set_members(struct table *table, const struct table_member *members, size_t count);

/* The owner of each slot; 0 if the table has no members. The result is valid until the next change. The second function
 * returns the owners as an object that a caller may keep with slots_hold(). Until an owner changes, it always returns
 * the same object. */
const uint16_t *table_slots(const struct table *table);
struct slots *table_owners(const struct table *table);

/* Makes the table use the array `owners`, which must have the same contents as the table's array. One of the two arrays
 * can then be freed. */
void table_share(struct table *table, struct slots *owners);

/* Frees data that are needed only for changes. The next change computes them again, which takes 15 ns for each slot. */
#define TABLE_SLOT_BYTES 10
void table_trim(struct table *table);
