/* SPDX-License-Identifier: GPL-2.0 */
/* The state of one source (struct guard_source): which source owns an element, and its token buckets. The code compiles
 * for the kernel and for user space, and reads no clock.
 *
 * Several CPUs use an element at the same time. The word `owner` identifies the source that owns the element. The
 * program reads this word once per packet, so that it never applies the list of one source to a packet of a different
 * source. If a bucket has no token, the program reads owner and bucket again (guard_is_over()). Two CPUs that take a
 * token at the same moment may together take only one. This race can let an excess packet pass, but never drops a
 * conforming packet. */
#pragma once

#include "abi_guard.h"
#include "hash.h"

/* guard_source.owner: 36 bits of the hash of the source; 1 bit: the source has sent SIP; 3 bits: sequence number, which
 * each new owner increments; 16 bits: guard.generation at the time when the list was looked up; 8 bits: the list. */
#define GUARD_OWNER_HAS_SIP (1ULL << 27)
#define GUARD_OWNER_SEQUENCE (7ULL << 24)
#define GUARD_OWNER_TAG_SHIFT 28
#define GUARD_OWNER_BUSY (~0ULL) /* a CPU is preparing the element for a new owner */

#define GUARD_EPOCH_SHIFT (GUARD_TICK_SHIFT + 28)
#define GUARD_EPOCHS_IDLE 6 /* after so many units of guard_source.epoch, all buckets are full */
#define GUARD_SURGE_TRIES 4
#define GUARD_TICKS_LATE (25000000u >> GUARD_TICK_SHIFT) /* guard_clock() may be late by two ticks of 10 ms */
#define GUARD_TICKS_A_SECOND (1000000000u >> GUARD_TICK_SHIFT)

_Static_assert(GUARD_LISTS <= 256 && sizeof(((struct guard *)0)->generation) == 2, "guard_source.owner");
_Static_assert((GUARD_EPOCHS_IDLE - 1ULL) << 28 > GUARD_WINDOW_MAX + (1ULL << 27), "an idle source has full buckets");
_Static_assert((GUARD_EPOCHS_IDLE + 0ULL) << 28 < 1ULL << 31, "times are compared only within half a wrap");

/* Other CPUs may change the element at any time: reads a member with exactly one load. */
#define guard_read(member) (*(const volatile __typeof__(member) *)&(member))
#define guard_write(member, value) (*(volatile __typeof__(member) *)&(member) = (value))

/* Returns the same pointer. Reads through it happen after the read of `value`, because their address depends on it.
 * This costs less than a memory barrier. */
static __always_inline struct guard_source *guard_after(struct guard_source *source, __u64 value)
{
#ifdef __bpf__
	asm volatile("%1 &= 0; %0 += %1" : "+r"(source), "+r"(value));
#else
	(void)value;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
	return source;
}

/* Returns the bit in guard.emergency_starts of a text that begins with these two bytes, in either case. If the bit is
 * not set, guard_emergency does not contain the text. */
static __always_inline __u64 guard_start(__u8 first, __u8 second)
{
	return 1ULL << ((((first | 0x20) * 10) + (second | 0x20)) & 63);
}

/* Sets the unused bits of an address to 0. All addresses with the same result are one source. */
static __always_inline void guard_mask(struct address *address, const struct guard *guard)
{
	__u64 *words = (__u64 *)address;

	if (!words[0] && (__u32)words[1] == __builtin_bswap32(0xffff)) {
		words[1] &= guard->ipv4_mask;
		return;
	}
	words[0] &= guard->ipv6_mask[0];
	words[1] &= guard->ipv6_mask[1];
}

/* Returns the hash of a source, whose address guard_mask() has masked. */
static __always_inline __u64 guard_hash(const struct guard *guard, __u32 id, const struct address *source)
{
	const __u64 *words = (const __u64 *)source;
	struct hash hash = {.state = guard->hash_key[0] + id};

	if (words[0])
		hash_word(&hash, words[0]);
	hash_word(&hash, words[1]);
	return hash_finish(hash, guard->hash_key);
}

/* The index of the element, in a map with `count` elements. */
static __always_inline __u32 guard_index(__u64 hash, __u32 count)
{
	return (hash >> 32) * count >> 32;
}

static __always_inline __u32 guard_owner_list(__u64 owner)
{
	return owner & 0xff;
}

static __always_inline bool guard_owner_is(__u64 owner, __u64 hash)
{
	return owner >> GUARD_OWNER_TAG_SHIFT == (hash & (~0ULL >> GUARD_OWNER_TAG_SHIFT));
}

static __always_inline bool guard_owner_is_current(__u64 owner, __u64 hash, __u16 generation)
{
	return guard_owner_is(owner, hash) && (__u16)(owner >> 8) == generation;
}

static __always_inline __u64 guard_owner(__u64 hash, __u16 generation, __u32 list)
{
	return hash << GUARD_OWNER_TAG_SHIFT | (__u64)generation << 8 | list;
}

/* --- times */

static __always_inline __u32 guard_ticks(__u64 nsec)
{
	return nsec >> GUARD_TICK_SHIFT;
}

/* Times in ticks wrap after 73 minutes. This function replaces the times that have passed, before they would count as
 * times in the future. */
static __always_inline void guard_refresh(struct guard_source *source, __u64 now)
{
	__u32 epoch = now >> GUARD_EPOCH_SHIFT;
	__s32 passed = epoch - guard_read(source->epoch);

	if (passed <= 0)
		return;
	for (int i = 0; i < GUARD_BUCKETS; i++)
		if (passed >= GUARD_EPOCHS_IDLE || (__s32)(source->full[i] - guard_ticks(now)) < 0)
			source->full[i] = guard_ticks(now);
	if (passed >= GUARD_EPOCHS_IDLE)
		source->refused = 0;
	__sync_lock_test_and_set(&source->epoch, epoch); /* a CPU that reads the new epoch also reads the new times */
}

/* --- the owner */

/* Returns whether the source was over a limit within about the last second. `now` may be late by GUARD_TICKS_LATE. */
static __always_inline bool guard_was_over(const struct guard_source *source, __u64 now)
{
	__u32 refused = guard_read(source->refused);

	return refused && guard_ticks(now) + GUARD_TICKS_LATE - refused < GUARD_TICKS_A_SECOND;
}

/* Returns whether a different source may take over the element. A source that was over a limit keeps its element for a
 * second, so that it cannot reset its own limit with forged packets of other sources. */
static __always_inline bool guard_is_free(const struct guard_source *source, __u64 owner, __u64 now)
{
	__u32 refused = guard_read(source->refused);

	return owner != GUARD_OWNER_BUSY && !(refused && guard_ticks(now) - refused < GUARD_TICKS_A_SECOND);
}

/* Assigns the element to a new owner, if its old owner is still `seen`. Returns the new word `owner`; 0: a different
 * CPU was faster. */
static __always_inline __u64 guard_take_over(struct guard_source *source, __u64 seen, __u64 owner, __u64 now)
{
	owner |= (seen + (GUARD_OWNER_SEQUENCE & -GUARD_OWNER_SEQUENCE)) & GUARD_OWNER_SEQUENCE;
	if (__sync_val_compare_and_swap(&source->owner, seen, GUARD_OWNER_BUSY) != seen)
		return 0;
	for (int i = 0; i < GUARD_BUCKETS; i++)
		source->full[i] = guard_ticks(now);
	source->refused = 0;
	source->epoch = now >> GUARD_EPOCH_SHIFT;
	__sync_lock_test_and_set(&source->owner, owner);
	return owner;
}

/* Stores the list after a new look-up, and leaves the buckets unchanged. Returns the same as guard_take_over(). */
static __always_inline __u64 guard_renew(struct guard_source *source, __u64 seen, __u64 owner)
{
	owner |= seen & (GUARD_OWNER_SEQUENCE | GUARD_OWNER_HAS_SIP);
	return __sync_val_compare_and_swap(&source->owner, seen, owner) == seen ? owner : 0;
}

/* --- buckets */

/* The configured limit of `rate` packets per second, after `burst` packets at once. Times are rounded down, so that
 * no packet is dropped that the configuration allows. Rates up to 9,700 are exact to 1 %. */
static inline struct guard_limit guard_limit_of(__u32 rate, __u32 burst)
{
	__u64 second = 1000000000, window = rate && burst ? (burst - 1) * second / rate >> GUARD_TICK_SHIFT : 0;

	return (struct guard_limit){
		.interval = rate ? second / rate >> GUARD_TICK_SHIFT : 0,
		.window = window < GUARD_WINDOW_MAX ? window : GUARD_WINDOW_MAX,
	};
}

/* Returns how far the time of a bucket is ahead of now. After a reload with a lower limit, this time may be further
 * ahead than the new limit allows. The bucket then counts as having one token, so that the source never waits longer
 * than the new limit requires. The code has no branches, because the verifier would follow each combination of branches
 * of several buckets. */
static __always_inline __s64 guard_ahead(__u32 full, struct guard_limit limit, __u32 ticks)
{
	__s64 ahead = (__s32)(full - ticks), window = limit.window, foreign;

	ahead &= ~(ahead >> 63);
	foreign = (window + limit.interval - ahead) >> 63;
	return (ahead & ~foreign) | (window & foreign);
}

/* The buckets from which a message takes a token, as bits. `bucket` is the most specific one. */
static __always_inline __u32 guard_buckets(__u32 bucket)
{
	__u32 buckets = 1u << bucket;

	if (bucket == GUARD_BUCKET_DIALOG || bucket == GUARD_BUCKET_EMERGENCY)
		return buckets;
	if (bucket >= GUARD_BUCKET_INITIAL && bucket <= GUARD_BUCKET_OTHER)
		buckets |= 1u << GUARD_BUCKET_INITIAL;
	return buckets | 1u << GUARD_BUCKET_PACKETS;
}

/* Returns the limit of a bucket. The comparison and the index must use the same register for the verifier of Linux 6.1.
 */
static __always_inline struct guard_limit guard_limit_at(const struct guard_class *class, __u64 bucket)
{
	asm volatile("" : "+r"(bucket));
	if (bucket >= GUARD_BUCKETS)
		return (struct guard_limit){};
	return (struct guard_limit){.interval = guard_read(class->limits[bucket].interval),
		.window = guard_read(class->limits[bucket].window)};
}

/* Returns guard_source.full of a bucket. See guard_limit_at() for the register. */
static __always_inline __u32 guard_full_at(const struct guard_source *source, __u64 bucket)
{
	asm volatile("" : "+r"(bucket));
	return bucket < GUARD_BUCKETS ? guard_read(source->full[bucket]) : 0;
}

/* Returns the bit of the bucket if it has no token, else 0. */
static __always_inline __u32 guard_bucket_over(
	const struct guard_source *source, const struct guard_class *class, __u32 bucket, __u32 ticks)
{
	struct guard_limit limit = guard_limit_at(class, bucket);
	__s64 left = (__s64)limit.window - guard_ahead(guard_full_at(source, bucket), limit, ticks);
	__u64 is_over = (__u64)(left & -(__s64)limit.interval) >> 63;

	return is_over << bucket;
}

static __always_inline void guard_bucket_take(
	struct guard_source *source, const struct guard_class *class, __u32 bucket, __u32 ticks)
{
	struct guard_limit limit = guard_limit_at(class, bucket);
	__u32 full = ticks + guard_ahead(guard_full_at(source, bucket), limit, ticks) + limit.interval;
	__u64 at = bucket;

	asm volatile("" : "+r"(at));
	if (limit.interval && at < GUARD_BUCKETS)
		source->full[at] = full;
}

/* Returns whether a bucket has a token. *full becomes the time of the bucket without this token. A bucket without a
 * limit has a token; after a reload that has removed the limit this may return false. */
static __always_inline bool guard_bucket_has_token(
	const struct guard_source *source, const struct guard_class *class, __u32 bucket, __u32 ticks, __u32 *full)
{
	struct guard_limit limit = guard_limit_at(class, bucket);
	__s32 ahead = guard_full_at(source, bucket) - ticks;

	ahead &= ~(ahead >> 31);
	*full = ticks + ahead + limit.interval;
	return (__u32)ahead <= limit.window;
}

/* Takes the tokens of a message whose class is `bucket`. `now` may be behind the clock: a packet that conforms at an
 * earlier time also conforms now. Returns false if only an exact test can decide; no token has been taken then. */
static __always_inline bool guard_take_at_once(
	struct guard_source *source, const struct guard_class *class, __u32 bucket, __u64 now)
{
	__u32 buckets = guard_buckets(bucket), ticks = guard_ticks(now), own, initial = 0, packets;
	__u64 at = bucket;

	if (guard_read(source->epoch) != (__u32)(now >> GUARD_EPOCH_SHIFT) ||
		!guard_bucket_has_token(source, class, bucket, ticks, &own))
		return false;
	if (buckets >> GUARD_BUCKET_INITIAL & 1 &&
		!guard_bucket_has_token(source, class, GUARD_BUCKET_INITIAL, ticks, &initial))
		return false;
	if (buckets >> GUARD_BUCKET_PACKETS & 1) {
		if (!guard_bucket_has_token(source, class, GUARD_BUCKET_PACKETS, ticks, &packets))
			return false;
		source->full[GUARD_BUCKET_PACKETS] = packets;
	}
	if (buckets >> GUARD_BUCKET_INITIAL & 1)
		source->full[GUARD_BUCKET_INITIAL] = initial;
	asm volatile("" : "+r"(at)); /* as in guard_limit_at() */
	if (at < GUARD_BUCKETS)
		source->full[at] = own;
	return true;
}

/* Returns the buckets without a token for this message, as bits; 0: all have one. */
static __always_inline __u32 guard_over(
	const struct guard_source *source, const struct guard_class *class, __u32 bucket, __u32 ticks)
{
	__u32 buckets = guard_buckets(bucket), over = guard_bucket_over(source, class, bucket, ticks);

	if (buckets & 1u << GUARD_BUCKET_INITIAL && bucket != GUARD_BUCKET_INITIAL)
		over |= guard_bucket_over(source, class, GUARD_BUCKET_INITIAL, ticks);
	if (buckets & 1u << GUARD_BUCKET_PACKETS && bucket != GUARD_BUCKET_PACKETS)
		over |= guard_bucket_over(source, class, GUARD_BUCKET_PACKETS, ticks);
	return over;
}

/* Returns whether the bucket of the source whose guard_source.owner is `owner` has no token, although `now` may be late
 * by GUARD_TICKS_LATE. If false, only guard_is_over() can decide. The function reads the owner again after the bucket,
 * so that the bucket of a different source never counts. */
static __always_inline bool guard_is_certainly_over(
	struct guard_source *source, __u64 owner, const struct guard_class *class, __u32 bucket, __u64 now)
{
	struct guard_limit limit = guard_limit_at(class, bucket);
	__s64 ahead;
	__u32 full;

	source = guard_after(source, owner);
	if (guard_read(source->epoch) != (__u32)(now >> GUARD_EPOCH_SHIFT))
		return false;
	full = guard_full_at(source, bucket);
	ahead = (__s32)(full - guard_ticks(now));
	if (ahead <= (__s64)limit.window + GUARD_TICKS_LATE || ahead > (__s64)limit.window + limit.interval)
		return false;
	return guard_read(guard_after(source, full)->owner) == owner;
}

/* Same as guard_over(), for the source whose guard_source.owner is `owner`. If a bucket has no token, the function
 * reads the buckets again between two memory barriers, so that the buckets of a different source never count. */
static __always_inline __u32 guard_is_over(
	struct guard_source *source, __u64 owner, const struct guard_class *class, __u32 bucket, __u32 ticks)
{
	__u32 over = guard_over(source, class, bucket, ticks);

	if (!over)
		return 0;
	if (__sync_fetch_and_or(&source->owner, 0) != owner)
		return 0;
	over = guard_over(source, class, bucket, ticks);
	return __sync_fetch_and_or(&source->owner, 0) == owner ? over : 0;
}

/* Takes a token from each of the buckets of the message that are also in `from`. */
static __always_inline void guard_take(
	struct guard_source *source, const struct guard_class *class, __u32 bucket, __u32 from, __u32 ticks)
{
	__u32 buckets = guard_buckets(bucket) & from;

	if (buckets & 1u << bucket)
		guard_bucket_take(source, class, bucket, ticks);
	if (buckets & 1u << GUARD_BUCKET_INITIAL && bucket != GUARD_BUCKET_INITIAL)
		guard_bucket_take(source, class, GUARD_BUCKET_INITIAL, ticks);
	if (buckets & 1u << GUARD_BUCKET_PACKETS && bucket != GUARD_BUCKET_PACKETS)
		guard_bucket_take(source, class, GUARD_BUCKET_PACKETS, ticks);
}

/* Returns the most specific of the buckets `over`, for a message of the class `bucket`. */
static __always_inline __u32 guard_rule_of(__u32 over, __u32 bucket)
{
	if (over >> bucket & 1)
		return bucket;
	return over >> GUARD_BUCKET_INITIAL & 1 ? GUARD_BUCKET_INITIAL : GUARD_BUCKET_PACKETS;
}

/* --- limits of a service or a backend */

/* Returns whether a limit has no token left. `now` is in ns. */
static __always_inline bool guard_surge_is_over(const struct surge *surge, __u64 now)
{
	__u64 full = guard_read(surge->full);

	return full > now + surge->window && full - now <= surge->window + surge->interval;
}

/* Takes a token from a limit. Returns false if there is none. `now` is in ns. */
static __always_inline bool guard_surge_take(struct surge *surge, __u64 now)
{
	__u64 full = guard_read(surge->full), start, seen;

	for (int i = 0; i < GUARD_SURGE_TRIES; i++) {
		start = full > now ? full : now;
		if (start - now > surge->window + surge->interval)
			start = now + surge->window; /* as guard_ahead() */
		if (start - now > surge->window)
			return false;
		seen = __sync_val_compare_and_swap(&surge->full, full, start + surge->interval);
		if (seen == full)
			return true;
		full = seen;
	}
	return true; /* many CPUs compete for tokens: one packet too many is better than one too few */
}
