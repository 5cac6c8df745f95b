/* SPDX-License-Identifier: GPL-2.0 */
/* A pool's slots and who owns each: weighted rendezvous hashing of (hash key, slot,
 * backend name) in integer arithmetic. A pure function of the set of names and
 * weights: the order of members and the history of changes mean nothing, and every
 * balancer with the same file has the same table, byte for byte. docs/design/table.md. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "slots.h"

/* Room for tenths of the weights that a file has. */
#define TABLE_MAX_WEIGHT 10000

struct table_member {
	const char *name; /* at most NAME_SIZE - 1 bytes, unique in the table; only read during the call */
	uint16_t id;      /* what the slots hold: 1 to 65535, unique in the table; a label only */
	uint16_t weight;  /* 1 to TABLE_MAX_WEIGHT */
};

struct table;

/* An empty table: all slots 0. `slots` is a power of two, MIN_SLOTS to MAX_SLOTS.
 * This and table_set_members abort when memory is out. */
struct table *table_new(uint32_t slots, const uint64_t hash_key[2]);
void table_free(struct table *table);

/* Makes these the members. Work is done only for what changed: a member that is new
 * or has more weight is compared with the owners of the slots that it may win, the
 * slots of one that left or has less weight are dealt anew. -EINVAL for a repeated
 * name or id, a name that is too long, or a weight or id out of range; the table is
 * then as it was. */
int table_set_members(struct table *table, const struct table_member *members, size_t count);

/* The owners, 0 where there is no member. Valid until the next change; the second may be held, and
 * is the same as long as nothing changes. */
const uint16_t *table_slots(const struct table *table);
struct slots *table_owners(const struct table *table);

/* Has the table use these, which are the same as its own. */
void table_share(struct table *table, struct slots *owners);

/* Gives memory back that the next change makes anew, for 15 ns a slot. */
#define TABLE_SLOT_BYTES 10
void table_trim(struct table *table);
