/* SPDX-License-Identifier: GPL-2.0 */
/* All stages at once, for the packets that most traffic consists of: UDP or TCP in plain IPv4,
 * to a service that goes by Call-ID (UDP only), flow or source, whose owner is reached by the
 * interface that the packet came in by. It works with registers instead of a flow, and saves nearly half of
 * what the stages take.
 *
 * It decides nothing by itself: what it takes ends as the stages would have it end, to the
 * byte (tests/prog/test_differential.c), and all else is left to them, untouched and not
 * counted. A new feature belongs into the stages; here belongs at most a test that leaves its
 * packets to them. */
#pragma once

#include "classify.h"
#include "finish.h"
#include "forward.h"
#include "key.h"
#include "parse.h"

#define FAST_PATH_DECLINED (-1) /* the stages are to have the packet */

/* Set by tests: everything goes through the stages. */
const volatile bool no_fast_path;

#define PLAIN_PAYLOAD (ETHERNET_SIZE + sizeof(struct iphdr) + sizeof(struct udphdr))

/* The ports of TCP are in the same place; its other fields are not read. */
static __always_inline const struct udphdr *plain_udp(const struct iphdr *ip)
{
	return (const void *)(ip + 1);
}

/* Is the transport header whole, and does the packet hold what it announces? As packet.h asks. */
static __always_inline bool fast_transport_fits(const struct iphdr *ip, __u32 length)
{
	__u32 udp_length = host16(plain_udp(ip)->len);

	if (ip->protocol == IPPROTO_TCP)
		return length >= sizeof(*ip) + sizeof(struct tcphdr);
	return ip->protocol == IPPROTO_UDP && udp_length >= sizeof(struct udphdr) && sizeof(*ip) + udp_length <= length;
}

/* The IP header, if the whole packet can be read and there is nothing special about it: no
 * VLAN tag, no IP option, no fragment, and lengths that fit. */
static __always_inline const struct iphdr *fast_parse(const struct xdp_md *ctx)
{
	const void *start = frame_start(ctx), *end = frame_end(ctx);
	const struct ethhdr *eth = start;
	const struct iphdr *ip = (const void *)(eth + 1);
	__u32 length;

	if (start + PLAIN_PAYLOAD > end)
		return NULL;
	if (eth->h_proto != net16(ETH_P_IP) || *(const __u8 *)ip != 0x45)
		return NULL;
	length = host16(ip->tot_len);
	if (ip->frag_off & net16(0x3fff) || !fast_transport_fits(ip, length))
		return NULL;
	return ETHERNET_SIZE + length <= end - start ? ip : NULL;
}

/* Does the service want more to be looked at than this path does? */
static __always_inline bool fast_covers(const struct xdp_md *ctx, const struct iphdr *ip, const struct service *service)
{
	const __u8 *payload = (const void *)(plain_udp(ip) + 1);

	if (service->affinity > AFFINITY_FLOW || service->flags & (SERVICE_METHODS | SERVICE_ROUTE))
		return false;
	if (ip->protocol == IPPROTO_TCP)
		return service->affinity != AFFINITY_CALL_ID;
	if (!service->hint_group)
		return true;
	/* A response, or an empty line: a Via may name a backend. */
	return (void *)(payload + 4) <= frame_end(ctx) && payload[3] != '/' && payload[0] > ' ';
}

/* The slots of the service's pool; NULL while some of them are migrating. */
static __always_inline const __u16 *fast_slots(const struct service *service)
{
	__u32 id = service->pool[METHOD_NONE], table;
	const struct pool *pool = bpf_map_lookup_elem(&pools, &id);

	if (!pool || pool->migrating)
		return NULL;
	table = pool->table;
	return bpf_map_lookup_elem(&tables, &table);
}

/* The key of what has no Call-ID. */
static __always_inline __u64 fast_source(const struct iphdr *ip, const struct service *service, bool with_port)
{
	struct address source = address_from_ipv4(ip->saddr);
	__be16 port = with_port ? plain_udp(ip)->source : 0;

	return hash_source_ipv4(service->hash_ipv4, &source, port, service->hash_key);
}

/* Where there is no Call-ID the packet is read again, rather than kept in registers, which would have
 * to be saved for all that have one. */
static __always_inline enum verdict fast_call_id(
	struct xdp_md *ctx, const struct iphdr *ip, const struct service *service, __u64 *hash)
{
	struct sip_key key = {.hash_key = {service->hash_key[0], service->hash_key[1]}};
	__u32 end = ETHERNET_SIZE + sizeof(*ip) + host16(plain_udp(ip)->len);
	enum sip_result result = text_call_id(ctx, PLAIN_PAYLOAD, end, &key);

	*hash = key.hash;
	if (result == SIP_FOUND)
		return VERDICT_call_id;
	ip = frame_start(ctx) + ETHERNET_SIZE;
	if ((void *)plain_udp(ip) + sizeof(struct udphdr) <= frame_end(ctx)) /* for the verifier */
		*hash = fast_source(ip, service, true);
	return key_call_id_verdict(result);
}

static __always_inline enum verdict fast_key(
	struct xdp_md *ctx, const struct iphdr *ip, const struct service *service, __u64 *hash)
{
	if (service->affinity == AFFINITY_CALL_ID)
		return fast_call_id(ctx, ip, service, hash);
	*hash = fast_source(ip, service, service->affinity == AFFINITY_FLOW);
	return service->affinity == AFFINITY_FLOW ? VERDICT_flow : VERDICT_source;
}

/* Both MAC addresses lie in a backend's entry as they do in a frame: 12 bytes, copied as the
 * processor likes it, since the compiler takes an Ethernet header for aligned to two bytes. */
static __always_inline bool fast_ethernet(struct xdp_md *ctx, const struct backend *backend)
{
	const void *macs = &backend->next_hop;
	void *frame = frame_start(ctx);

	_Static_assert(offsetof(struct backend, next_hop) % 8 == 0, "alignment of MAC addresses");
	_Static_assert(offsetof(struct backend, interface_mac) == offsetof(struct backend, next_hop) + 6, "one place");
	if (frame + ETHERNET_SIZE > frame_end(ctx))
		return false;
	*(__u64 *)frame = *(const __u64 *)macs;
	*(__u32 *)(frame + 8) = *(const __u32 *)(macs + 8);
	*(__be16 *)(frame + 12) = net16(ETH_P_IP);
	return true;
}

static __always_inline bool fast_tunnel(struct xdp_md *ctx, const struct backend *backend)
{
	struct inner inner = {};
	struct iphdr *outer;

	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*outer)))
		return false;
	outer = frame_start(ctx) + ETHERNET_SIZE;
	if ((void *)(outer + 2) > frame_end(ctx))
		return false; /* for the verifier: there was one header, and now there is room for two */
	inner_read_ipv4(outer + 1, &inner);
	outer_ipv4(outer, backend, &inner);
	ipv4_decrement_ttl(outer + 1);
	return fast_ethernet(ctx, backend);
}

/* Is the frame for this machine? The backend's line is in the cache already, and has the address
 * of the interface that is likely to have received it. */
static __always_inline bool fast_is_local(struct xdp_md *ctx, const struct backend *backend)
{
	const struct ethhdr *eth = frame_start(ctx);

	if ((void *)(eth + 1) > frame_end(ctx))
		return false;
	return parse_is_destination(eth, &backend->interface_mac) || parse_local_mtu(ctx);
}

/* False: the frame is as it was. */
static __always_inline bool fast_send(struct xdp_md *ctx, const struct backend *backend)
{
	const struct iphdr *ip = frame_start(ctx) + ETHERNET_SIZE;

	if (backend->ifindex != ctx->ingress_ifindex || (void *)(ip + 1) > frame_end(ctx))
		return false;
	if (host16(ip->tot_len) + outer_size(backend) > backend->mtu)
		return false;
	if (backend->forward == FORWARD_DSR)
		return fast_ethernet(ctx, backend);
	return ip->ttl > 1 && is_ipv4_tunnel(backend) && fast_tunnel(ctx, backend);
}

/* XDP_TX, or FAST_PATH_DECLINED. */
static __always_inline int fast_path(struct xdp_md *ctx)
{
	const struct iphdr *ip = fast_parse(ctx);
	const struct service *service;
	const struct backend *backend;
	const __u16 *slots;
	enum verdict verdict;
	__u32 length, id;
	__u64 hash;

	if (!ip || no_fast_path)
		return FAST_PATH_DECLINED;
	service = classify_find_ipv4(ip->daddr, ip->protocol, plain_udp(ip)->dest);
	if (!service || !fast_covers(ctx, ip, service))
		return FAST_PATH_DECLINED;
	slots = fast_slots(service);
	if (!slots)
		return FAST_PATH_DECLINED;
	verdict = fast_key(ctx, ip, service, &hash);
	id = slots[hash & slot_mask];
	backend = backend_reachable(id);
	if (!backend || !fast_is_local(ctx, backend) || !fast_send(ctx, backend))
		return FAST_PATH_DECLINED;
	length = frame_end(ctx) - frame_start(ctx) - outer_size(backend);
	finish_count_verdict(verdict);
	finish_count(&service_traffic, service->id, length);
	finish_count(&backend_traffic, id, length);
	return XDP_TX;
}
