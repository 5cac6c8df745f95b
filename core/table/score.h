/* SPDX-License-Identifier: GPL-2.0 */
/* The score of a backend for a slot (docs/design/table.md). The backend with the smallest score owns the slot.
 * All arithmetic uses integers of fixed width, because all balancers with the same file must compute the same table,
 * byte for byte. Private to table.c; the functions are inline because they are the inner loop of every change
 * of a table. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "bpf/abi.h"

#define SCORE_ROUNDS                                                                                                   \
	4 /* rounds of the permutation; with only two, the draws of different members are measurably correlated */
#define SCORE_NODE_BITS 10 /* the logarithm is approximated by 2^SCORE_NODE_BITS chords in each octave */
#define SCORE_NODES (1 << SCORE_NODE_BITS)
#define SCORE_FRACTION_BITS 56 /* fraction bits of the logarithm */

/* The parts of a score that depend only on the number of slots: the nodes of the logarithm. */
struct score_scale {
	uint32_t slots;
	unsigned int slot_bits;
	uint64_t nodes[SCORE_NODES + 1];
};

/* The keys of one member; its draws are computed from them. */
struct score_keys {
	struct score_round {
		uint32_t factor, inverse, offset;
	} rounds[SCORE_ROUNDS];
	uint64_t factor, offset; /* for the low bits */
};

static inline uint64_t multiply_high(uint64_t a, uint64_t b)
{
	return (unsigned __int128)a * b >> 64;
}

/* --- The draw: 64 bits, a function of (hash key, name, slot)
 *
 * The high bits are called the stratum. They are a permutation of the slots, different for each member. A member
 * therefore has exactly one draw in each stratum. A member therefore cannot get many small draws by chance,
 * which halves the variance of its share. The inverse permutation lists a member's slots in the order of its draws,
 * smallest first. */

static inline uint64_t rotate(uint64_t x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_rounds(uint64_t v[4], int rounds)
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

/* SipHash-2-4 of a message of 72 bytes: the name, padded with zeros, and the index of the requested value. */
static inline uint64_t keyed_value(const uint64_t key[2], const char name[NAME_SIZE], uint8_t number)
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

/* The inverse modulo 2^32. The start value has 3 correct bits, and each step doubles the number of correct bits. */
static inline uint32_t inverse_of_odd(uint32_t factor)
{
	uint32_t inverse = factor;

	for (int right = 3; right < 32; right *= 2)
		inverse *= 2 - factor * inverse;
	return inverse;
}

static inline struct score_keys score_keys_derive(const uint64_t hash_key[2], const char name[NAME_SIZE])
{
	struct score_keys keys;

	for (int i = 0; i < SCORE_ROUNDS; i++) {
		uint64_t value = keyed_value(hash_key, name, i);
		uint32_t factor = value | 1;

		keys.rounds[i] = (struct score_round){factor, inverse_of_odd(factor), value >> 32};
	}
	keys.factor = keyed_value(hash_key, name, SCORE_ROUNDS) | 1;
	keys.offset = keyed_value(hash_key, name, SCORE_ROUNDS + 1);
	return keys;
}

/* The multiplication propagates low bits upwards, and the shift moves high bits down again. Both are invertible: the
 * factor is odd, and the XOR changes only the lower half. */
static inline uint32_t score_stratum_of_slot(
	const struct score_scale *scale, const struct score_keys *keys, uint32_t slot)
{
	unsigned int half = (scale->slot_bits + 1) / 2;
	uint32_t x = slot;

	for (int i = 0; i < SCORE_ROUNDS; i++) {
		x = (x * keys->rounds[i].factor + keys->rounds[i].offset) & (scale->slots - 1);
		x ^= x >> half;
	}
	return x;
}

static inline uint32_t score_slot_of_stratum(
	const struct score_scale *scale, const struct score_keys *keys, uint32_t stratum)
{
	unsigned int half = (scale->slot_bits + 1) / 2;
	uint32_t x = stratum;

	for (int i = SCORE_ROUNDS - 1; i >= 0; i--) {
		x ^= x >> half;
		x = (x - keys->rounds[i].offset) * keys->rounds[i].inverse & (scale->slots - 1);
	}
	return x;
}

static inline uint64_t score_least_draw(const struct score_scale *scale, uint32_t stratum)
{
	return (uint64_t)stratum << (64 - scale->slot_bits);
}

static inline uint64_t score_draw(
	const struct score_scale *scale, const struct score_keys *keys, uint32_t slot, uint32_t stratum)
{
	return score_least_draw(scale, stratum) | (slot * keys->factor + keys->offset) >> scale->slot_bits;
}

/* --- The score: -log2(1 - draw / 2^64) / weight
 *
 * The score is an exponential variable with the weight as its rate. The probability that a variable is the smallest of
 * several is proportional to its rate. */

/* log2(x / 2^63) for x >= 2^63, rounded down. Each squaring yields one bit. */
static inline uint64_t log2_of_mantissa(uint64_t x)
{
	uint64_t result = 0;

	for (int i = 0; i < SCORE_FRACTION_BITS; i++) {
		uint64_t square = multiply_high(x, x);
		bool bit = square >> 63;

		result = result << 1 | bit;
		x = bit ? square : square << 1;
	}
	return result;
}

static inline void score_scale_init(struct score_scale *scale, uint32_t slots)
{
	scale->slots = slots;
	scale->slot_bits = __builtin_ctz(slots);
	for (uint64_t i = 0; i < SCORE_NODES; i++)
		scale->nodes[i] =
			(1ULL << SCORE_FRACTION_BITS) - log2_of_mantissa((SCORE_NODES + i) << (63 - SCORE_NODE_BITS));
	scale->nodes[SCORE_NODES] = 0;
}

/* -log2(1 - draw / 2^64), interpolated along the chords between the nodes. The result is monotonic in the draw and
 * never below the true value. */
static inline uint64_t score_cost(const struct score_scale *scale, uint64_t draw)
{
	uint64_t rest = ~draw | 1;
	int octave = __builtin_clzll(rest);
	uint64_t fraction = rest << octave << 1;
	const uint64_t *node = scale->nodes + (fraction >> (64 - SCORE_NODE_BITS));

	return ((uint64_t)octave << SCORE_FRACTION_BITS) + node[0] -
	       multiply_high(node[0] - node[1], fraction << SCORE_NODE_BITS);
}

/* Returns true only if the scores of this draw and of all greater draws are above the given score. False means
 * "unknown". This avoids most logarithms: -log2(1 - x) >= x * log2(e) > x * 23/16. */
static inline bool score_is_surely_above(uint64_t draw, uint16_t weight, uint64_t score)
{
	uint64_t least_cost = (draw >> (64 - SCORE_FRACTION_BITS) >> 4) * 23;

	return least_cost >= ((unsigned __int128)score + 1) * weight;
}
