/* SPDX-License-Identifier: GPL-2.0 */
/* Packets from backends with `forward: nat`: replaces the source with the VIP and sends the packet to the client. The
 * kernel's routing table determines the next hop. Packets to a service do not reach this stage. */
#pragma once

#include "forward.h"
#include "fragments.h"
#include "nat.h"
#include "punt.h"

static __always_inline __u32 nat_flags(void)
{
	const struct nat_settings *settings = bpf_map_lookup_elem(&nat_settings, &(__u32){0});

	return settings ? settings->flags : 0;
}

/* The VIP that replaces the packet's source address and port, or NULL. A first fragment may have any protocol; the
 * entry with protocol 0 stands for the address of the backend (nat_is_backend()). */
static __always_inline const struct nat_vip *nat_find(const struct packet *p, __u32 flags)
{
	struct nat_source key = {.address = p->source, .port = p->source_port, .protocol = p->protocol};
	struct nat_range_key range = {.prefix = PORT_RANGE_KEY_BITS(16),
		.protocol = p->protocol,
		.address = p->source,
		.port = p->source_port};
	const struct nat_vip *vip;

	if (!p->protocol)
		return NULL;
	vip = bpf_map_lookup_elem(&nat_sources, &key);
	return vip || !(flags & NAT_RANGES) ? vip : bpf_map_lookup_elem(&nat_ranges, &range);
}

static __always_inline bool nat_is_backend(const struct packet *p)
{
	struct nat_source key = {.address = p->source};

	return bpf_map_lookup_elem(&nat_sources, &key);
}

/* Sets flow->new_source, flow->new_port, flow->backend, flow->service and flow->flags. A later fragment receives the
 * same source as its first fragment. Returns NEXT_FINISH if the source stays; flow->verdict is then final. This stage
 * is separate from nat_out(), so that its stack is not in use while the packet is sent. */
__noinline int nat_source(struct xdp_md *ctx, struct flow *flow)
{
	const struct fragment *fragment;
	const struct nat_vip *vip;
	const struct packet *p;
	struct fragment_key key;
	__u32 flags = nat_flags();

	if (!flow || !(flags & NAT_ACTIVE) || flow->packet.kind > PACKET_ICMP_ERROR)
		return NEXT_FINISH;
	p = &flow->packet;
	key = fragment_key(p);
	if (p->kind == PACKET_LATER_FRAGMENT) {
		fragment = fragment_find(&key);
		if (!fragment && nat_is_backend(p))
			flow->verdict = fragment_hold(ctx, &key);
		if (!fragment || !fragment->nat_backend)
			return NEXT_FINISH;
		flow->new_source = fragment->vip;
		flow->new_port = 0;
		flow->backend = fragment->nat_backend;
		flow->service = fragment->nat_service;
		flow->flags = fragment->nat_flags;
		return NEXT_STAGE;
	}
	vip = nat_find(p, flags);
	if (!vip) {
		if (p->kind == PACKET_FIRST_FRAGMENT && nat_is_backend(p))
			fragment_record(p, FRAGMENT_NOT_SERVICE, 0);
		return NEXT_FINISH;
	}
	flow->new_source = vip->vip;
	flow->new_port = vip->port;
	flow->backend = vip->backend;
	flow->service = vip->service;
	flow->flags = vip->flags;
	return NEXT_STAGE;
}

/* Finds the next hop to the client. Returns the result of bpf_fib_lookup(). The kernel compares the length of a packet
 * with the MTU of its route. Merged TCP segments (forward_is_merged()) are exempt: their length is given as 0. */
static __always_inline int nat_find_hop(
	struct xdp_md *ctx, const struct flow *flow, const struct inner *inner, struct bpf_fib_lookup *hop)
{
	const struct packet *p = &flow->packet;

	hop->family = p->ipv6 ? AF_INET6 : AF_INET;
	hop->l4_protocol = p->protocol;
	hop->sport = flow->new_port ? flow->new_port : p->source_port;
	hop->dport = p->destination_port;
	hop->tot_len = forward_is_merged(ctx, p, inner) ? 0 : inner->length;
	hop->ifindex = ctx->ingress_ifindex;
	if (p->ipv6) {
		__builtin_memcpy(hop->ipv6_src, &flow->new_source, sizeof(hop->ipv6_src));
		__builtin_memcpy(hop->ipv6_dst, &p->destination, sizeof(hop->ipv6_dst));
	} else {
		hop->tos = inner->tos;
		hop->ipv4_src = flow->new_source.word[3];
		hop->ipv4_dst = p->destination.word[3];
	}
	return bpf_fib_lookup(ctx, hop, sizeof(*hop), 0);
}

/* Returns whether XDP can send through the interface of the next hop: the balancer must be attached to it. XDP cannot
 * send through a VLAN device, a bridge or a tunnel. */
static __always_inline bool nat_can_send(const struct xdp_md *ctx, const struct bpf_fib_lookup *hop)
{
	struct own_mac key = {.ifindex = hop->ifindex};
	__u32 at = INTERFACE_MAC_INDEX(key.ifindex);
	const struct interface_mac *likely = bpf_map_lookup_elem(&interface_macs, &at);

	if (key.ifindex == ctx->ingress_ifindex || (likely && likely->own.ifindex == key.ifindex))
		return true;
	__builtin_memcpy(&key.mac, hop->smac, sizeof(key.mac));
	return bpf_map_lookup_elem(&own_macs, &key);
}

/* Passes the translated packet to the daemon, which sends it through a socket. The kernel then resolves the next hop,
 * and can use interfaces that XDP cannot use. */
static __always_inline enum verdict nat_punt(struct xdp_md *ctx)
{
	struct punt *punt;

	if (!punt_has_reader(&punt_nat, PUNT_CLASS_NAT))
		return VERDICT_nat_lost;
	if (dry_run)
		return VERDICT_nat_held;
	punt = punt_whole_frame(ctx, &punt_nat, PUNT_NAT_OUT);
	if (!punt)
		return VERDICT_nat_lost;
	bpf_ringbuf_submit(punt, 0);
	return VERDICT_nat_held;
}

/* Sends the translated packet to the next hop. Returns the verdict. */
static __always_inline enum verdict nat_send(struct xdp_md *ctx, struct flow *flow, const struct bpf_fib_lookup *hop)
{
	struct backend to = {.ifindex = hop->ifindex};
	bool same_interface = hop->ifindex == ctx->ingress_ifindex;
	struct ethernet_header link;
	int grow;

	__builtin_memcpy(&to.next_hop, hop->dmac, sizeof(to.next_hop));
	__builtin_memcpy(&to.interface_mac, hop->smac, sizeof(to.interface_mac));
	link = forward_ethernet(&flow->packet, &to, same_interface);
	grow = ethernet_header_size(&link) - flow->packet.ip;
	if (grow && bpf_xdp_adjust_head(ctx, -grow))
		return VERDICT_nat_lost;
	if (!ethernet_header_write(ctx, &link))
		return VERDICT_nat_lost; /* only for the verifier */
	flow->action = same_interface ? XDP_TX : bpf_redirect(hop->ifindex, 0);
	return VERDICT_nat_out;
}

/* Records the new source of a first fragment for the later ones. */
static __always_inline void nat_record(const struct flow *flow)
{
	struct fragment_key key = fragment_key(&flow->packet);
	struct fragment fragment = {.seen = bpf_ktime_get_ns(),
		.service = FRAGMENT_NOT_SERVICE,
		.vip = flow->new_source,
		.nat_backend = flow->backend,
		.nat_service = flow->service,
		.nat_flags = flow->flags};

	if (dry_run)
		return;
	bpf_map_update_elem(&fragments, &key, &fragment, BPF_ANY);
	fragment_announce(&key, fragment.seen);
}

/* Translates the packet and sends it. `found`: result of bpf_fib_lookup(). */
static __always_inline enum verdict nat_translate(
	struct xdp_md *ctx, struct flow *flow, const struct bpf_fib_lookup *hop, int found)
{
	const struct packet *p = &flow->packet;

	if (nat_rewrite(ctx, p, &flow->new_source, flow->new_port, NAT_SOURCE))
		return VERDICT_nat_lost;
	if (inner_take_hop(ctx, frame_at(ctx, p->ip), p->ipv6))
		return VERDICT_nat_lost; /* only for the verifier */
	if (p->kind == PACKET_FIRST_FRAGMENT)
		nat_record(flow);
	if (p->kind == PACKET_FIRST_FRAGMENT || p->kind == PACKET_LATER_FRAGMENT)
		fragment_forwarded(p);
	if (found != BPF_FIB_LKUP_RET_SUCCESS || !nat_can_send(ctx, hop))
		return nat_punt(ctx);
	return nat_send(ctx, flow, hop);
}

/* Passes a packet that is too large for its route to the daemon, which fragments it and runs this program on each
 * fragment. If no router may fragment the packet, the kernel sends an ICMP error. */
static __always_inline enum verdict nat_oversize(
	struct xdp_md *ctx, const struct flow *flow, const struct inner *inner, __u32 mtu)
{
	struct punt *punt;

	if (inner->dont_fragment)
		return VERDICT_too_big;
	if (flow->packet.kind == PACKET_ICMP_ERROR || flow->length > PUNT_FRAME_SIZE ||
		!punt_has_reader(&punt_oversize, PUNT_CLASS_OVERSIZE))
		return VERDICT_nat_lost;
	if (dry_run)
		return VERDICT_oversize;
	punt = punt_frame(ctx, &punt_oversize, PUNT_FRAME_SIZE, PUNT_OVERSIZE);
	if (!punt)
		return VERDICT_nat_lost;
	punt->key = fragment_key(&flow->packet);
	punt->owner = (struct fragment){.nat_backend = flow->backend};
	punt->mtu = mtu;
	bpf_ringbuf_submit(punt, 0);
	return VERDICT_oversize;
}

static __always_inline enum verdict nat_out_verdict(struct xdp_md *ctx, struct flow *flow)
{
	struct bpf_fib_lookup hop = {};
	struct inner inner = {};
	int found;

	if (!inner_read(ctx, flow->packet.ip, flow->packet.ipv6, &inner))
		return VERDICT_nat_lost; /* only for the verifier */
	if (inner.ttl <= 1)
		return VERDICT_ttl_expired;
	found = nat_find_hop(ctx, flow, &inner, &hop);
	switch (found) {
	case BPF_FIB_LKUP_RET_SUCCESS:
	case BPF_FIB_LKUP_RET_NO_NEIGH:
	case BPF_FIB_LKUP_RET_UNSUPP_LWT:
		return nat_translate(ctx, flow, &hop, found);
	case BPF_FIB_LKUP_RET_NOT_FWDED: /* for this machine, or without a route */
		return VERDICT_not_service;
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return nat_oversize(ctx, flow, &inner, hop.mtu_result);
	}
	return VERDICT_nat_no_route;
}

/* Returns NEXT_STAGE if the packet goes to its client. */
__noinline int nat_out(struct xdp_md *ctx, struct flow *flow)
{
	if (!flow)
		return NEXT_FINISH;
	flow->verdict = nat_out_verdict(ctx, flow);
	return flow->verdict == VERDICT_nat_out || flow->verdict == VERDICT_nat_held ? NEXT_STAGE : NEXT_FINISH;
}
