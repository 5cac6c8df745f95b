/* SPDX-License-Identifier: GPL-2.0 */
/* The first stage: passes frames for other hosts to the kernel. Reads the headers of all other frames into
 * flow->packet (packet.h). */
#pragma once

#include "flow.h"
#include "maps.h"

static __always_inline bool parse_is_destination(const struct ethhdr *eth, const struct mac *mac)
{
	const void *a = eth->h_dest, *b = mac;

	return *(const __u32 *)a == *(const __u32 *)b && *(const __u16 *)(a + 4) == *(const __u16 *)(b + 4);
}

/* Returns the entry of the receiving interface, if the frame is addressed to the MAC address in it, else NULL. */
static __always_inline const struct interface_mac *parse_interface(const struct xdp_md *ctx)
{
	const struct ethhdr *eth = frame_start(ctx);
	__u32 at = INTERFACE_MAC_INDEX(ctx->ingress_ifindex);
	const struct interface_mac *likely = bpf_map_lookup_elem(&interface_macs, &at);

	if (!likely || (void *)(eth + 1) > frame_end(ctx) || likely->own.ifindex != ctx->ingress_ifindex)
		return NULL;
	return parse_is_destination(eth, &likely->own.mac) ? likely : NULL;
}

/* Returns the MTU of the receiving interface if the frame is addressed to this machine, else 0. A switch floods
 * frames for a host if it does not know the host's port. Without this test, two balancers would forward such frames
 * to each other forever. This is a separate function because the fast path also calls it and has no space on its
 * stack for the map key. */
__noinline __u32 parse_local_mtu(struct xdp_md *ctx)
{
	const struct ethhdr *eth = frame_start(ctx);
	struct own_mac key = {.ifindex = ctx->ingress_ifindex};
	const struct interface_mac *likely = parse_interface(ctx);
	const __u32 *mtu;

	if (likely)
		return likely->mtu;
	if ((void *)(eth + 1) > frame_end(ctx))
		return 0;
	__builtin_memcpy(&key.mac, eth->h_dest, sizeof(key.mac));
	mtu = bpf_map_lookup_elem(&own_macs, &key);
	return mtu ? *mtu : 0;
}

static __always_inline struct cursor parse_cursor(const struct xdp_md *ctx, const struct flow *flow)
{
	return (struct cursor){
		.data = frame_start(ctx),
		.data_end = frame_end(ctx),
		.length = flow->length,
		.zero = unknown_zero(ctx),
	};
}

/* Reads an ICMP message. This is a global function, so that the verifier checks this code once and not for each
 * path through the outer headers. */
__noinline int parse_icmp(struct xdp_md *ctx, struct flow *flow)
{
	struct cursor cursor;

	if (!flow)
		return 0;
	cursor = parse_cursor(ctx, flow);
	cursor.at = flow->packet.transport & FRAME_OFFSET_MASK;
	packet_parse_icmp(&cursor, &flow->packet);
	return 0;
}

__noinline int parse(struct xdp_md *ctx, struct flow *flow)
{
	struct cursor cursor;

	if (!flow)
		return NEXT_FINISH;
	if (!parse_local_mtu(ctx))
		return flow_finish(flow, VERDICT_other_host);
	flow->length = bpf_xdp_get_buff_len(ctx);
	cursor = parse_cursor(ctx, flow);
	flow->verdict = packet_parse(&cursor, &flow->packet);
	if (flow->packet.kind == PACKET_ICMP)
		parse_icmp(ctx, flow);
	return flow->verdict == VERDICT_CONTINUE ? NEXT_STAGE : NEXT_FINISH;
}
