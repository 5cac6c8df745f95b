// SPDX-License-Identifier: GPL-2.0
/* Explains how the balancer processes a packet. `sipxdp-ctl explain` loads this program with the maps of the balancer,
 * runs it on a packet by BPF_PROG_TEST_RUN, and reads `explanation`. The program calls the stages of the balancer, but
 * counts nothing, and with `dry_run` the stages change no map. It is never attached to an interface. */

#include "stages.h"
#include "explain.h"

char LICENSE[] SEC("license") = "GPL";

SEC("xdp.frags")
int explainer(struct xdp_md *ctx)
{
	struct flow flow = FLOW_START;
	int next = stages_choose(ctx, &flow);

	explain(ctx, &flow); /* before the stages below rewrite the frame */
	stages_send(ctx, &flow, next);
	explanation.verdict = flow.verdict;
	if (!flow.has_service)
		explanation.backend = flow.backend; /* the sender, if NAT applies to the packet */
	return XDP_PASS;
}
