// SPDX-License-Identifier: GPL-2.0
/* The balancer: the way of a packet, and the only place that returns XDP_*.
 *
 * Each stage has a file of its own, adds to the flow what it finds (flow.h), and says whether
 * the next one is to be called. They are global functions: the verifier goes through each
 * once, whatever has been before. All stacks of a chain of calls share 512 bytes. */

#include "fast_path.h"
#include "parse.h"
#include "classify.h"
#include "key.h"
#include "owner.h"
#include "send.h"
#include "local.h"
#include "finish.h"

char LICENSE[] SEC("license") = "GPL";

/* The way of every packet. Which stages follow says what has been found. */
static __always_inline int stages(struct xdp_md *ctx)
{
	struct flow flow = {.action = XDP_PASS};
	int next = parse(ctx, &flow); /* headers */

	if (next == NEXT_STAGE)
		next = classify(ctx, &flow); /* service and pool */
	if (next == NEXT_STAGE)
		next = key(ctx, &flow); /* hash of the Call-ID, or whatever the service goes by */
	if (next == NEXT_STAGE)
		next = owner(ctx, &flow); /* backend: hint, table, migration */
	if (next == NEXT_STAGE)
		send(ctx, &flow); /* rewritten, on its way */
	if (flow.verdict == VERDICT_not_service)
		local(ctx, &flow); /* pings, answers to probes */
	return finish(&flow);
}

SEC("xdp.frags")
int balancer(struct xdp_md *ctx)
{
	int action = fast_path(ctx); /* most packets need nothing but this */

	return action == FAST_PATH_DECLINED ? stages(ctx) : action;
}
