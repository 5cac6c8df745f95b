/* SPDX-License-Identifier: GPL-2.0 */
/* Sends a packet to a backend. For direct server return, it rewrites the Ethernet header. For IP-in-IP, it also
 * adds an outer IP header (RFC 2003, RFC 2473). */
#pragma once

#include "checksum.h"
#include "flow.h"
#include "ethernet.h"
#include "nat.h"
#include "parse.h"

#define OUTER_TTL 64

/* The Don't Fragment bit is set in every outer header. A backend that decapsulates in XDP cannot reassemble
 * fragments. With this bit, a router reports the size that fits instead (RFC 2003 section 5.1). */
#define OUTER_DONT_FRAGMENT 0x4000

/* The checksum covers TTL and protocol as one word. Only the TTL changes. */
static __always_inline void ipv4_decrement_ttl(struct iphdr *ip)
{
	ip->ttl--;
	ip->check = checksum_replace(ip->check, net16(0x0100), 0);
}

/* The fields of the inner header that the outer header needs. */
struct inner {
	__u32 length; /* up to 65,575 for IPv6 */
	__u8 tos;     /* type of service, or IPv6 traffic class */
	__u8 ttl;     /* time to live, or IPv6 hop limit */
	__be16 id;
	bool dont_fragment;
	bool ipv6;
};

/* Writes whole words and adds each one to the checksum, so that the checksum code need not read them again. */
static __always_inline void outer_ipv4(struct iphdr *ip, const struct backend *backend, const struct inner *inner)
{
	__u8 protocol = inner->ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	__be16 fragment = net16(OUTER_DONT_FRAGMENT);
	__be32 *to = (void *)ip, word;
	__u64 sum;

	word = 0x45 | inner->tos << 8 | (__u32)net16(inner->length + sizeof(*ip)) << 16;
	to[0] = word;
	sum = word;
	word = inner->id | (__u32)fragment << 16;
	to[1] = word;
	sum += word;
	word = backend->source.word[3];
	to[3] = word;
	sum += word;
	word = backend->address.word[3];
	to[4] = word;
	sum += word;
	word = OUTER_TTL | protocol << 8;
	sum += word;
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	to[2] = word | (__u32)(__u16)~sum << 16;
}

static __always_inline void outer_ipv6(struct ipv6hdr *ip, const struct backend *backend, const struct inner *inner)
{
	*(__be32 *)ip = net32(6U << 28 | (__u32)inner->tos << 20);
	ip->payload_len = net16(inner->length);
	ip->nexthdr = inner->ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	ip->hop_limit = OUTER_TTL;
	__builtin_memcpy(&ip->saddr, &backend->source, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, &backend->address, sizeof(ip->daddr));
}

static __always_inline void inner_read_ipv4(const struct iphdr *ip, struct inner *inner)
{
	inner->length = host16(ip->tot_len);
	inner->tos = ip->tos;
	inner->ttl = ip->ttl;
	inner->id = ip->id;
	inner->dont_fragment = (ip->frag_off & net16(0x4000)) != 0;
}

/* Reads the fields that an outer header needs; false if the header is not directly readable. */
static __always_inline bool inner_read(struct xdp_md *ctx, const struct packet *p, struct inner *inner)
{
	const void *ip = frame_at(ctx, p->ip);

	inner->ipv6 = p->ipv6;
	if (p->ipv6) {
		const struct ipv6hdr *ip6 = ip;

		if ((void *)(ip6 + 1) > frame_end(ctx))
			return false;
		inner->length = host16(ip6->payload_len) + sizeof(*ip6);
		inner->tos = host16(*(const __be16 *)ip6) >> 4;
		inner->ttl = ip6->hop_limit;
		inner->dont_fragment = true;
	} else {
		const struct iphdr *ip4 = ip;

		if ((void *)(ip4 + 1) > frame_end(ctx))
			return false;
		inner_read_ipv4(ip4, inner);
	}
	return true;
}

static __always_inline bool is_ipv4_tunnel(const struct backend *backend)
{
	return address_is_mapped_ipv4(&backend->address);
}

static __always_inline __u32 outer_size(const struct backend *backend)
{
	if (backend->forward != FORWARD_IPIP)
		return 0;
	return is_ipv4_tunnel(backend) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
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

/* Writes the outer header to the free space at `ip`. Returns 0 or -1. */
static __always_inline int encapsulate(
	struct xdp_md *ctx, void *ip, const struct backend *backend, const struct inner *inner)
{
	if (is_ipv4_tunnel(backend)) {
		if (ip + sizeof(struct iphdr) > frame_end(ctx))
			return -1;
		outer_ipv4(ip, backend, inner);
		return inner_take_hop(ctx, ip + sizeof(struct iphdr), inner->ipv6);
	}
	if (ip + sizeof(struct ipv6hdr) > frame_end(ctx))
		return -1;
	outer_ipv6(ip, backend, inner);
	return inner_take_hop(ctx, ip + sizeof(struct ipv6hdr), inner->ipv6);
}

/* Prepares the Ethernet header. A frame that leaves through the interface that received it keeps its VLAN
 * tags. */
static __always_inline struct ethernet_header forward_ethernet(
	const struct packet *p, const struct backend *backend, bool same_interface)
{
	struct ethernet_header link = {.destination = backend->next_hop, .source = backend->interface_mac};
	bool ipv6 = backend->forward == FORWARD_IPIP ? !is_ipv4_tunnel(backend) : p->ipv6;

	link.protocol = net16(ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	if (same_interface) {
		link.vlan_count = p->vlan_count;
		link.vlan[0] = p->vlan[0];
		link.vlan[1] = p->vlan[1];
	}
	return link;
}

/* Returns true if the packet consists of several TCP segments. In generic mode, several segments can arrive as one
 * packet longer than any frame. Either the receiving interface has merged them (GRO), or a sender on the same
 * machine has not split them yet (TSO). */
static __always_inline bool forward_is_merged(struct xdp_md *ctx, const struct packet *p, const struct inner *inner)
{
	return p->protocol == IPPROTO_TCP && p->kind == PACKET_WHOLE && inner->length > parse_local_mtu(ctx);
}

/* Rewrites the packet for the backend. VERDICT_CONTINUE: success. flow->action is the XDP action, and the
 * verdict of the earlier stages remains. Any other verdict: the packet is unchanged. */
static __always_inline enum verdict forward(struct xdp_md *ctx, struct flow *flow, const struct backend *backend)
{
	const struct packet *p = &flow->packet;
	bool same_interface = backend->ifindex == ctx->ingress_ifindex;
	struct ethernet_header link = forward_ethernet(p, backend, same_interface);
	__u32 outer = outer_size(backend);
	struct inner inner = {};
	int grow = ethernet_header_size(&link) + outer - p->ip;
	void *ip;

	if (!inner_read(ctx, p, &inner))
		return VERDICT_malformed;
	if (inner.length + outer > backend->mtu && !forward_is_merged(ctx, p, &inner))
		return VERDICT_too_big;
	if (inner.length + outer > backend->mtu && outer)
		return VERDICT_merged_segments;
	if (outer && inner.ttl <= 1)
		return VERDICT_ttl_expired;
	if (backend->forward == FORWARD_NAT &&
		nat_rewrite(ctx, p, &backend->address, flow->keeps_port ? 0 : backend->port, NAT_DESTINATION))
		return VERDICT_malformed;
	if (grow && bpf_xdp_adjust_head(ctx, -grow))
		return VERDICT_no_headroom;
	ip = ethernet_header_write(ctx, &link);
	if (!ip || (outer && encapsulate(ctx, ip, backend, &inner)))
		return VERDICT_malformed; /* only for the verifier: packet_parse() has already read these bytes */
	flow->action = same_interface ? XDP_TX : bpf_redirect(backend->ifindex, 0);
	return VERDICT_CONTINUE;
}
