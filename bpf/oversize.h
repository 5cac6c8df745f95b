/* SPDX-License-Identifier: GPL-2.0 */
/* A packet that would not fit the way to its backend: the daemon gets it, and cuts it up or
 * tells its sender (RFC 1191, RFC 8201). */
#pragma once

#include "forward.h"
#include "fragments.h"
#include "punt.h"

/* May be cut up, where somebody has the whole of it. */
static __always_inline bool oversize_fits_ring(const struct punt *punt, const struct inner *inner)
{
	return inner->dont_fragment || punt->length <= PUNT_FRAME_SIZE;
}

/* Gives it to the daemon: VERDICT_oversize. VERDICT_too_big where that is not possible: the
 * ring buffer has no room, or nothing reads it; a jumbo frame that would have to be cut up; an ICMP
 * error, which must not be answered, nor cut up, because nothing would steer its pieces. */
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
	/* Its pieces go where it would have gone: the first one alone may tell less. */
	punt->owner = (struct fragment){.seen = bpf_ktime_get_ns(),
		.backend = flow->backend,
		.split_by_daemon = flow->packet.kind != PACKET_LATER_FRAGMENT,
		.service = flow->service};
	punt->mtu = backend->mtu - outer_size(backend);
	bpf_ringbuf_submit(punt, 0);
	return VERDICT_oversize;
}
