// SPDX-License-Identifier: GPL-2.0
/* Owns the one function that says who gets a slot; docs/design/table.md explains it and
 * holds what was measured. Integers only, and nothing that another platform or
 * library could do otherwise: all balancers of a group must agree byte for byte. */
#include "table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi.h"

#define ROUNDS 4     /* of the permutation; after two, members are visibly not independent */
#define NODE_BITS 10 /* the logarithm has 2^NODE_BITS chords in an octave */
#define NODES (1 << NODE_BITS)
#define FRACTION_BITS 56 /* of the logarithm */
#define MANY_OFFERS 100  /* per slot: more than beginning with the best draws costs */

#define NOBODY UINT16_MAX /* as an index of a member: there are no more than 65535 */

struct member {
	char name[NAME_SIZE];
	uint16_t id;
	uint16_t weight;
	bool known;  /* was a member before this change */
	bool rising; /* new, or heavier than before: may take slots from others */
	struct keys {
		struct round {
			uint32_t factor, inverse, offset;
		} rounds[ROUNDS];
		uint64_t factor, offset; /* of the low bits */
	} keys;
};

struct table {
	uint32_t slots;
	unsigned int slot_bits;
	uint64_t hash_key[2];
	struct member *members; /* sorted by name, so the order of indexes is that of names */
	size_t count;
	uint64_t *scores;  /* by slot: its owner's, UINT64_MAX if there is none; NULL while the table rests */
	uint16_t *owners;  /* by slot: index of its owner, or NOBODY; likewise */
	struct slots *ids; /* by slot: id of its owner, or 0 */
	uint64_t nodes[NODES + 1];
};

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (!memory)
		abort();
	return memory;
}

static uint64_t multiply_high(uint64_t a, uint64_t b)
{
	return (unsigned __int128)a * b >> 64;
}

/* --- The draw: 64 bits made of (hash key, name, slot)
 *
 * The high bits, the stratum, are a permutation of the slots that each member has for
 * itself. So a member has one draw in each stratum, as if dealt from a shuffled pack,
 * and not too many good ones by chance: that halves the variance of its share. And the
 * permutation can be walked backwards, from a member's best draw on. */

static uint64_t rotate(uint64_t x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], int rounds)
{
	while (rounds--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

/* SipHash-2-4 of a name, filled up with zeros, and the number of the value that is
 * wanted: a message of 72 bytes. */
static uint64_t keyed_value(const uint64_t key[2], const char name[NAME_SIZE], uint8_t number)
{
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573};
	uint64_t words[NAME_SIZE / 8 + 2] = {[NAME_SIZE / 8] = number, (uint64_t)(NAME_SIZE + 8) << 56};

	for (int i = 0; i < NAME_SIZE; i++)
		words[i / 8] |= (uint64_t)(uint8_t)name[i] << i % 8 * 8;
	for (int i = 0; i < NAME_SIZE / 8 + 2; i++) {
		v[3] ^= words[i];
		sip_rounds(v, 2);
		v[0] ^= words[i];
	}
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Modulo 2^32; each step doubles the number of right bits, and 3 are right at once. */
static uint32_t inverse_of_odd(uint32_t factor)
{
	uint32_t inverse = factor;

	for (int right = 3; right < 32; right *= 2)
		inverse *= 2 - factor * inverse;
	return inverse;
}

static struct keys derive_keys(const uint64_t hash_key[2], const char name[NAME_SIZE])
{
	struct keys keys;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t value = keyed_value(hash_key, name, i);
		uint32_t factor = value | 1;

		keys.rounds[i] = (struct round){factor, inverse_of_odd(factor), value >> 32};
	}
	keys.factor = keyed_value(hash_key, name, ROUNDS) | 1;
	keys.offset = keyed_value(hash_key, name, ROUNDS + 1);
	return keys;
}

/* Multiplying carries low bits up, the shift brings high ones down again. Both can be
 * undone: the factor is odd, and the upper half, which is shifted onto the lower one,
 * stays as it is. */
static uint32_t stratum_of_slot(const struct table *table, const struct keys *keys, uint32_t slot)
{
	unsigned int half = (table->slot_bits + 1) / 2;
	uint32_t x = slot;

	for (int i = 0; i < ROUNDS; i++) {
		x = (x * keys->rounds[i].factor + keys->rounds[i].offset) & (table->slots - 1);
		x ^= x >> half;
	}
	return x;
}

static uint32_t slot_of_stratum(const struct table *table, const struct keys *keys, uint32_t stratum)
{
	unsigned int half = (table->slot_bits + 1) / 2;
	uint32_t x = stratum;

	for (int i = ROUNDS - 1; i >= 0; i--) {
		x ^= x >> half;
		x = (x - keys->rounds[i].offset) * keys->rounds[i].inverse & (table->slots - 1);
	}
	return x;
}

static uint64_t least_draw(const struct table *table, uint32_t stratum)
{
	return (uint64_t)stratum << (64 - table->slot_bits);
}

static uint64_t draw_of(const struct table *table, const struct keys *keys, uint32_t slot, uint32_t stratum)
{
	return least_draw(table, stratum) | (slot * keys->factor + keys->offset) >> table->slot_bits;
}

/* --- The score: -log2(1 - draw / 2^64) / weight; the smallest one gets the slot
 *
 * That is an exponential variable with the weight for its rate, and of several such
 * each is the smallest with a probability in proportion to its rate. */

/* log2(x / 2^63) for x from 2^63 on, bit by bit: squaring doubles it. Rounded down. */
static uint64_t log2_of_mantissa(uint64_t x)
{
	uint64_t result = 0;

	for (int i = 0; i < FRACTION_BITS; i++) {
		uint64_t square = multiply_high(x, x);
		bool bit = square >> 63;

		result = result << 1 | bit;
		x = bit ? square : square << 1;
	}
	return result;
}

static void make_nodes(uint64_t nodes[NODES + 1])
{
	for (uint64_t i = 0; i < NODES; i++)
		nodes[i] = (1ULL << FRACTION_BITS) - log2_of_mantissa((NODES + i) << (63 - NODE_BITS));
	nodes[NODES] = 0;
}

/* -log2(1 - draw / 2^64), along the chords between the nodes. Grows with the draw, and
 * is never less than the true value. */
static uint64_t cost_of(const struct table *table, uint64_t draw)
{
	uint64_t rest = ~draw | 1;
	int octave = __builtin_clzll(rest);
	uint64_t fraction = rest << octave << 1;
	const uint64_t *node = table->nodes + (fraction >> (64 - NODE_BITS));

	return ((uint64_t)octave << FRACTION_BITS) + node[0] - multiply_high(node[0] - node[1], fraction << NODE_BITS);
}

/* Is the score of this draw, and of every greater one, above this one? Spares most
 * logarithms: -log2(1 - x) >= x * log2(e) > x * 23/16. False says nothing. */
static bool surely_above(uint64_t draw, uint16_t weight, uint64_t score)
{
	uint64_t least_cost = (draw >> (64 - FRACTION_BITS) >> 4) * 23;

	return least_cost >= ((unsigned __int128)score + 1) * weight;
}

/* --- Dealing */

/* Gives the slot to this member if it has the better score. */
static void offer(struct table *table, uint16_t index, uint32_t slot, uint32_t stratum)
{
	const struct member *member = &table->members[index];
	uint64_t best = table->scores[slot];
	uint64_t score;

	if (surely_above(least_draw(table, stratum), member->weight, best))
		return;
	score = cost_of(table, draw_of(table, &member->keys, slot, stratum));
	if (member->weight > 1)
		score /= member->weight; /* which is slow */
	if (score > best || (score == best && index > table->owners[slot]))
		return;
	table->scores[slot] = score;
	table->owners[slot] = index;
}

/* Offers slots to a member, beginning with its best draw, until it can win no more since
 * no owner's score is above `worst`. Returns how many it were. */
static uint32_t offer_from_best(struct table *table, uint16_t index, uint64_t worst)
{
	const struct member *member = &table->members[index];
	uint32_t stratum;

	for (stratum = 0; stratum < table->slots; stratum++) {
		if (surely_above(least_draw(table, stratum), member->weight, worst))
			break;
		offer(table, index, slot_of_stratum(table, &member->keys, stratum), stratum);
	}
	return stratum;
}

static uint64_t worst_score(const struct table *table)
{
	uint64_t worst = 0;

	for (uint32_t slot = 0; slot < table->slots; slot++)
		if (worst < table->scores[slot])
			worst = table->scores[slot];
	return worst;
}

/* Those who are rising may win any slot. Scores only fall here, so that a bound of
 * before costs time but is not wrong: it is worked out anew only now and then. */
static void deal_to_rising(struct table *table)
{
	uint64_t worst = 0;
	uint32_t offers = table->slots;

	for (size_t i = 0; i < table->count; i++) {
		if (!table->members[i].rising)
			continue;
		if (offers >= table->slots) {
			worst = worst_score(table);
			offers = 0;
		}
		offers += offer_from_best(table, i, worst);
	}
}

/* The score below which a table from scratch offers slots to its members, beginning with their best
 * draws: log2(count) / sum of weights. Of the draws of all members a small part is below it, and of
 * the slots about one in `count` has no such draw. */
static uint64_t scratch_limit(const struct table *table)
{
	unsigned int log2 = 64 - __builtin_clzll(table->count);
	uint64_t weights = 0;

	for (size_t i = 0; i < table->count; i++)
		weights += table->members[i].weight;
	return ((unsigned __int128)log2 << FRACTION_BITS) / weights;
}

/* All slots, where no owner stays. A slot whose owner's score is above the limit may have a better
 * member among those whose draws were not looked at: it is offered to each. */
static void deal_from_scratch(struct table *table)
{
	uint64_t limit = scratch_limit(table);

	for (size_t i = 0; i < table->count; i++)
		offer_from_best(table, i, limit);
	for (uint32_t slot = 0; slot < table->slots; slot++)
		for (size_t i = 0; table->scores[slot] > limit && i < table->count; i++)
			offer(table, i, slot, stratum_of_slot(table, &table->members[i].keys, slot));
}

/* The others may win what nobody has. Where that is much, beginning with everybody's
 * best draws is quicker. */
static void deal_vacant(struct table *table, const uint32_t *vacant, size_t count)
{
	size_t others = 0;

	for (size_t i = 0; i < table->count; i++)
		others += !table->members[i].rising;
	if (others * count > MANY_OFFERS * (size_t)table->slots) {
		for (size_t i = 0; i < table->count; i++)
			table->members[i].rising = true;
		return;
	}
	for (size_t i = 0; i < table->count; i++) {
		const struct member *member = &table->members[i];

		for (size_t j = 0; j < count && !member->rising; j++)
			offer(table, i, vacant[j], stratum_of_slot(table, &member->keys, vacant[j]));
	}
}

/* --- What changed */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

/* Copies and sorts members. False if they cannot be those of a table. */
static bool copy_members(struct member *to, const struct table_member *from, size_t count)
{
	bool taken[UINT16_MAX + 1] = {true};

	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(from[i].name);

		if (length >= NAME_SIZE || from[i].weight < 1 || from[i].weight > TABLE_MAX_WEIGHT || taken[from[i].id])
			return false;
		taken[from[i].id] = true;
		to[i] = (struct member){.id = from[i].id, .weight = from[i].weight, .rising = true};
		memcpy(to[i].name, from[i].name, length);
	}
	qsort(to, count, sizeof(*to), by_name);
	for (size_t i = 1; i < count; i++)
		if (by_name(&to[i - 1], &to[i]) == 0)
			return false;
	return true;
}

/* Takes the keys of old members over. successors[i] is the index in `members` of the old
 * member i if it keeps its slots, else NOBODY. */
static void match_members(const struct table *table, struct member *members, size_t count, uint16_t *successors)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct member *old = &table->members[i];
		struct member *new = bsearch(old, members, count, sizeof(*members), by_name);

		successors[i] = NOBODY;
		if (!new)
			continue;
		new->keys = old->keys;
		new->known = true;
		new->rising = new->weight > old->weight;
		if (new->weight >= old->weight)
			successors[i] = new - members;
	}
	for (size_t i = 0; i < count; i++)
		if (!members[i].known)
			members[i].keys = derive_keys(table->hash_key, members[i].name);
}

/* Puts successors for owners. Returns the number of slots that nobody has now. */
static size_t replace_owners(struct table *table, const uint16_t *successors, uint32_t *vacant)
{
	size_t count = 0;

	for (uint32_t slot = 0; slot < table->slots; slot++) {
		uint16_t owner = table->owners[slot];

		table->owners[slot] = owner == NOBODY ? NOBODY : successors[owner];
		if (table->owners[slot] != NOBODY)
			continue;
		table->scores[slot] = UINT64_MAX;
		vacant[count++] = slot;
	}
	return count;
}

static void label_slots(struct table *table)
{
	struct slots *ids = slots_new(table->slots);

	for (uint32_t slot = 0; slot < table->slots; slot++) {
		uint16_t owner = table->owners[slot];

		ids->ids[slot] = owner == NOBODY ? 0 : table->members[owner].id;
	}
	if (!slots_equal(ids, table->ids))
		slots_replace(&table->ids, ids);
	slots_drop(ids);
}

/* --- Resting */

static uint16_t *indexes_by_id(const struct table *table)
{
	uint16_t *indexes = allocate(UINT16_MAX + 1, sizeof(*indexes));

	indexes[0] = NOBODY;
	for (size_t i = 0; i < table->count; i++)
		indexes[table->members[i].id] = i;
	return indexes;
}

/* Works the owners' scores out again. */
static void wake(struct table *table)
{
	uint16_t *indexes;

	if (table->scores)
		return;
	indexes = indexes_by_id(table);
	table->scores = allocate(table->slots, sizeof(*table->scores));
	table->owners = allocate(table->slots, sizeof(*table->owners));
	for (uint32_t slot = 0; slot < table->slots; slot++) {
		uint16_t index = indexes[table->ids->ids[slot]];

		table->owners[slot] = NOBODY;
		table->scores[slot] = UINT64_MAX;
		if (index != NOBODY)
			offer(table, index, slot, stratum_of_slot(table, &table->members[index].keys, slot));
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

/* --- The contract */

struct table *table_new(uint32_t slots, const uint64_t hash_key[2])
{
	struct table *table = allocate(1, sizeof(*table));

	table->slots = slots;
	table->slot_bits = __builtin_ctz(slots);
	memcpy(table->hash_key, hash_key, sizeof(table->hash_key));
	table->members = allocate(0, sizeof(*table->members));
	table->ids = slots_new(slots);
	make_nodes(table->nodes);
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
	wake(table);
	successors = allocate(table->count, sizeof(*successors));
	match_members(table, members, count, successors);
	free(table->members);
	table->members = members;
	table->count = count;

	vacant = allocate(table->slots, sizeof(*vacant));
	vacant_count = replace_owners(table, successors, vacant);
	if (count && vacant_count == table->slots) {
		deal_from_scratch(table);
	} else {
		deal_vacant(table, vacant, vacant_count);
		deal_to_rising(table);
	}
	label_slots(table);
	free(successors);
	free(vacant);
	return 0;
}
