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
	struct target target = {.for_service = true};
	struct packet packet = {};
	struct sip_key key = {};
	const struct service *service;
	const struct backend *backend;
	int forwarded = XDP_PASS;
	__u32 colon = 0;

	if (stage_last == STAGE_NONE)
		return XDP_TX;
	if (parse(ctx, &packet, bytes) != VERDICT_none || stage_last == STAGE_PARSE)
		return XDP_TX;
	service = steer_service(&packet, packet.destination_port);
	if (!service || stage_last == STAGE_SERVICE)
		return XDP_TX;
	if (text_find(ctx, packet.payload, packet.end, &colon) != SIP_FOUND || stage_last == STAGE_SCAN)
		return XDP_TX;
	key.hash_key[0] = service->hash_key[0];
	key.hash_key[1] = service->hash_key[1];
	if (text_hash(ctx, colon, packet.end, &key) != SIP_FOUND || stage_last == STAGE_HASH)
		return XDP_TX;
	target.service_id = service->id;
	steer_slot(service, steer_pool(ctx, &packet, service), key.hash, &target);
	used(target.backend_id);
	if (stage_last == STAGE_SLOT)
		return XDP_TX;
	backend = steer_backend(&target);
	if (!backend || stage_last == STAGE_BACKEND)
		return XDP_TX;
	if (forward(ctx, &packet, backend, &forwarded) != VERDICT_none || stage_last == STAGE_REWRITE)
		return XDP_TX;
	return finish(&target, VERDICT_call_id, bytes, forwarded);
}
