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

/* Passes the packet to the daemon. Returns false if that is not possible: the ring buffer is full, no daemon reads it,
 * or a jumbo frame would have to be fragmented. Also returns false for an ICMP error: it must not be answered with an
 * ICMP error, and its fragments could not be steered. */
static __always_inline bool oversize_punt(struct xdp_md *ctx, const struct flow *flow)
{
	const struct backend *backend = backend_reachable(flow->backend);
	struct inner inner = {};
	struct punt *punt;

	if (!backend || flow->packet.kind == PACKET_ICMP_ERROR ||
		!inner_read(ctx, flow->packet.ip, flow->packet.ipv6, &inner))
		return false;
	if (!oversize_fits_ring(flow, &inner) || !punt_has_reader(&punt_oversize, PUNT_CLASS_OVERSIZE))
		return false;
	if (dry_run)
		return true;
	punt = punt_frame(ctx, &punt_oversize, PUNT_FRAME_SIZE, PUNT_OVERSIZE);
	if (!punt)
		return false;
	punt->key = fragment_key(&flow->packet);
	/* Stores the backend for all fragments, because the first fragment may not contain the key. */
	punt->owner = (struct fragment){.seen = bpf_ktime_get_ns(),
		.backend = flow->backend,
		.split_by_daemon = flow->packet.kind != PACKET_LATER_FRAGMENT,
		.keeps_port = flow->keeps_port,
		.service = flow->service};
	punt->mtu = backend->mtu - outer_size(backend);
	bpf_ringbuf_submit(punt, 0);
	return true;
}

/* Returns the verdict. The kernel would end a TCP connection with a reset, because it has no such connection. The
 * sender repeats a dropped segment, and a later copy finds the daemon. */
__noinline int oversize(struct xdp_md *ctx, const struct flow *flow)
{
	if (!flow)
		return VERDICT_too_big;
	if (oversize_punt(ctx, flow))
		return VERDICT_oversize;
	return flow->packet.protocol == IPPROTO_TCP && flow->packet.kind != PACKET_ICMP_ERROR ? VERDICT_too_big_tcp
											      : VERDICT_too_big;
}
