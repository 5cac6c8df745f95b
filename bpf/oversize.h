/* SPDX-License-Identifier: GPL-2.0 */
/* A packet that would not fit the way to its backend: the daemon gets it, and cuts it up or
 * tells its sender (RFC 1191, RFC 8201). */
#pragma once

#include "forward.h"
#include "fragments.h"
#include "held.h"

/* May be cut up, where somebody has the whole of it. */
static __always_inline bool oversize_fits_ring(const struct held_frame *held, const struct inner *inner)
{
	return inner->dont_fragment || held_frame_is_whole(held);
}

/* Gives it to the daemon: VERDICT_oversize. VERDICT_too_big where that is not possible: no
 * room in the ring buffer, a jumbo frame that would have to be cut up, or an ICMP error, which
 * must not be answered and whose pieces would be steered by nothing. */
__noinline int oversize(struct xdp_md *ctx, const struct flow *flow)
{
	const struct backend *backend = flow ? backend_reachable(flow->backend) : NULL;
	struct inner inner = {};
	struct held_frame *held;

	if (!flow || !backend || flow->packet.kind == PACKET_QUOTE || !inner_read(ctx, &flow->packet, &inner))
		return VERDICT_too_big;
	held = held_frame_copy(ctx, &held_frames);
	if (!held)
		return VERDICT_too_big;
	if (!oversize_fits_ring(held, &inner)) {
		bpf_ringbuf_discard(held, 0);
		return VERDICT_too_big;
	}
	held->key = fragment_key(&flow->packet);
	/* Its pieces go where it would have gone: the first one alone may tell less. */
	held->owner = (struct fragment){.seen = bpf_ktime_get_ns(),
		.backend = flow->backend,
		.whole = flow->packet.kind != PACKET_LATER_FRAGMENT,
		.service = flow->service};
	held->mtu = backend->mtu - outer_size(backend);
	bpf_ringbuf_submit(held, 0);
	return VERDICT_oversize;
}
