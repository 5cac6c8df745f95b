/* SPDX-License-Identifier: GPL-2.0 */
/* A packet that would not fit the way to its backend: the daemon gets it, and cuts it up or
 * tells its sender (RFC 1191, RFC 8201). */
#pragma once

#include "forward.h"
#include "held.h"
#include "steer.h"

/* May be cut up, where somebody has the whole of it. */
static __always_inline bool oversize_fits_ring(const struct held_frame *held, const struct inner *inner)
{
	return inner->dont_fragment || held_frame_is_whole(held);
}

/* Gives it to the daemon: VERDICT_oversize. VERDICT_too_big where that is not possible: no
 * room in the ring buffer, a jumbo frame that would have to be cut up, or an ICMP error, which
 * nothing may be told about and whose pieces nobody would know for ours. */
__noinline int oversize(struct xdp_md *ctx, const struct packet *p, const struct target *target)
{
	const struct backend *backend = target ? steer_backend(target) : NULL;
	struct inner inner = {};
	struct held_frame *held;

	if (!p || !backend || p->kind == PACKET_QUOTE || !inner_read(ctx, p, &inner))
		return VERDICT_too_big;
	held = held_frame_copy(ctx, &held_frames);
	if (!held)
		return VERDICT_too_big;
	if (!oversize_fits_ring(held, &inner)) {
		bpf_ringbuf_discard(held, 0);
		return VERDICT_too_big;
	}
	held->key = steer_fragment_key(p);
	/* Its pieces go where it would have gone: the first one alone may tell less. */
	held->owner = (struct fragment){.seen = bpf_ktime_get_ns(),
		.backend = target->backend_id,
		.whole = p->kind != PACKET_LATER_FRAGMENT,
		.service = target->service_id};
	held->mtu = backend->mtu - outer_size(backend);
	bpf_ringbuf_submit(held, 0);
	return VERDICT_oversize;
}
