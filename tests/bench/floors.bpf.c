// SPDX-License-Identifier: GPL-2.0
/* The floors of the bench: the minimum cost of any program with the same effect on the frame. */

#include "bpf/frame.h"

char LICENSE[] SEC("license") = "GPL";

SEC("xdp.frags")
int floor_drop(struct xdp_md *ctx)
{
	return ctx ? XDP_DROP : XDP_ABORTED;
}

SEC("xdp.frags")
int floor_tx(struct xdp_md *ctx)
{
	return ctx ? XDP_TX : XDP_ABORTED;
}

SEC("xdp.frags")
int floor_mac_swap(struct xdp_md *ctx)
{
	struct ethhdr *eth = frame_start(ctx);
	struct mac {
		__u16 part[3];
	} destination;

	if ((void *)(eth + 1) > frame_end(ctx))
		return XDP_DROP;
	__builtin_memcpy(&destination, eth->h_dest, sizeof(destination));
	__builtin_memcpy(eth->h_dest, eth->h_source, sizeof(destination));
	__builtin_memcpy(eth->h_source, &destination, sizeof(destination));
	return XDP_TX;
}

/* Moves the head by an IPv4 header, and back. */
SEC("xdp.frags")
int floor_adjust_head(struct xdp_md *ctx)
{
	if (bpf_xdp_adjust_head(ctx, -20) || bpf_xdp_adjust_head(ctx, 20))
		return XDP_DROP;
	return XDP_TX;
}
