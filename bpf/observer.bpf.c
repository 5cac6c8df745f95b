// SPDX-License-Identifier: GPL-2.0
/* The balancer with an observer of its packets: an XDP program that decides as balancer.bpf.c does, with the
 * stages and the maps of it, and then calls observe(). sipxdpd puts this program in place of the other while
 * packets are observed (bpf_link_update), so that the balancer pays nothing for it otherwise. All packets
 * take the stages: the fast path does not keep what observe() needs. */

#include "stages.h"
#include "observe.h"

char LICENSE[] SEC("license") = "GPL";

SEC("xdp.frags")
int observer(struct xdp_md *ctx)
{
	struct observe_start start = {};
	struct flow flow = FLOW_START;
	int action;

	observe_begin(ctx, &start);
	stages(ctx, &flow);
	action = finish(&flow);
	observe(ctx, &flow, &start);
	return action;
}
