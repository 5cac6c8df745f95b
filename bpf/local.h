/* SPDX-License-Identifier: GPL-2.0 */
/* Handles packets that do not belong to a service: echo requests to a VIP, and replies to health probes. */
#pragma once

#include "ping.h"
#include "probe_reply.h"

__noinline int local(struct xdp_md *ctx, struct flow *flow)
{
	if (!flow)
		return NEXT_FINISH;
	flow->verdict =
		flow->packet.kind == PACKET_ECHO_REQUEST ? ping(ctx, &flow->packet) : probe_deliver(ctx, &flow->packet);
	return NEXT_FINISH;
}
