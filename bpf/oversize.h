/* SPDX-License-Identifier: GPL-2.0 */
/* A packet that does not fit the route to its backend: the daemon fragments it or tells its sender (RFC 1191,
 * RFC 8201). */
#pragma once

#include "forward.h"
#include "fragments.h"
#include "punt.h"

/* Fragmentation needs the complete packet; an answer to its sender needs only its start. */
static __always_inline bool oversize_fits_ring(const struct punt *punt, const struct inner *inner)
{
	return inner->dont_fragment || punt->length <= PUNT_FRAME_SIZE;
}

/* Gives the packet to the daemon and returns VERDICT_oversize. Returns VERDICT_too_big if that is not
 * possible: the ring buffer is full or nothing reads it; a jumbo frame must be fragmented; or the packet is an
 * ICMP error, which must not be answered, and whose fragments could not be steered. */
__noinline int oversize(struct xdp_md *ctx, const struct flow *flow)
{
	const struct backend *backend = flow ? backend_reachable(flow->backend) : NULL;
	struct inner inner = {};
	struct punt *punt;

	if (!flow || !backend || flow->packet.kind == PACKET_ICMP_ERROR || !inner_read(ctx, &flow->packet, &inner))
		return VERDICT_too_big;
	if (!punt_has_reader(&punt_oversize, PUNT_CLASS_OVERSIZE))
		return VERDICT_too_big;
	punt = punt_frame(ctx, &punt_oversize, PUNT_FRAME_SIZE, PUNT_OVERSIZE);
	if (!punt)
		return VERDICT_too_big;
	if (!oversize_fits_ring(punt, &inner)) {
		bpf_ringbuf_discard(punt, 0);
		return VERDICT_too_big;
	}
	punt->key = fragment_key(&flow->packet);
	/* Its fragments go to the same backend: the first one alone may not contain the key. */
	punt->owner = (struct fragment){.seen = bpf_ktime_get_ns(),
		.backend = flow->backend,
		.split_by_daemon = flow->packet.kind != PACKET_LATER_FRAGMENT,
		.service = flow->service};
	punt->mtu = backend->mtu - outer_size(backend);
	bpf_ringbuf_submit(punt, 0);
	return VERDICT_oversize;
}
