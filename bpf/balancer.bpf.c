// SPDX-License-Identifier: GPL-2.0
/* The balancer: the XDP program, which runs the stages of the packet path for each packet.
 *
 * Each stage has its own file, adds its result to the flow (flow.h), and returns NEXT_STAGE or NEXT_FINISH. The
 * stages are global functions, so that the verifier checks each one once, independent of the code before it.
 * The stacks of a chain of calls share 512 bytes. */

#include "fast_path.h"
#include "parse.h"
#include "classify.h"
#include "key.h"
#include "owner.h"
#include "send.h"
#include "local.h"
#include "finish.h"

char LICENSE[] SEC("license") = "GPL";

/* Runs the stages. The sequence ends at the stage that determines the verdict. */
static __always_inline int stages(struct xdp_md *ctx)
{
	struct flow flow = {.action = XDP_PASS, .budget = SIP_PACKET_BUDGET};
	int next = parse(ctx, &flow); /* headers */

	if (next == NEXT_STAGE)
		next = classify(ctx, &flow); /* service and pool */
	if (next == NEXT_STAGE)
		next = key(ctx, &flow); /* hash of the Call-ID, or of a different key that the service selects */
	if (next == NEXT_STAGE)
		next = owner(ctx, &flow); /* backend: hint, table, migration */
	if (next == NEXT_STAGE)
		send(ctx, &flow); /* rewrites and sends the frame */
	if (flow.verdict == VERDICT_not_service)
		local(ctx, &flow); /* echo requests and replies to health probes */
	return finish(&flow);
}

SEC("xdp.frags")
int balancer(struct xdp_md *ctx)
{
	int action = fast_path(ctx); /* sufficient for most packets */

	return action == FAST_PATH_DECLINED ? stages(ctx) : action;
}
