// SPDX-License-Identifier: GPL-2.0
/* Explains what the balancer makes of a packet. `sipxdp-ctl explain` loads this program with the maps of the balancer,
 * runs it on a packet by BPF_PROG_TEST_RUN, and reads `explanation`. It calls the stages of the balancer in the same
 * order, but counts nothing, and with `dry_run` the stages change no map. It is never attached to an interface. */

#include "parse.h"
#include "classify.h"
#include "key.h"
#include "owner.h"
#include "send.h"
#include "local.h"
#include "explain.h"

char LICENSE[] SEC("license") = "GPL";

SEC("xdp.frags")
int explainer(struct xdp_md *ctx)
{
	struct flow flow = {.action = XDP_PASS, .budget = SIP_PACKET_BUDGET};
	int next = parse(ctx, &flow);

	if (next == NEXT_STAGE)
		next = classify(ctx, &flow);
	if (next == NEXT_STAGE)
		next = key(ctx, &flow);
	explanation.key_verdict = flow.verdict;
	if (next == NEXT_STAGE)
		next = owner(ctx, &flow);
	explain(ctx, &flow); /* before the stages below rewrite the frame */
	if (next == NEXT_STAGE)
		send(ctx, &flow);
	if (flow.verdict == VERDICT_not_service)
		local(ctx, &flow);
	explanation.verdict = flow.verdict;
	explanation.action = flow.action;
	return XDP_PASS;
}
