// SPDX-License-Identifier: GPL-2.0
/* The balancer: an XDP program. The kernel runs it for each packet that an interface receives.
 *
 * The packet path consists of stages. Each stage has its own file. A stage writes its result to the flow
 * (flow.h) and returns NEXT_STAGE or NEXT_FINISH. The stages are global functions: the verifier (the check that
 * the kernel runs when it loads a program) checks each global function only once. All functions in a chain of
 * calls together may use 512 bytes of stack. */

#include "fast_path.h"
#include "parse.h"
#include "classify.h"
#include "key.h"
#include "owner.h"
#include "send.h"
#include "local.h"
#include "finish.h"

char LICENSE[] SEC("license") = "GPL";

/* Runs the stages in order, up to the stage that sets the final verdict. */
static __always_inline int stages(struct xdp_md *ctx)
{
	struct flow flow = {.action = XDP_PASS, .budget = SIP_PACKET_BUDGET};
	int next = parse(ctx, &flow); /* headers */

	if (next == NEXT_STAGE)
		next = classify(ctx, &flow); /* service and pool */
	if (next == NEXT_STAGE)
		next = key(ctx, &flow); /* hash of the affinity key, usually the Call-ID */
	if (next == NEXT_STAGE)
		next = owner(ctx, &flow); /* backend: hint, table, migration */
	if (next == NEXT_STAGE)
		send(ctx, &flow); /* rewrites and sends the frame */
	if (flow.verdict == VERDICT_not_service)
		local(ctx, &flow); /* echo requests, replies to health probes */
	return finish(&flow);
}

SEC("xdp.frags")
int balancer(struct xdp_md *ctx)
{
	int action = fast_path(ctx); /* sufficient for most packets */

	return action == FAST_PATH_DECLINED ? stages(ctx) : action;
}
