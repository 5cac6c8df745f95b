// SPDX-License-Identifier: GPL-2.0
/* Bench only: the balancer's steps in the balancer's order, ending after any of them. The
 * difference between two ends is what the step between them costs. */

#include "stages.h"
#include "drive.h"
#include "../../bpf/balancer.bpf.c"

const volatile __u32 stage_last; /* enum stage: the step after which the program ends */

/* A value that the compiler must work out though nobody looks at it. */
#define used(value) asm volatile("" ::"r"(value))

SEC("xdp.frags")
int stages(struct xdp_md *ctx)
{
	__u64 bytes = bpf_xdp_get_buff_len(ctx);
	struct target target = {};
	struct packet packet = {};
	struct sip_key key = {};
	int action = XDP_PASS;
	__u32 after = 0;

	if (stage_last == STAGE_NONE)
		return XDP_TX;
	if (parse(ctx, &packet, bytes) != VERDICT_none || stage_last == STAGE_PARSE)
		return XDP_TX;
	target.service = steer_service(&packet);
	if (!target.service || stage_last == STAGE_SERVICE)
		return XDP_TX;
	if (steer_find(ctx, packet.payload, packet.end, &after) != SIP_FOUND || stage_last == STAGE_SCAN)
		return XDP_TX;
	key.hash_key[0] = target.service->hash_key[0];
	key.hash_key[1] = target.service->hash_key[1];
	if (steer_hash(ctx, after, packet.end, &key) != SIP_FOUND || stage_last == STAGE_HASH)
		return XDP_TX;
	target.backend_id = steer_slot(target.service->pool, key.hash);
	used(target.backend_id);
	if (stage_last == STAGE_SLOT)
		return XDP_TX;
	target.backend = bpf_map_lookup_elem(&backends, &target.backend_id);
	if (!target.backend || target.backend->forward == FORWARD_NONE || stage_last == STAGE_BACKEND)
		return XDP_TX;
	if (forward(ctx, &packet, target.backend, &action) != VERDICT_none || stage_last == STAGE_REWRITE)
		return XDP_TX;
	return finish(&target, VERDICT_call_id, bytes, action);
}
