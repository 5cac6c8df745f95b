/* SPDX-License-Identifier: GPL-2.0 */
/* The packet path: calls the stages in order. */
#pragma once

#include "parse.h"
#include "classify.h"
#include "guard_refuse.h"
#include "key.h"
#include "owner.h"
#include "outer_checksum.h"
#include "send.h"
#include "nat_out.h"
#include "return_path.h"
#include "local.h"
#include "finish.h"

#define FLOW_START                                                                                                     \
	{                                                                                                              \
		.action = XDP_PASS, .budget = SIP_PACKET_BUDGET                                                        \
	}

/* Runs the stages that choose the backend, up to the stage that sets the final verdict. Returns NEXT_STAGE if the
 * packet must still be sent. */
static __always_inline int stages_choose(struct xdp_md *ctx, struct flow *flow)
{
	int next = parse(ctx, flow); /* headers */

	if (next == NEXT_STAGE)
		next = classify(ctx, flow); /* service and pool */
	if (next == NEXT_STAGE && flow->has_service)
		next = guard(ctx, flow); /* drops floods and scanners */
	if (flow->refused)
		next = refuse(ctx, flow); /* INVITEs that the guard refuses, to the daemon */
	if (next == NEXT_STAGE)
		next = key(ctx, flow); /* hash of the affinity key, usually the Call-ID */
	if (next == NEXT_STAGE)
		next = owner(ctx, flow); /* backend: hint, table, migration */
	if (next == NEXT_STAGE && (flow->is_invite || flow->refused)) {
		bool is_unplaced = flow->refused;

		next = guard_backend(ctx, flow); /* drops calls above the limit of the service or the backends */
		if (next == NEXT_FINISH)
			balance_forget(flow);
		else if (is_unplaced) /* an emergency call stays at the owner of its slot */
			track_transaction(flow, flow->backend);
		if (flow->refused)
			next = refuse(ctx, flow);
	}
	return next;
}

/* Sends a packet from a backend to its client, and counts it. */
static __always_inline void stages_return(struct xdp_md *ctx, struct flow *flow)
{
	if (nat_out(ctx, flow) != NEXT_STAGE || !(flow->flags & NAT_COUNTS))
		return;
	return_begin(ctx, flow);
	return_call_id(ctx, flow);
	return_path(ctx, flow);
}

/* Runs the other stages. The caller must then call finish(). */
static __always_inline void stages_send(struct xdp_md *ctx, struct flow *flow, int next)
{
	if (next == NEXT_STAGE)
		send(ctx, flow); /* rewrites and sends the frame */
	if (flow->needs_checksum)
		outer_checksum(ctx, flow); /* of a tunnel in IPv6 */
	if (flow->verdict == VERDICT_not_service && nat_source(ctx, flow) == NEXT_STAGE)
		stages_return(ctx, flow);
	if (flow->verdict == VERDICT_not_service)
		local(ctx, flow); /* echo requests, replies to health probes */
}

static __always_inline void stages(struct xdp_md *ctx, struct flow *flow)
{
	int next = stages_choose(ctx, flow);

	stages_send(ctx, flow, next);
}
