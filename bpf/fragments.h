/* SPDX-License-Identifier: GPL-2.0 */
/* Fragments: a later fragment goes to the same backend as the first fragment of its datagram. Owns the maps
 * `fragments`, which stores that backend, and `held_fragments`. If a later fragment arrives before the first
 * one, the daemon holds it until the program announces the first one. */
#pragma once

#include "flow.h"
#include "punt.h"
#include "vip.h"

/* The key contains the protocol for IPv4 only (RFC 791 section 3.2; RFC 8200 section 4.5): in IPv6 a later
 * fragment does not show its transport protocol if extension headers follow the Fragment header. */
static __always_inline struct fragment_key fragment_key(const struct packet *p)
{
	return (struct fragment_key){.source = p->source,
		.destination = p->destination,
		.id = p->fragment_id,
		.protocol = p->ipv6 ? 0 : p->protocol};
}

static __always_inline __u64 *fragment_held_since(const struct fragment_key *key)
{
	__u64 word = (__u64)(key->source.word[3] ^ key->source.word[1]) << 32 | key->id;
	__u32 index = (word * 0x9e3779b97f4a7c15) >> 40 & (HELD_FRAGMENTS - 1);

	return bpf_map_lookup_elem(&held_fragments, &index);
}

/* Informs the daemon that a first fragment has arrived, if the daemon may hold later fragments. This message can be
 * lost (full ring buffer, race between CPUs). In that case the daemon releases the held fragments after a timeout. */
static __always_inline void fragment_announce(const struct fragment_key *key, __u64 now)
{
	__u64 *held_fragments = fragment_held_since(key);
	struct punt *punt;

	if (!held_fragments || !*held_fragments || now - *held_fragments > PUNT_NSEC)
		return;
	punt = bpf_ringbuf_reserve(&punt_fragments, PUNT_HEADER, 0);
	if (!punt)
		return;
	punt->time = now;
	punt->key = *key;
	punt->length = 0;
	punt->kind = PUNT_FIRST_SEEN;
	bpf_ringbuf_submit(punt, 0);
}

/* Stores the backend of a first fragment. */
static __always_inline void fragment_record(const struct packet *p, __u32 service, __u32 backend)
{
	struct fragment_key key = fragment_key(p);
	struct fragment fragment = {.seen = bpf_ktime_get_ns(), .backend = backend, .service = service};

	if (dry_run)
		return;
	bpf_map_update_elem(&fragments, &key, &fragment, BPF_ANY);
	fragment_announce(&key, fragment.seen);
}

/* Marks a part of the datagram as forwarded; offsets are in units of 8 bytes. Returns whether the whole
 * datagram has been forwarded. If two CPUs race, one update may be lost, but a part that was not forwarded is never
 * marked. */
static __always_inline bool fragment_cover(struct fragment *fragment, __u32 from, __u32 to, bool more)
{
	__u32 out_of_order = fragment->out_of_order, part_from = out_of_order >> 16, part_to = out_of_order & 0xffff;

	if (!more)
		fragment->length = to;
	if (out_of_order && from <= part_to && part_from <= to) {
		from = from < part_from ? from : part_from;
		to = to > part_to ? to : part_to;
	}
	if (from > fragment->contiguous)
		fragment->out_of_order = from << 16 | to;
	else if (to > fragment->contiguous)
		fragment->contiguous = to;
	return fragment->length && fragment->contiguous >= fragment->length;
}

/* Called when a fragment has been forwarded. Removes the entry when the whole datagram has been forwarded,
 * because the next datagram may have the same identification. An entry has room for one gap only. If a datagram
 * has more gaps, its entry expires instead. */
static __always_inline void fragment_forwarded(const struct packet *p)
{
	struct fragment_key key = fragment_key(p);
	struct fragment *fragment = bpf_map_lookup_elem(&fragments, &key);
	__u32 units = (p->end - p->transport + 7) / 8;

	if (dry_run)
		return;
	if (fragment && fragment_cover(fragment, p->fragment_at, p->fragment_at + units, p->fragment_more))
		bpf_map_delete_elem(&fragments, &key);
}

/* Stores that the guard has dropped the first fragment of a datagram: its later fragments are dropped, too. */
__noinline int fragment_record_dropped(const struct flow *flow)
{
	struct fragment fragment = {.seen = bpf_ktime_get_ns(), .dropped = 1};
	struct fragment_key key;

	if (!flow || dry_run)
		return 0;
	fragment.service = flow->service;
	key = fragment_key(&flow->packet);
	bpf_map_update_elem(&fragments, &key, &fragment, BPF_ANY);
	fragment_announce(&key, fragment.seen);
	fragment_forwarded(&flow->packet);
	return 0;
}

/* This is a separate function because the calling stage has little stack left. */
__noinline int fragment_record_owner(const struct flow *flow)
{
	if (flow)
		fragment_record(&flow->packet, flow->service, flow->backend);
	return 0;
}

/* Returns NULL if the first fragment is unknown. */
static __always_inline struct fragment *fragment_find(const struct fragment_key *key)
{
	struct fragment *fragment = bpf_map_lookup_elem(&fragments, key);

	if (!fragment || bpf_ktime_get_ns() - fragment->seen > FRAGMENT_NSEC)
		return NULL;
	return fragment;
}

/* Passes a later fragment to the daemon. When the first fragment has arrived, the daemon sends the later fragment
 * through the program again. The program writes the time to held_fragments before it submits the frame to the ring
 * buffer. Therefore either the program finds this time when it processes the first fragment, or the daemon finds the
 * entry of the first fragment when it reads the frame. */
static __always_inline enum verdict fragment_hold(struct xdp_md *ctx, const struct fragment_key *key)
{
	__u64 *held_fragments = fragment_held_since(key);
	struct punt *punt;

	if (!held_fragments || !punt_has_reader(&punt_fragments, PUNT_CLASS_FRAGMENTS))
		return VERDICT_orphan_fragment;
	if (dry_run)
		return VERDICT_held_fragment;
	*held_fragments = bpf_ktime_get_ns();
	punt = punt_whole_frame(ctx, &punt_fragments, PUNT_FRAGMENT);
	if (!punt)
		return VERDICT_orphan_fragment;
	punt->key = *key;
	bpf_ringbuf_submit(punt, 0);
	return VERDICT_held_fragment;
}

/* Selects the backend of the first fragment for a later one. */
static __always_inline int fragment_follow(const struct fragment *fragment, struct flow *flow)
{
	flow->verdict = VERDICT_fragment;
	flow->has_service = true;
	flow->has_owner = true;
	flow->keeps_port = fragment->keeps_port;
	flow->reason = REASON_FRAGMENT;
	flow->service = fragment->service;
	flow->backend = fragment->backend;
	return NEXT_STAGE;
}

/* Classifies a later fragment. */
static __always_inline int fragment_later(struct xdp_md *ctx, struct flow *flow)
{
	struct fragment_key key = fragment_key(&flow->packet);
	const struct fragment *fragment = fragment_find(&key);

	if (!fragment && vip_find(&flow->packet.destination))
		return flow_finish(flow, fragment_hold(ctx, &key));
	if (!fragment)
		return flow_finish(flow, VERDICT_not_service);
	if (fragment->service == FRAGMENT_NOT_SERVICE) {
		if (!fragment->nat_backend)
			fragment_forwarded(&flow->packet);
		return flow_finish(flow, VERDICT_not_service);
	}
	fragment_follow(fragment, flow);
	if (!fragment->dropped)
		return NEXT_STAGE;
	fragment_forwarded(&flow->packet);
	return flow_finish(flow, VERDICT_dropped_fragment);
}

/* If the daemon has fragmented an oversize datagram, its first fragment goes to the backend chosen for the
 * datagram, because that fragment may end before the Call-ID. split_by_daemon is cleared after its first use,
 * because the next datagram may have the same identification. */
static __always_inline bool fragment_is_first_of_split(struct flow *flow)
{
	struct fragment_key key = fragment_key(&flow->packet);
	struct fragment *fragment = fragment_find(&key);

	if (!fragment || !fragment->split_by_daemon)
		return false;
	if (!dry_run)
		fragment->split_by_daemon = 0;
	fragment_follow(fragment, flow);
	return true;
}
