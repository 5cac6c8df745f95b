// SPDX-License-Identifier: GPL-2.0
/* The balancer with observers of its packets: an XDP program that uses the stages and the maps of balancer.bpf.c,
 * makes the same decisions, and then calls observe(). While at least one observer is active, sipxdpd replaces the
 * program `balancer` with this program (bpf_link_update). At other times observers therefore cost nothing. All packets
 * pass through the stages, because the fast path does not store the values that observe() needs. */

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
