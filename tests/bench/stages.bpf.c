// SPDX-License-Identifier: GPL-2.0
/* Bench only: runs the balancer's stages in the same order, and ends after a given stage. The difference
 * between the times up to two consecutive stages is the cost of the second one. */

#include "stages.h"
#include "drive.h"
#include "bpf/balancer.bpf.c"

const volatile __u32 stage_last; /* enum stage: the stage after which the program ends */

SEC("xdp.frags")
int stage_after(struct xdp_md *ctx)
{
	struct flow flow = {.action = XDP_PASS};

	if (stage_last == STAGE_NONE)
		return XDP_TX;
	if (parse(ctx, &flow) != NEXT_STAGE || stage_last == STAGE_PARSE)
		return XDP_TX;
	if (classify(ctx, &flow) != NEXT_STAGE || stage_last == STAGE_CLASSIFY)
		return XDP_TX;
	if (key(ctx, &flow) != NEXT_STAGE || stage_last == STAGE_KEY)
		return XDP_TX;
	if (owner(ctx, &flow) != NEXT_STAGE || stage_last == STAGE_OWNER)
		return XDP_TX;
	send(ctx, &flow);
	return stage_last == STAGE_SEND ? XDP_TX : finish(&flow);
}
