/* SPDX-License-Identifier: GPL-2.0 */
/* Heavy hitters: finds the keys (sources, Call-IDs) with the most packets. The size of the table is fixed, independent
 * of the number of keys. The code compiles for the kernel and for user space.
 *
 * The hash of a key selects a bucket. An entry of the bucket counts the packets of one key, and has a weight. A packet
 * whose key has no entry subtracts 1 from the smallest weight in the bucket. If the weight becomes 0, the key of this
 * packet replaces the key of the entry. Therefore a key with few packets cannot replace a key with many packets, and a
 * flood of forged sources makes the table forget only other sources with few packets.
 *
 * Each packet of a bucket is counted by exactly one entry or by `forgotten`. Therefore:
 *   - A count is never too high. It is too low by at most `forgotten`.
 *   - A key with more packets than `forgotten` has an entry.
 * 1,000,000 forged sources a second add about 1,000 to `forgotten` of each of the 1,024 buckets. */
#pragma once

#include "abi_observe.h"

/* Returns the index of the bucket of a key. Consecutive intervals use different halves of the map. */
static __always_inline __u32 heavy_index(__u64 key, __u32 interval)
{
	return (interval % 2) * HEAVY_BUCKETS + key % HEAVY_BUCKETS;
}

/* Finds the entry of the key; if the key has no entry, the entry with the smallest weight. The result is stored in
 * memory, so that the verifier does not follow the rest of the program once for each value. */
static __always_inline __u32 heavy_find(struct heavy_bucket *bucket, __u64 key)
{
	__u32 least = bucket->weight[0];

	bucket->found = 0;
	for (__u32 i = 0; i < HEAVY_ENTRIES; i++) {
		__u32 weight = bucket->weight[i];

		if (weight && bucket->key[i] == key) {
			bucket->found = i;
			break;
		}
		if (weight < least) {
			least = weight;
			bucket->found = i;
		}
	}
	return bucket->found % HEAVY_ENTRIES;
}

static __always_inline void heavy_clear(struct heavy_bucket *bucket, __u32 interval)
{
	bucket->interval = interval;
	bucket->forgotten = 0;
	bucket->forgotten_suspects = 0;
	for (__u32 i = 0; i < HEAVY_ENTRIES; i++)
		bucket->weight[i] = 0;
}

static __always_inline void heavy_forget(struct heavy_bucket *bucket, const struct heavy_entry *entry)
{
	bucket->forgotten += entry->packets;
	bucket->forgotten_suspects += entry->suspects;
}

static __always_inline void heavy_add(struct heavy_entry *entry, const struct heavy_entry *packet)
{
	entry->bytes += packet->bytes;
	entry->packets += packet->packets;
	entry->initial += packet->initial;
	entry->failed += packet->failed;
	entry->not_sip += packet->not_sip;
	entry->suspects += packet->suspects;
}

/* Counts a packet of a key. `packet` is an entry that counts only this packet; the function adds it to the entry of the
 * key. The caller holds the lock of the bucket. */
static __always_inline void heavy_count(
	struct heavy_bucket *bucket, __u32 interval, __u64 key, const struct heavy_entry *packet)
{
	__u32 i;

	if (bucket->interval != interval)
		heavy_clear(bucket, interval);
	i = heavy_find(bucket, key);
	if (bucket->weight[i] && bucket->key[i] == key) {
		bucket->weight[i]++;
		heavy_add(&bucket->entry[i], packet);
	} else if (bucket->weight[i] > 1) {
		bucket->weight[i]--;
		heavy_forget(bucket, packet);
	} else {
		if (bucket->weight[i])
			heavy_forget(bucket, &bucket->entry[i]);
		bucket->weight[i] = 1;
		bucket->key[i] = key;
		bucket->entry[i] = *packet;
	}
}
