/* SPDX-License-Identifier: GPL-2.0 */
/* Copies a frame into a ring buffer, for the daemon. */
#pragma once

#include "context.h"
#include "maps.h"
#include "packet.h"

static __always_inline bool held_frame_is_whole(const struct held_frame *held)
{
	return held->length <= sizeof(held->frame);
}

/* A record with the frame in it, or as much of it as there is room for. The caller fills in
 * the rest and submits it. NULL: the ring buffer is full. */
static __always_inline struct held_frame *held_frame_copy(struct xdp_md *ctx, void *ring)
{
	struct held_frame *held = bpf_ringbuf_reserve(ring, sizeof(*held), 0);
	__u64 length = bpf_xdp_get_buff_len(ctx);
	__u64 size = length < sizeof(held->frame) ? length : sizeof(held->frame);

	if (!held)
		return NULL;
	/* Not `== 0`: older verifiers learn no lower bound from that. */
	if (size < ETHERNET_SIZE || bpf_xdp_load_bytes(ctx, 0, held->frame, size)) {
		bpf_ringbuf_discard(held, 0);
		return NULL;
	}
	held->ifindex = ctx->ingress_ifindex;
	held->length = length < 0xffff ? length : 0xffff;
	return held;
}

/* The same; NULL also where there is not room for all of it. */
static __always_inline struct held_frame *held_frame_copy_whole(struct xdp_md *ctx, void *ring)
{
	struct held_frame *held = held_frame_copy(ctx, ring);

	if (!held || held_frame_is_whole(held))
		return held;
	bpf_ringbuf_discard(held, 0);
	return NULL;
}
