/* SPDX-License-Identifier: GPL-2.0 */
/* Punts: passes packets that this program cannot process, or messages about packets, to the daemon. Owns the
 * ring buffers. Each class of packets has its own ring buffer, so that a flood of one class does not delay the
 * others. */
#pragma once

#include "frame.h"
#include "maps.h"
#include "packet.h"

#define BPF_RB_AVAIL_DATA 0 /* from linux/bpf.h */
#define BPF_RB_CONS_POS 2

/* Returns whether the daemon reads the ring buffer. The daemon counts as stopped if the ring buffer contains data and
 * the read position has not moved for PUNT_NSEC. The program then adds no packets, because the packets would be
 * outdated when the daemon reads them. A race between CPUs can add or omit one packet. */
static __always_inline bool punt_has_reader(void *ring, __u32 class)
{
	struct punt_reader *reader = bpf_map_lookup_elem(&punt_readers, &class);
	__u64 position = bpf_ringbuf_query(ring, BPF_RB_CONS_POS), now = bpf_ktime_get_ns();

	if (!reader)
		return false;
	if (reader->position == position && bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA))
		return now - reader->since < PUNT_NSEC;
	if (dry_run)
		return true;
	reader->position = position;
	reader->since = now;
	return true;
}

/* Reserves a record with `room` bytes for the frame and copies as much of the frame as fits. `room` must be a
 * constant. The caller fills the other members and submits the record. NULL: the ring buffer is full. */
static __always_inline struct punt *punt_frame(struct xdp_md *ctx, void *ring, __u32 room, __u8 kind)
{
	struct punt *punt = bpf_ringbuf_reserve(ring, PUNT_HEADER + room, 0);
	__u64 length = bpf_xdp_get_buff_len(ctx);
	__u64 size = length < room ? length : room;

	if (!punt)
		return NULL;
	/* The condition is not `== 0`, because older verifiers derive no lower bound from `== 0`. */
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

/* Reserves a record and copies the complete frame. Also returns NULL if the frame is too large. */
static __always_inline struct punt *punt_whole_frame(struct xdp_md *ctx, void *ring, __u8 kind)
{
	__u64 length = bpf_xdp_get_buff_len(ctx);

	if (length <= PUNT_SMALL_FRAME)
		return punt_frame(ctx, ring, PUNT_SMALL_FRAME, kind);
	return length <= PUNT_FRAME_SIZE ? punt_frame(ctx, ring, PUNT_FRAME_SIZE, kind) : NULL;
}
