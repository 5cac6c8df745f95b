/* SPDX-License-Identifier: GPL-2.0 */
/* Applies the rules that depend on the source of a packet: finds the list of the source, takes tokens from its buckets,
 * and counts the packet. This file reads no messages. Stages and fast path call the same functions. */
#pragma once

#include "guard_maps.h"
#include "guard_source.h"
#include "maps.h"

/* The number of elements of guard_sources. The loader sets it before it loads the program. */
const volatile __u32 guarded_sources = DEFAULT_GUARDED_SOURCES;

/* A packet for a service with a guard. */
struct guarded {
	union {
		struct address source;
		__u64 source_words[2];
	};
	__u64 hash;  /* of the source */
	__u64 owner; /* guard_source.owner of the source; 0: the element belongs to a different source */
	__u32 guard; /* id */
	__u32 flags; /* enum guard_flags */
	__u32 class; /* index into guard_classes */
	__u32 bytes; /* of the frame */
	__u16 line;  /* offset of the start-line; 0: the message is not SIP */
	__u16 end;   /* of the message */
	__u8 action; /* enum guard_action */
	__u8 bucket; /* enum guard_bucket of the message */
	__u8 rule;   /* of the last result */
	bool enforced : 1;
	bool refused : 1;    /* the rule has the action `refuse` */
	bool may_refuse : 1; /* at least one limit of the source has the action `refuse` */
};

/* Returns the time of the last tick of the timer, in ns of CLOCK_MONOTONIC. It is late by up to two ticks. The kernel's
 * function for it takes 14 ns, and reading the jiffies less than 1 ns, so the program calls the function once per
 * jiffy. The program does not use the number of jiffies itself as a time, because their length depends on the kernel.
 */
static __always_inline __u64 guard_clock(void)
{
	struct guard_clock *clock = bpf_map_lookup_elem(&guard_clocks, &(__u32){0});
	__u64 jiffies = bpf_jiffies64();

	if (!clock)
		return 0;
	if (guard_read(clock->jiffies) != jiffies) {
		guard_write(clock->now, bpf_ktime_get_coarse_ns());
		guard_write(clock->jiffies, jiffies);
	}
	return guard_read(clock->now);
}

enum guard_count {
	GUARD_DROPPED,
	GUARD_REFUSED,
	GUARD_OBSERVED,
};

/* Counts a packet for the rule g->rule. */
__noinline int guard_count(const struct guarded *g, __u32 what)
{
	struct guard_counters *counters;
	__u32 at;

	if (!g || dry_run)
		return 0;
	at = g->guard * GUARD_RULES + g->rule;
	counters = bpf_map_lookup_elem(&guard_counters, &at);
	if (!counters)
		return 0;
	if (what == GUARD_OBSERVED)
		counters->observed++;
	else
		counters->dropped++;
	if (what == GUARD_REFUSED)
		counters->refused++;
	counters->bytes += g->bytes;
	counters->seen = guard_clock();
	counters->source = g->source;
	return 0;
}

static __always_inline struct guard_source *guard_find(const struct guarded *g)
{
	__u32 at = guard_index(g->hash, guarded_sources);

	return bpf_map_lookup_elem(&guard_sources, &at);
}

/* Searches guard_blocks and the lists of the file for the source. */
__noinline __u32 guard_list(const struct guarded *g)
{
	struct guard_prefix key = {.bits = GUARD_PREFIX_BITS(128)};
	const struct guard_block *block, *of_all;
	__u32 first = 0, *list;
	void *trie;

	if (!g)
		return GUARD_LIST_NONE;
	key.guard = net32(g->guard);
	key.address = g->source;
	block = bpf_map_lookup_elem(&guard_blocks, &key);
	key.guard = 0;
	of_all = bpf_map_lookup_elem(&guard_blocks, &key);
	if (of_all && (!block || of_all->bits > block->bits))
		block = of_all;
	if (block)
		return block->list;
	trie = bpf_map_lookup_elem(&guard_prefixes, &first);
	if (!trie)
		return GUARD_LIST_NONE;
	list = bpf_map_lookup_elem(trie, &key);
	return list ? *list & (GUARD_LISTS - 1) : GUARD_LIST_NONE;
}

/* Looks up the list of a source that has no element, or whose element is older than the lists. Assigns the element to
 * the source, if possible. A dry run sets only g->owner: the buckets of the source remain, or are full. */
__noinline __u32 guard_enter(struct guarded *g, __u32 generation)
{
	struct guard_source *source;
	__u64 now, seen, owner;
	__u32 list;

	if (!g)
		return GUARD_LIST_NONE;
	list = guard_list(g);
	source = guard_find(g);
	if (!source)
		return list;
	now = bpf_ktime_get_ns();
	seen = guard_read(source->owner);
	owner = guard_owner(g->hash, generation, list);
	if (guard_owner_is(seen, g->hash))
		g->owner = dry_run ? seen : guard_renew(source, seen, owner);
	else if (guard_is_free(source, seen, now))
		g->owner = dry_run ? owner : guard_take_over(source, seen, owner, now);
	return list;
}

/* The element and the class of a source. */
struct guard_place {
	struct guard_source *source;
	const struct guard_class *class;
};

/* Finds the list and the class of a source. If the action of the list is GUARD_DENY, also sets g->rule and
 * g->enforced. Returns false if an index is invalid. */
static __always_inline bool guard_find_place(struct guarded *g, struct guard_place *place)
{
	const struct guard *guard;
	__u32 list, id = g->guard;

	guard = bpf_map_lookup_elem(&guards, &id);
	if (!guard)
		return false;
	g->flags = guard->flags;
	guard_mask(&g->source, guard);
	g->hash = guard_hash(guard, id, &g->source);
	place->source = guard_find(g);
	if (!place->source)
		return false;
	g->owner = guard_read(place->source->owner);
	if (guard_owner_is_current(g->owner, g->hash, guard->generation)) {
		list = guard_owner_list(g->owner);
	} else {
		g->owner = 0;
		list = guard_enter(g, guard->generation);
	}
	id = guard->first_class + list;
	place->class = bpf_map_lookup_elem(&guard_classes, &id);
	if (!place->class)
		return false;
	g->class = id;
	g->action = place->class->action;
	g->may_refuse = place->class->refused;
	if (g->action == GUARD_DENY) {
		g->rule = list == GUARD_LIST_BLOCKED ? GUARD_RULE_BLOCKED : GUARD_RULE_DENIED;
		g->enforced = place->class->enforced >> g->rule & 1;
	}
	return true;
}

/* The same for callers that need only the results in `g`. */
__noinline int guard_look_up(struct guarded *g)
{
	struct guard_place place;

	return g && guard_find_place(g, &place);
}

enum guard_tokens {
	GUARD_TOKENS_UNKNOWN, /* guard_limit() must decide */
	GUARD_TOKENS_TAKEN,
	GUARD_TOKENS_NONE, /* the source is over an enforced limit: g->rule */
};

/* Takes the tokens for a message of the bucket g->bucket, if its source is certainly below its limits. The clock of the
 * last tick is sufficient, and cheaper than the exact one: a source gains at most the tokens of one tick. */
static __always_inline enum guard_tokens guard_admit(struct guarded *g, const struct guard_place *place)
{
	__u64 now;

	if (dry_run || !g->owner || (g->flags & GUARD_FLAG_BROKEN && !(g->owner & GUARD_OWNER_HAS_SIP)))
		return GUARD_TOKENS_UNKNOWN;
	now = guard_clock();
	if (guard_take_at_once(place->source, place->class, g->bucket, now))
		return GUARD_TOKENS_TAKEN;
	if (!(place->class->enforced >> g->bucket & 1) ||
		!guard_is_certainly_over(place->source, g->owner, place->class, g->bucket, now))
		return GUARD_TOKENS_UNKNOWN;
	g->rule = g->bucket;
	g->enforced = true;
	g->refused = place->class->refused >> g->rule & 1;
	place->source->refused = guard_ticks(now) ?: 1;
	return GUARD_TOKENS_NONE;
}

/* Takes the tokens for a message of the bucket g->bucket. Returns whether the source is over a limit. If so, g->rule is
 * this limit. If the limit is enforced, the function takes no token. */
__noinline int guard_limit(struct guarded *g)
{
	const struct guard_class *class;
	struct guard_source *source;
	__u32 at, over, bucket, ticks;
	__u64 now;

	if (!g)
		return false;
	at = g->class;
	bucket = g->bucket;
	class = bpf_map_lookup_elem(&guard_classes, &at);
	source = guard_find(g);
	if (!class || !source || !g->owner || bucket >= GUARD_BUCKETS)
		return false;
	now = bpf_ktime_get_ns();
	ticks = guard_ticks(now);
	if (!dry_run)
		guard_refresh(source, now);
	over = guard_is_over(source, g->owner, class, bucket, ticks);
	g->enforced = over & class->enforced;
	if (over)
		g->rule = guard_rule_of(g->enforced ? over & class->enforced : over, bucket);
	g->refused = g->enforced && class->refused >> g->rule & 1;
	if (dry_run)
		return over;
	if (over)
		source->refused = ticks ?: 1;
	else if (g->flags & GUARD_FLAG_BROKEN && g->line && !(g->owner & GUARD_OWNER_HAS_SIP))
		__sync_val_compare_and_swap(&source->owner, g->owner, g->owner | GUARD_OWNER_HAS_SIP);
	if (!g->enforced)
		guard_take(source, class, bucket, over ? class->enforced : ~0u, ticks);
	return over;
}
