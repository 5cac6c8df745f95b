/* SPDX-License-Identifier: GPL-2.0 */
/* Bench only. BPF_PROG_TEST_RUN repeats one frame and does not restore it. These functions write a different message,
 * Call-ID, source or VIP into the frame before the program, and remove an outer header after it. drive_idle selects a
 * run of these functions alone; the bench subtracts their cost.
 *
 * Included before bpf/balancer.bpf.c, whose program is compiled into the bench program: the timed code is the shipped
 * source, not a copy. */
#pragma once

#include "bpf/frame.h"
#include "letters.h"

__attribute__((always_inline)) int balancer(struct xdp_md *ctx);

#define DRIVE_FRAME 1536

const volatile __u32 drive_idle;     /* drive alone: the floor of the others */
const volatile __u32 drive_undo;     /* remove the outer header again */
const volatile __u32 drive_rewrite;  /* restore the bytes that a tunnel overwrote in the previous run */
const volatile __u32 drive_letters;  /* offset of 8 bytes that receive random letters; 0: none */
const volatile __u32 drive_words;    /* number of different words; 0: all possible ones */
const volatile __u32 drive_sources;  /* number of different source addresses, a power of two */
const volatile __u32 drive_services; /* number of different VIPs, a power of two */
const volatile __u32 drive_messages; /* number of messages in the corpus, a power of two */
const volatile __u32 drive_first;    /* index of the first of these messages */
const volatile __u32 drive_run;      /* times that each message repeats, a power of two, minus 1 */

struct drive_message {
	__u32 length;
	__u8 frame[DRIVE_FRAME - 4];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct drive_message);
} corpus SEC(".maps");

__u64 drive_random = 0x9e3779b97f4a7c15ULL;
__u32 drive_turn;

/* The bytes that a tunnel overwrites. They are not on the stack, because the balancer needs the whole stack. */
struct drive_saved {
	__u64 start;  /* of a run that measures its own time */
	__u32 length; /* of the frame */
	__u32 macs[3];
	__u16 protocol;
	__u32 ttl4; /* of IPv4: with protocol and checksum */
	__u32 ttl6; /* of IPv6: with length and next header */
} drive_saved;

/* Marsaglia's xorshift64: three shifts, and never zero. */
static __always_inline __u64 drive_next(void)
{
	__u64 x = drive_random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	drive_random = x;
	return x;
}

static __always_inline void drive_put_message(struct xdp_md *ctx, __u64 random)
{
	struct drive_message *message;
	__u32 id, length;

	if (drive_run && drive_turn++ & drive_run)
		return;
	id = drive_first + ((random >> 32) & (drive_messages - 1));
	message = bpf_map_lookup_elem(&corpus, &id);
	if (!message)
		return;
	length = message->length;
	if (length >= 64 && length <= sizeof(message->frame))
		bpf_xdp_store_bytes(ctx, 0, message->frame, length);
}

/* Frames without room for an IPv4 and a UDP header are not changed. */
static __always_inline void drive_vary(struct xdp_md *ctx, __u64 random)
{
	void *at = frame_start(ctx), *end = frame_end(ctx);

	if (at + 64 > end)
		return;
	if (drive_sources)
		*(__u32 *)(at + 26) = 0x0b + ((__u32)(random >> 40 & (drive_sources - 1)) << 8);
	if (drive_services)
		*(__u32 *)(at + 30) = __builtin_bswap32(0x0ac80000 + (random >> 20 & (drive_services - 1)));
	if (drive_letters) {
		at += drive_letters & 0x7ff;
		if (at + 8 <= end)
			*(__u64 *)at = letters(drive_words ? (random >> 32) * drive_words >> 32 : random);
	}
}

/* The kernel does not restore a live frame that was tunnelled: a part of the outer header has overwritten the inner
 * one. For untagged IPv4 only. */
static __always_inline void drive_rewrite_head(struct xdp_md *ctx)
{
	struct ethhdr *eth = frame_start(ctx);
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > frame_end(ctx))
		return;
	__builtin_memset(eth->h_dest, 2, sizeof(eth->h_dest));
	__builtin_memset(eth->h_source, 2, sizeof(eth->h_source));
	eth->h_proto = __builtin_bswap16(0x0800);
	ip->ttl = 64;
}

static __always_inline void drive_before(struct xdp_md *ctx)
{
	void *at;

	if (drive_messages)
		drive_put_message(ctx, drive_next());
	if (drive_letters || drive_sources || drive_services)
		drive_vary(ctx, drive_next());
	if (drive_rewrite)
		drive_rewrite_head(ctx);
	if (!drive_undo)
		return;
	at = frame_start(ctx);
	drive_saved.length = bpf_xdp_get_buff_len(ctx);
	if (at + 34 > frame_end(ctx))
		return;
	__builtin_memcpy(drive_saved.macs, at, 12);
	drive_saved.protocol = *(__u16 *)(at + 12);
	drive_saved.ttl4 = *(__u32 *)(at + 22);
	drive_saved.ttl6 = *(__u32 *)(at + 18);
	if (drive_idle)
		bpf_xdp_adjust_head(ctx, -20);
}

static __always_inline void drive_after(struct xdp_md *ctx)
{
	__u32 grown;
	void *at;

	if (!drive_undo)
		return;
	grown = bpf_xdp_get_buff_len(ctx) - drive_saved.length;
	if (grown && grown <= 48)
		bpf_xdp_adjust_head(ctx, grown);
	at = frame_start(ctx);
	if (at + 34 > frame_end(ctx))
		return;
	__builtin_memcpy(at, drive_saved.macs, 12);
	*(__u16 *)(at + 12) = drive_saved.protocol;
	if (drive_saved.protocol == __builtin_bswap16(0x0800))
		*(__u32 *)(at + 22) = drive_saved.ttl4;
	else
		*(__u32 *)(at + 18) = drive_saved.ttl6;
}

/* The body of a program that is timed from outside. */
static __always_inline int drive_once(struct xdp_md *ctx)
{
	int action = XDP_TX;

	drive_before(ctx);
	if (!drive_idle)
		action = balancer(ctx);
	drive_after(ctx);
	return action;
}

/* Measures a single run itself, and returns the ns. */
static __always_inline int drive_timed(struct xdp_md *ctx)
{
	drive_saved.start = bpf_ktime_get_ns();
	if (!drive_idle)
		balancer(ctx);
	return bpf_ktime_get_ns() - drive_saved.start;
}
