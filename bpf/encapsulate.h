/* SPDX-License-Identifier: GPL-2.0 */
/* Adds the outer headers of a tunnel (tunnel.h) to the packet in the frame. */
#pragma once

#include "checksum.h"
#include "flow.h"
#include "hash.h"
#include "maps.h"
#include "tunnel.h"

/* Reads the IP header at the offset `at`; false if it is not directly readable. */
static __always_inline bool inner_read(struct xdp_md *ctx, __u32 at, bool ipv6, struct inner *inner)
{
	const void *ip = frame_at(ctx, at);

	if (ipv6) {
		if (ip + sizeof(struct ipv6hdr) > frame_end(ctx))
			return false;
		inner_read_ipv6(ip, inner);
	} else {
		if (ip + sizeof(struct iphdr) > frame_end(ctx))
			return false;
		inner_read_ipv4(ip, inner);
	}
	return true;
}

/* The checksum covers TTL and protocol as one word. Only the TTL changes. */
static __always_inline void ipv4_decrement_ttl(struct iphdr *ip)
{
	ip->ttl--;
	ip->check = checksum_replace(ip->check, net16(0x0100), 0);
}

/* Encapsulation is a forwarding step, so it decrements the TTL by 1 (RFC 2003 section 3.1). */
static __always_inline int inner_take_hop(struct xdp_md *ctx, void *ip, bool ipv6)
{
	if (ipv6) {
		struct ipv6hdr *ip6 = ip;

		if ((void *)(ip6 + 1) > frame_end(ctx))
			return -1;
		ip6->hop_limit--;
	} else {
		if (ip + sizeof(struct iphdr) > frame_end(ctx))
			return -1;
		ipv4_decrement_ttl(ip);
	}
	return 0;
}

/* The entropy is the hash of the key. A packet with an owner has no hash (a later fragment has no key, for example), so
 * it uses a hash of the source. */
static __always_inline __u32 inner_entropy(const struct flow *flow)
{
	const struct packet *p = &flow->packet;

	if (flow->has_owner)
		return hash_source(&p->source, p->source_port, flow->hash_key) >> 32;
	return flow->hash >> 32;
}

/* Writes the outer headers to the free space between the offset `at` and the inner packet. Returns 0, or -1, which is
 * only for the verifier. This is a global function, so that the verifier checks it once and not for each form of the
 * Ethernet header. */
__noinline int encapsulate(struct xdp_md *ctx, struct flow *flow, __u32 at)
{
	const struct backend *backend = flow ? backend_reachable(flow->backend) : NULL;
	struct inner inner = {};
	__u32 ip;
	void *outer;

	if (!backend)
		return -1;
	ip = at + outer_size(backend);
	if (inner_take_hop(ctx, frame_at(ctx, ip), flow->packet.ipv6) ||
		!inner_read(ctx, ip, flow->packet.ipv6, &inner))
		return -1;
	inner.carrier = outer_protocol(backend->forward, inner.ipv6);
	inner.entropy = inner_entropy(flow);
	outer = frame_at(ctx, at);
	if (is_ipv4_tunnel(backend)) {
		if (outer + sizeof(struct iphdr) > frame_end(ctx))
			return -1;
		outer_ipv4(outer, backend, &inner);
	} else {
		if (outer + sizeof(struct ipv6hdr) > frame_end(ctx))
			return -1;
		outer_ipv6(outer, backend, &inner);
	}
	if (inner.carrier != IPPROTO_UDP)
		return 0;
	outer = frame_at(ctx, ip - sizeof(struct udphdr));
	if (outer + sizeof(struct udphdr) > frame_end(ctx))
		return -1;
	outer_udp(outer, backend, &inner);
	flow->needs_checksum = !is_ipv4_tunnel(backend);
	return 0;
}
