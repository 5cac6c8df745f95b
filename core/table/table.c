// SPDX-License-Identifier: GPL-2.0
/* Computes the owner of each slot from the members' names and weights. docs/design/table.md explains the
 * method and holds the measurements. score.h holds the score; this file finds the smallest score of each slot
 * without computing all of them. */
#include "table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi.h"
#include "core/base/memory.h"
#include "score.h"

#define MANY_OFFERS 100 /* per slot; above this, offering each member's best draws first is faster */

#define NO_MEMBER UINT16_MAX /* not a valid index: a table has at most 65535 members */

struct member {
	char name[NAME_SIZE];
	uint16_t id;
	uint16_t weight;
	bool known;   /* was a member before this change */
	bool gaining; /* new, or its weight has risen: may take slots from other members */
	struct score_keys keys;
};

struct table {
	struct score_scale scale;
	uint64_t hash_key[2];
	struct member *members; /* sorted by name, so that indexes are in the order of names */
	size_t count;
	uint64_t *scores;  /* by slot: the owner's score, or UINT64_MAX without an owner; NULL after table_trim() */
	uint16_t *owners;  /* by slot: index of the owner, or NO_MEMBER; NULL after table_trim() */
	struct slots *ids; /* by slot: id of the owner, or 0 */
};

/* --- Assigning slots */

/* Assigns the slot to this member if its score is better than the owner's. */
static void offer(struct table *table, uint16_t index, uint32_t slot, uint32_t stratum)
{
	const struct member *member = &table->members[index];
	uint64_t best = table->scores[slot];
	uint64_t score;

	if (score_is_surely_above(score_least_draw(&table->scale, stratum), member->weight, best))
		return;
	score = score_cost(&table->scale, score_draw(&table->scale, &member->keys, slot, stratum));
	if (member->weight > 1)
		score /= member->weight; /* the division is slow */
	if (score > best || (score == best && index > table->owners[slot]))
		return;
	table->scores[slot] = score;
	table->owners[slot] = index;
}

/* Offers slots to a member, best draw first, until its score exceeds `worst`, the highest score of any owner:
 * then it cannot win a slot any more. Returns the number of offers. */
static uint32_t offer_from_best(struct table *table, uint16_t index, uint64_t worst)
{
	const struct member *member = &table->members[index];
	uint32_t stratum;

	for (stratum = 0; stratum < table->scale.slots; stratum++) {
		if (score_is_surely_above(score_least_draw(&table->scale, stratum), member->weight, worst))
			break;
		offer(table, index, score_slot_of_stratum(&table->scale, &member->keys, stratum), stratum);
	}
	return stratum;
}

static uint64_t worst_score(const struct table *table)
{
	uint64_t worst = 0;

	for (uint32_t slot = 0; slot < table->scale.slots; slot++)
		if (worst < table->scores[slot])
			worst = table->scores[slot];
	return worst;
}

/* A gaining member may win any slot. Scores only fall during this loop, so an old bound may be too high, which costs
 * time but never gives a wrong result. The loop therefore computes the bound again only now and then. */
static void assign_to_gaining(struct table *table)
{
	uint64_t worst = 0;
	uint32_t offers = table->scale.slots;

	for (size_t i = 0; i < table->count; i++) {
		if (!table->members[i].gaining)
			continue;
		if (offers >= table->scale.slots) {
			worst = worst_score(table);
			offers = 0;
		}
		offers += offer_from_best(table, i, worst);
	}
}

/* When a table is filled from scratch, each member is first offered the slots for which its score is below this
 * limit: log2(count) / sum of weights. Only a few of the draws are below it, and about one slot in `count` has no
 * such draw. */
static uint64_t scratch_limit(const struct table *table)
{
	unsigned int log2 = 64 - __builtin_clzll(table->count);
	uint64_t weights = 0;

	for (size_t i = 0; i < table->count; i++)
		weights += table->members[i].weight;
	return ((unsigned __int128)log2 << SCORE_FRACTION_BITS) / weights;
}

/* Assigns all slots of a table in which no slot has an owner. If the score of a slot's owner is above the limit, an
 * unexamined draw of a different member may be better: the slot is then offered to every member. */
static void assign_from_scratch(struct table *table)
{
	uint64_t limit = scratch_limit(table);

	for (size_t i = 0; i < table->count; i++)
		offer_from_best(table, i, limit);
	for (uint32_t slot = 0; slot < table->scale.slots; slot++)
		for (size_t i = 0; table->scores[slot] > limit && i < table->count; i++)
			offer(table, i, slot, score_stratum_of_slot(&table->scale, &table->members[i].keys, slot));
}

/* Members that are not gaining may only win vacant slots. If many slots are vacant, it is faster to offer each
 * member its best draws first. */
static void assign_vacant(struct table *table, const uint32_t *vacant, size_t count)
{
	size_t others = 0;

	for (size_t i = 0; i < table->count; i++)
		others += !table->members[i].gaining;
	if (others * count > MANY_OFFERS * (size_t)table->scale.slots) {
		for (size_t i = 0; i < table->count; i++)
			table->members[i].gaining = true;
		return;
	}
	for (size_t i = 0; i < table->count; i++) {
		const struct member *member = &table->members[i];

		for (size_t j = 0; j < count && !member->gaining; j++)
			offer(table, i, vacant[j], score_stratum_of_slot(&table->scale, &member->keys, vacant[j]));
	}
}

/* --- Comparing old and new members */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

/* Copies and sorts members. False if they are not valid members of a table. */
static bool copy_members(struct member *to, const struct table_member *from, size_t count)
{
	bool taken[UINT16_MAX + 1] = {true};

	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(from[i].name);

		if (length >= NAME_SIZE || from[i].weight < 1 || from[i].weight > TABLE_MAX_WEIGHT || taken[from[i].id])
			return false;
		taken[from[i].id] = true;
		to[i] = (struct member){.id = from[i].id, .weight = from[i].weight, .gaining = true};
		memcpy(to[i].name, from[i].name, length);
	}
	qsort(to, count, sizeof(*to), by_name);
	for (size_t i = 1; i < count; i++)
		if (by_name(&to[i - 1], &to[i]) == 0)
			return false;
	return true;
}

/* Copies the keys of old members. successors[i] is the index in `members` of the old member i if it keeps its
 * slots, else NO_MEMBER. */
static void match_members(const struct table *table, struct member *members, size_t count, uint16_t *successors)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct member *old = &table->members[i];
		struct member *new = bsearch(old, members, count, sizeof(*members), by_name);

		successors[i] = NO_MEMBER;
		if (!new)
			continue;
		new->keys = old->keys;
		new->known = true;
		new->gaining = new->weight > old->weight;
		if (new->weight >= old->weight)
			successors[i] = new - members;
	}
	for (size_t i = 0; i < count; i++)
		if (!members[i].known)
			members[i].keys = score_keys_derive(table->hash_key, members[i].name);
}

/* Replaces each owner by its successor. Lists the slots without a successor, which are now vacant, and returns their
 * number. */
static size_t replace_owners(struct table *table, const uint16_t *successors, uint32_t *vacant)
{
	size_t count = 0;

	for (uint32_t slot = 0; slot < table->scale.slots; slot++) {
		uint16_t owner = table->owners[slot];

		table->owners[slot] = owner == NO_MEMBER ? NO_MEMBER : successors[owner];
		if (table->owners[slot] != NO_MEMBER)
			continue;
		table->scores[slot] = UINT64_MAX;
		vacant[count++] = slot;
	}
	return count;
}

static void label_slots(struct table *table)
{
	struct slots *ids = slots_new(table->scale.slots);

	for (uint32_t slot = 0; slot < table->scale.slots; slot++) {
		uint16_t owner = table->owners[slot];

		ids->ids[slot] = owner == NO_MEMBER ? 0 : table->members[owner].id;
	}
	if (!slots_equal(ids, table->ids))
		slots_replace(&table->ids, ids);
	slots_drop(ids);
}

/* --- Trimming */

static uint16_t *indexes_by_id(const struct table *table)
{
	uint16_t *indexes = allocate(UINT16_MAX + 1, sizeof(*indexes));

	indexes[0] = NO_MEMBER;
	for (size_t i = 0; i < table->count; i++)
		indexes[table->members[i].id] = i;
	return indexes;
}

/* Computes the owners' scores again after table_trim(). */
static void restore_scores(struct table *table)
{
	uint16_t *indexes;

	if (table->scores)
		return;
	indexes = indexes_by_id(table);
	table->scores = allocate(table->scale.slots, sizeof(*table->scores));
	table->owners = allocate(table->scale.slots, sizeof(*table->owners));
	for (uint32_t slot = 0; slot < table->scale.slots; slot++) {
		uint16_t index = indexes[table->ids->ids[slot]];

		table->owners[slot] = NO_MEMBER;
		table->scores[slot] = UINT64_MAX;
		if (index != NO_MEMBER)
			offer(table, index, slot,
				score_stratum_of_slot(&table->scale, &table->members[index].keys, slot));
	}
	free(indexes);
}

void table_trim(struct table *table)
{
	free(table->scores);
	free(table->owners);
	table->scores = NULL;
	table->owners = NULL;
}

/* --- Public functions */

struct table *table_new(uint32_t slots, const uint64_t hash_key[2])
{
	struct table *table = allocate(1, sizeof(*table));

	memcpy(table->hash_key, hash_key, sizeof(table->hash_key));
	table->members = allocate(0, sizeof(*table->members));
	table->ids = slots_new(slots);
	score_scale_init(&table->scale, slots);
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	table_trim(table);
	free(table->members);
	slots_drop(table->ids);
	free(table);
}

const uint16_t *table_slots(const struct table *table)
{
	return table->ids->ids;
}

struct slots *table_owners(const struct table *table)
{
	return table->ids;
}

void table_share(struct table *table, struct slots *owners)
{
	slots_replace(&table->ids, owners);
}

int table_set_members(struct table *table, const struct table_member *from, size_t count)
{
	struct member *members;
	uint16_t *successors;
	uint32_t *vacant;
	size_t vacant_count;

	if (count > MAX_BACKENDS)
		return -EINVAL;
	members = allocate(count, sizeof(*members));
	if (!copy_members(members, from, count)) {
		free(members);
		return -EINVAL;
	}
	restore_scores(table);
	successors = allocate(table->count, sizeof(*successors));
	match_members(table, members, count, successors);
	free(table->members);
	table->members = members;
	table->count = count;

	vacant = allocate(table->scale.slots, sizeof(*vacant));
	vacant_count = replace_owners(table, successors, vacant);
	if (count && vacant_count == table->scale.slots) {
		assign_from_scratch(table);
	} else {
		assign_vacant(table, vacant, vacant_count);
		assign_to_gaining(table);
	}
	label_slots(table);
	free(successors);
	free(vacant);
	return 0;
}
