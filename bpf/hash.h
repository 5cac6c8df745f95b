/* SPDX-License-Identifier: GPL-2.0 */
/* The 64-bit hash of a key (a Call-ID or a source). Its low bits select the slot. The code compiles for the
 * kernel and for user space, so that `sipxdp-ctl lookup` gives the same result as the packet path.
 *
 * The hash is keyed: an attacker who does not know `hash_key:` cannot construct Call-IDs that share a slot. A
 * cryptographic MAC would not add protection: to overload one backend, an attacker can simply repeat one
 * Call-ID. */
#pragma once

#include "abi.h"

struct hash {
	__u64 state;
};

static __always_inline struct hash hash_start(const __u64 key[2])
{
	return (struct hash){.state = key[0]};
}

/* Multiplies the two halves of the keyed word. The effect of a difference between two inputs then depends on the key.
 * With a constant multiplier, some differences in the high bits would cancel each other for every key. */
static __always_inline void hash_word(struct hash *hash, __u64 word)
{
	__u64 x = hash->state ^ word;

	hash->state = (x & 0xffffffff) * (x >> 32) + __builtin_bswap64(x);
}

/* The finalizer of MurmurHash3 (fmix64), with the second half of the key mixed in. */
static __always_inline __u64 hash_finish(struct hash hash, const __u64 key[2])
{
	__u64 x = hash.state ^ key[1];

	x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdULL;
	x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ULL;
	return x ^ (x >> 33);
}

static __always_inline void hash_address(struct hash *hash, const struct address *address)
{
	hash_word(hash, (__u64)address->word[0] << 32 | address->word[1]);
	hash_word(hash, (__u64)address->word[2] << 32 | address->word[3]);
}

/* The hash of a source address and port. */
static __always_inline __u64 hash_source(const struct address *address, __be16 port, const __u64 key[2])
{
	struct hash hash = hash_start(key);

	hash_address(&hash, address);
	hash_word(&hash, port);
	return hash_finish(hash, key);
}

/* The first half of an IPv4 address in `struct address` is 0, so its effect on the hash is the same for all
 * IPv4 addresses and is computed once for each service. */
static __always_inline __u64 hash_start_ipv4(const __u64 key[2])
{
	struct hash hash = hash_start(key);

	hash_word(&hash, 0);
	return hash.state;
}

/* hash_source() for an IPv4 address; `start` is hash_start_ipv4(key). */
static __always_inline __u64 hash_source_ipv4(
	__u64 start, const struct address *address, __be16 port, const __u64 key[2])
{
	struct hash hash = {.state = start};

	hash_word(&hash, (__u64)address->word[2] << 32 | address->word[3]);
	hash_word(&hash, port);
	return hash_finish(hash, key);
}

/* The hash of a connection: of the addresses and ports of both ends. */
static __always_inline __u64 hash_connection(const struct address *source, const struct address *destination,
	__be16 source_port, __be16 destination_port, const __u64 key[2])
{
	struct hash hash = hash_start(key);

	hash_address(&hash, source);
	hash_address(&hash, destination);
	hash_word(&hash, (__u32)source_port << 16 | destination_port);
	return hash_finish(hash, key);
}
