/* SPDX-License-Identifier: GPL-2.0 */
/* Oversize packets: a packet is longer than the MTU towards its backend. The daemon fragments the packet or
 * sends an ICMP error to its sender (RFC 1191, RFC 8201). */
#pragma once

#include "forward.h"
#include "fragments.h"
#include "punt.h"

/* To fragment a packet, the daemon needs all of it. For an ICMP error it needs only the start. */
static __always_inline bool oversize_fits_ring(const struct flow *flow, const struct inner *inner)
{
	return inner->dont_fragment || flow->length <= PUNT_FRAME_SIZE;
}

/* Passes the packet to the daemon and returns VERDICT_oversize. Returns VERDICT_too_big if that is not possible: the
 * ring buffer is full, no daemon reads it, or a jumbo frame would have to be fragmented. Also returns
 * VERDICT_too_big for an ICMP error: it must not be answered with an ICMP error, and its fragments could not be
 * steered. */
__noinline int oversize(struct xdp_md *ctx, const struct flow *flow)
{
	const struct backend *backend = flow ? backend_reachable(flow->backend) : NULL;
	struct inner inner = {};
	struct punt *punt;

	if (!flow || !backend || flow->packet.kind == PACKET_ICMP_ERROR ||
		!inner_read(ctx, flow->packet.ip, flow->packet.ipv6, &inner))
		return VERDICT_too_big;
	if (!oversize_fits_ring(flow, &inner) || !punt_has_reader(&punt_oversize, PUNT_CLASS_OVERSIZE))
		return VERDICT_too_big;
	if (dry_run)
		return VERDICT_oversize;
	punt = punt_frame(ctx, &punt_oversize, PUNT_FRAME_SIZE, PUNT_OVERSIZE);
	if (!punt)
		return VERDICT_too_big;
	punt->key = fragment_key(&flow->packet);
	/* Stores the backend for all fragments, because the first fragment may not contain the key. */
	punt->owner = (struct fragment){.seen = bpf_ktime_get_ns(),
		.backend = flow->backend,
		.split_by_daemon = flow->packet.kind != PACKET_LATER_FRAGMENT,
		.keeps_port = flow->keeps_port,
		.service = flow->service};
	punt->mtu = backend->mtu - outer_size(backend);
	bpf_ringbuf_submit(punt, 0);
	return VERDICT_oversize;
}
