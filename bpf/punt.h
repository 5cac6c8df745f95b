/* SPDX-License-Identifier: GPL-2.0 */
/* Punts: gives the daemon a frame that this program cannot deal with by itself, or word of one.
 * Owns the ring buffers. Each class of urgency has its own, so that a flood of one class does
 * not delay another. */
#pragma once

#include "frame.h"
#include "maps.h"
#include "packet.h"

#define BPF_RB_AVAIL_DATA 0 /* as in linux/bpf.h */
#define BPF_RB_CONS_POS 2

/* A stopped daemon reads nothing. What it would find later is too old to be of use, so nothing
 * is put into a ring that holds data if its reader has not moved for PUNT_NSEC. CPUs that
 * write here at the same time at worst take one packet more, or one less. */
static __always_inline bool punt_has_reader(void *ring, __u32 class)
{
	struct punt_reader *reader = bpf_map_lookup_elem(&punt_readers, &class);
	__u64 position = bpf_ringbuf_query(ring, BPF_RB_CONS_POS), now = bpf_ktime_get_ns();

	if (!reader)
		return false;
	if (reader->position == position && bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA))
		return now - reader->since < PUNT_NSEC;
	reader->position = position;
	reader->since = now;
	return true;
}

/* A record with room for so many bytes of the frame, and as many in it as there are. `room` is a
 * constant. The caller fills in the rest and submits it. NULL: the ring buffer is full. */
static __always_inline struct punt *punt_frame(struct xdp_md *ctx, void *ring, __u32 room, __u8 kind)
{
	struct punt *punt = bpf_ringbuf_reserve(ring, PUNT_HEADER + room, 0);
	__u64 length = bpf_xdp_get_buff_len(ctx);
	__u64 size = length < room ? length : room;

	if (!punt)
		return NULL;
	/* Not `== 0`: older verifiers learn no lower bound from that. */
	if (size < ETHERNET_SIZE || bpf_xdp_load_bytes(ctx, 0, punt->frame, size)) {
		bpf_ringbuf_discard(punt, 0);
		return NULL;
	}
	punt->time = bpf_ktime_get_ns();
	punt->ifindex = ctx->ingress_ifindex;
	punt->length = length < 0xffff ? length : 0xffff;
	punt->mtu = 0;
	punt->kind = kind;
	return punt;
}

/* The same for the whole frame; NULL also where that is too large. */
static __always_inline struct punt *punt_whole_frame(struct xdp_md *ctx, void *ring, __u8 kind)
{
	__u64 length = bpf_xdp_get_buff_len(ctx);

	if (length <= PUNT_SMALL_FRAME)
		return punt_frame(ctx, ring, PUNT_SMALL_FRAME, kind);
	return length <= PUNT_FRAME_SIZE ? punt_frame(ctx, ring, PUNT_FRAME_SIZE, kind) : NULL;
}
