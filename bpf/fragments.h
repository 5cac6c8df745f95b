/* SPDX-License-Identifier: GPL-2.0 */
/* Fragments of a datagram go where the first one went: only that one has the ports and, as a
 * rule, the Call-ID (docs/packet-path.md). The map `fragments` remembers it. */
#pragma once

#include "flow.h"
#include "held.h"
#include "ranges.h"

/* The protocol is part of it in IPv4 only (RFC 791, 3.2; RFC 8200, 4.5): in IPv6 the later
 * fragments do not tell it where options lie behind the Fragment header. */
static __always_inline struct fragment_key fragment_key(const struct packet *p)
{
	return (struct fragment_key){.source = p->source,
		.destination = p->destination,
		.id = p->fragment_id,
		.protocol = p->ipv6 ? 0 : p->protocol};
}

/* Remembers where a first fragment goes. */
static __always_inline void fragment_note(const struct packet *p, __u32 service, __u32 backend)
{
	struct fragment_key key = fragment_key(p);
	struct fragment fragment = {.seen = bpf_ktime_get_ns(), .backend = backend, .service = service};

	bpf_map_update_elem(&fragments, &key, &fragment, BPF_ANY);
}

static __always_inline struct fragment *fragment_noted(const struct fragment_key *key)
{
	struct fragment *fragment = bpf_map_lookup_elem(&fragments, key);

	if (!fragment || bpf_ktime_get_ns() - fragment->seen > FRAGMENT_SECONDS * 1000000000ULL)
		return NULL;
	return fragment;
}

/* Gives the frame to the daemon, to be put through the program again when the first
 * fragment has come. */
static __always_inline enum verdict fragment_hold(struct xdp_md *ctx, const struct fragment_key *key)
{
	struct held_frame *held = held_frame_copy_whole(ctx, &held_frames);

	if (!held)
		return VERDICT_orphan_fragment;
	held->key = *key;
	held->mtu = 0;
	bpf_ringbuf_submit(held, 0);
	return VERDICT_held_fragment;
}

/* The owner of the first fragment is that of this one. */
static __always_inline int fragment_follow(const struct fragment *fragment, struct flow *flow)
{
	flow->verdict = VERDICT_fragment;
	flow->in_service = true;
	flow->has_owner = true;
	flow->service = fragment->service;
	flow->backend = fragment->backend;
	return NEXT_STAGE;
}

/* A later fragment. A part of classify. */
static __always_inline int fragment_later(struct xdp_md *ctx, struct flow *flow)
{
	struct fragment_key key = fragment_key(&flow->packet);
	const struct fragment *fragment = fragment_noted(&key);

	if (!fragment && vip_entry(&flow->packet.destination))
		return flow_finish(flow, fragment_hold(ctx, &key));
	if (!fragment || fragment->service == FRAGMENT_IS_KERNELS)
		return flow_finish(flow, VERDICT_not_service);
	return fragment_follow(fragment, flow);
}

/* The first piece of what the daemon has cut up goes where the whole was to go: it may end
 * before the Call-ID. Once, since the next datagram may have the same identification. */
static __always_inline bool fragment_is_first_piece(struct flow *flow)
{
	struct fragment_key key = fragment_key(&flow->packet);
	struct fragment *fragment = fragment_noted(&key);

	if (!fragment || !fragment->whole)
		return false;
	fragment->whole = 0;
	fragment_follow(fragment, flow);
	return true;
}
