/* SPDX-License-Identifier: GPL-2.0 */
/* The fifth stage: sends the packet to its backend. */
#pragma once

#include "forward.h"
#include "oversize.h"

__noinline int send(struct xdp_md *ctx, struct flow *flow)
{
	const struct backend *backend = flow ? backend_reachable(flow->backend) : NULL;
	enum verdict failed;

	if (!flow)
		return NEXT_FINISH;
	if (!backend)
		return flow_finish(flow, VERDICT_no_backend);
	failed = forward(ctx, flow, backend);
	if (failed == VERDICT_too_big)
		failed = oversize(ctx, flow);
	if (failed != VERDICT_CONTINUE)
		flow->verdict = failed;
	else if (flow->packet.kind == PACKET_FIRST_FRAGMENT || flow->packet.kind == PACKET_LATER_FRAGMENT)
		fragment_forwarded(&flow->packet);
	return NEXT_FINISH;
}
