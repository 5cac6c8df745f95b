/* SPDX-License-Identifier: GPL-2.0 */
/* Slots in motion: who gets a packet whose slot is on its way from one owner to another,
 * so that the calls that are there stay where they are (docs/motion.md). The only state
 * about calls that there is, and only for such slots: `notes`. */
#pragma once

#include "flow.h"
#include "maps.h"
#include "text.h"

static __always_inline __u32 motion_seconds(void)
{
	return bpf_ktime_get_ns() / 1000000000ULL;
}

/* TCP: a connection that is there stays, whatever its affinity. */
static __always_inline __u64 motion_hash(const struct flow *flow)
{
	const struct packet *p = &flow->packet;

	if (p->protocol != IPPROTO_TCP)
		return flow->hash;
	return hash_connection(&p->source, &p->destination, p->source_port, p->destination_port, flow->hash_key);
}

/* May the packet start something new? */
static __always_inline bool motion_is_opening(struct xdp_md *ctx, const struct packet *p)
{
	const struct tcphdr *tcp = frame_at(ctx, p->transport);

	if (p->kind == PACKET_QUOTE)
		return false;
	if (p->protocol != IPPROTO_TCP)
		return text_is_opening(ctx, p->payload, p->end);
	return (void *)(tcp + 1) <= frame_end(ctx) && tcp->syn && !tcp->ack;
}

static __always_inline __u32 motion_connection_ended(struct xdp_md *ctx, const struct packet *p, __u32 ended)
{
	const struct tcphdr *tcp = frame_at(ctx, p->transport);

	if ((void *)(tcp + 1) > frame_end(ctx))
		return ended;
	if (tcp->fin || tcp->rst)
		return motion_seconds();
	return tcp->syn ? 0 : ended;
}

/* The hash of what a request's topmost Via says after its protocol, branch and all; 0 if
 * that cannot be read. */
__noinline __u32 motion_via(struct xdp_md *ctx, const struct flow *flow)
{
	struct sip_key key = {};
	__u32 line = 0, colon = 0, at = 0, end;

	if (!flow)
		return 0;
	end = flow->packet.end;
	if (text_start_line(ctx, flow->packet.payload, end, &line) != SIP_FOUND ||
		text_find_header(ctx, line, end, SIP_VIA, &colon) != SIP_FOUND ||
		text_via_host(ctx, colon, end, &at) != SIP_FOUND)
		return 0;
	key.hash_key[0] = flow->hash_key[0];
	key.hash_key[1] = flow->hash_key[1];
	/* As if the space before the host were a header's colon. */
	return text_hash(ctx, at - 1, end, &key) == SIP_FOUND ? key.hash : 0;
}

/* Notes whether the call goes on after a packet. A REGISTER and the like are no calls; a
 * connection is one. An INVITE that has failed ends with an ACK of the same branch, which
 * that of a success has not (RFC 3261, 17.1.1.3). */
static __always_inline void motion_note_end(
	struct xdp_md *ctx, const struct flow *flow, bool opening, struct note *note)
{
	const struct packet *p = &flow->packet;

	if (p->protocol == IPPROTO_TCP) {
		note->ended = motion_connection_ended(ctx, p, note->ended);
		return;
	}
	switch (text_method(ctx, p->payload, p->end)) {
	case METHOD_INVITE:
		note->ended = 0;
		note->invite = opening ? motion_via(ctx, flow) : 0;
		return;
	case METHOD_ACK:
		if (note->invite && note->invite == motion_via(ctx, flow))
			note->ended = motion_seconds();
		return;
	case METHOD_BYE:
	case METHOD_CANCEL:
		note->ended = motion_seconds();
		return;
	case METHOD_PRACK:
	case METHOD_UPDATE:
	case METHOD_INFO:
		return;
	}
	if (!note->seen)
		note->ended = motion_seconds();
}

/* No part of a transaction comes so much later than the one before: retransmissions are 4 s
 * apart (T2 of RFC 3261, 17.1.2.1), and one may be lost. */
#define MOTION_PAUSE 8

/* Would an opening be something new? Where nothing is known, and where it has ended: a
 * REGISTER that is repeated, a keepalive, a port that is used again are not to stay with
 * who takes no new calls. */
static __always_inline bool motion_is_over(const struct flow *flow, const struct note *note)
{
	bool one_call = flow->affinity == AFFINITY_CALL_ID || flow->packet.protocol == IPPROTO_TCP;

	return !note->seen || (one_call && note->ended && motion_seconds() - note->seen >= MOTION_PAUSE);
}

/* The backend that gets the packet; `previous` is the owner that its slot had before. */
static __always_inline __u32 motion_steer(struct xdp_md *ctx, const struct flow *flow, __u32 previous)
{
	struct note_key key = {.hash = motion_hash(flow), .pool = flow->pool, .slot = flow->hash & slot_mask};
	const struct note *noted = bpf_map_lookup_elem(&notes, &key);
	bool opening = motion_is_opening(ctx, &flow->packet);
	struct note note = {};

	if (noted)
		note = *noted;
	if (!backend_is_alive(note.backend))
		note = (struct note){.backend = backend_is_alive(previous) ? previous : flow->backend};
	if (motion_is_over(flow, &note) && opening)
		note = (struct note){.backend = flow->backend};
	if (flow->packet.kind == PACKET_QUOTE || !note.backend)
		return note.backend;
	motion_note_end(ctx, flow, opening, &note);
	note.seen = motion_seconds();
	bpf_map_update_elem(&notes, &key, &note, BPF_ANY);
	return note.backend;
}

/* The backend that gets a packet of a pool of which some slots are migrating; flow->backend
 * is the owner by the table. */
__noinline __u32 motion_owner(struct xdp_md *ctx, const struct flow *flow)
{
	const __u16 *previous;
	__u32 pool;

	if (!flow)
		return 0;
	pool = flow->pool;
	previous = bpf_map_lookup_elem(&former, &pool);
	if (!previous || !previous[flow->hash & slot_mask])
		return flow->backend;
	return motion_steer(ctx, flow, previous[flow->hash & slot_mask]);
}
