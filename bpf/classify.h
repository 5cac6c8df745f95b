/* SPDX-License-Identifier: GPL-2.0 */
/* The second stage: finds the service and the pool of a packet. If the destination address and port belong to
 * one backend, also finds that backend. */
#pragma once

#include "flow.h"
#include "fragments.h"
#include "vip.h"
#include "text.h"

/* Writes the key with one 64-bit store, because the hash function of the map reads it as one word. */
static __always_inline const struct service *classify_find_ipv4(__be32 vip, __u8 protocol, __be16 port)
{
	union {
		struct service_key_ipv4 key;
		__u64 word;
	} at = {.word = vip | (__u64)port << 32 | (__u64)protocol << 48};

	return bpf_map_lookup_elem(&services_ipv4, &at.key);
}

static __always_inline const struct service *classify_find(const struct address *vip, __u8 protocol, __be16 port)
{
	struct service_key key = {.vip = *vip, .port = port, .protocol = protocol};

	if (address_is_mapped_ipv4(vip))
		return classify_find_ipv4(vip->word[3], protocol, port);
	return bpf_map_lookup_elem(&services, &key);
}

static __always_inline __u16 classify_pool(struct xdp_md *ctx, const struct flow *flow, const struct service *service)
{
	struct sip_start start = {};
	__u32 method;

	if (!(service->flags & SERVICE_METHODS))
		return service->pool[METHOD_NONE];
	text_start(ctx, flow, &start);
	method = start.method;
	/* The verifier does not know the range of the method, so the index needs the mask. The inline assembly
	 * keeps the compiler from removing it. */
	asm volatile("" : "+r"(method));
	return service->pool[method & (METHOD_COUNT - 1)];
}

static __always_inline int classify_service(struct xdp_md *ctx, struct flow *flow, const struct service *service)
{
	flow->has_service = true;
	flow->service = service->id;
	flow->guard = service->guard;
	flow->affinity = service->affinity;
	flow->flags = service->flags;
	flow->hint_group = service->hint_group;
	flow->hash_key[0] = service->hash_key[0];
	flow->hash_key[1] = service->hash_key[1];
	flow->pool = classify_pool(ctx, flow, service);
	return NEXT_STAGE;
}

/* Handles a port that belongs to one backend. If that backend is down, no other backend receives the packet. */
static __always_inline int classify_range(struct flow *flow, const struct port_range *range)
{
	flow->verdict = flow->packet.kind == PACKET_ICMP_ERROR ? VERDICT_icmp_error : VERDICT_port_range;
	flow->has_service = true;
	flow->has_owner = true;
	flow->keeps_port = true;
	flow->reason = REASON_PORT_RANGE;
	flow->service = range->service;
	flow->backend = backend_is_alive(range->backend) ? range->backend : 0;
	return NEXT_STAGE;
}

/* Called if no service has this port. Looks for a port range, then for a service on all ports of the VIP. */
static __always_inline int classify_vip(struct xdp_md *ctx, struct flow *flow)
{
	const struct packet *p = &flow->packet;
	const struct vip *vip = vip_find(&p->destination);
	const struct port_range *range = port_range_find(p, vip);
	const struct service *service;

	if (!vip)
		return flow_finish(flow, VERDICT_not_service);
	if (range && range->backend)
		return classify_range(flow, range);
	service = classify_find(&p->destination, p->protocol, range ? range->port : 0);
	if (service)
		return classify_service(ctx, flow, service);
	if (p->kind == PACKET_FIRST_FRAGMENT) {
		fragment_record(p, FRAGMENT_NOT_SERVICE, 0);
		fragment_forwarded(p);
	}
	return flow_finish(flow, VERDICT_not_service);
}

__noinline int classify(struct xdp_md *ctx, struct flow *flow)
{
	const struct service *service;

	if (!flow)
		return NEXT_FINISH;
	if (flow->packet.kind >= PACKET_ECHO_REQUEST)
		return flow_finish(flow, VERDICT_not_service);
	if (flow->packet.kind == PACKET_LATER_FRAGMENT)
		return fragment_later(ctx, flow);
	if (flow->packet.kind == PACKET_FIRST_FRAGMENT && fragment_is_first_of_split(flow))
		return NEXT_STAGE;
	service = classify_find(&flow->packet.destination, flow->packet.protocol, flow->packet.destination_port);
	return service ? classify_service(ctx, flow, service) : classify_vip(ctx, flow);
}
