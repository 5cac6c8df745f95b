// SPDX-License-Identifier: GPL-2.0
/* The balancer: an XDP program. The kernel runs it for each packet that an interface receives.
 *
 * The packet path consists of stages. Each stage has its own file, and stages.h calls the stages in order. A stage
 * writes its result to the flow (flow.h) and returns NEXT_STAGE or NEXT_FINISH. The stages are global functions: the
 * verifier (the check that the kernel runs when it loads a program) checks each global function only once. All
 * functions in a chain of calls together may use 512 bytes of stack. */

#include "fast_path.h"
#include "stages.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline int by_stages(struct xdp_md *ctx, bool is_judged)
{
	struct flow flow = FLOW_START;

	flow.is_judged = is_judged;
	stages(ctx, &flow);
	return finish(&flow);
}

SEC("xdp.frags")
int balancer(struct xdp_md *ctx)
{
	int action = fast_path(ctx); /* sufficient for most packets */

	return action < 0 ? by_stages(ctx, action == FAST_PATH_JUDGED) : action;
}
