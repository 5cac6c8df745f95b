/* SPDX-License-Identifier: GPL-2.0 */
/* Adds the outer headers of a tunnel to a packet of the fast path: plain IPv4 with UDP or TCP. The stages do the same
 * in encapsulate.h, for all packets. */
#pragma once

#include "encapsulate.h"
#include "outer_checksum.h"

/* Both MAC addresses have the same layout in a backend and in a frame: 12 bytes. They are copied as words,
 * because the compiler assumes an alignment of two bytes for an Ethernet header. */
static __always_inline bool fast_ethernet(struct xdp_md *ctx, const struct backend *backend, __u16 protocol)
{
	const void *macs = &backend->next_hop;
	void *frame = frame_start(ctx);

	_Static_assert(offsetof(struct backend, next_hop) % 8 == 0, "alignment of MAC addresses");
	_Static_assert(offsetof(struct backend, interface_mac) == offsetof(struct backend, next_hop) + 6, "one place");
	if (frame + ETHERNET_SIZE > frame_end(ctx))
		return false;
	*(__u64 *)frame = *(const __u64 *)macs;
	*(__u32 *)(frame + 8) = *(const __u32 *)(macs + 8);
	*(__be16 *)(frame + 12) = net16(protocol);
	return true;
}

/* Writes the outer headers; `ipv6`: the outer IP header is IPv6. */
static __always_inline void fast_outer(
	void *outer, const struct iphdr *ip, const struct backend *backend, const struct inner *inner, bool ipv6)
{
	struct udphdr *udp = outer + (ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));

	if (ipv6)
		outer_ipv6(outer, backend, inner);
	else
		outer_ipv4(outer, backend, inner);
	if (inner->carrier != IPPROTO_UDP)
		return;
	outer_udp(udp, backend, inner);
	if (ipv6)
		udp->check = outer_udp_checksum(
			outer, udp, sum_of_ipv4(ip->saddr, ip->daddr, inner->length - sizeof(*ip), ip->protocol));
}

static __always_inline bool fast_tunnel(
	struct xdp_md *ctx, const struct backend *backend, struct inner *inner, bool ipv6)
{
	__u32 size = (ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)) + outer_udp_size(inner);
	struct iphdr *ip;
	void *outer;

	if (bpf_xdp_adjust_head(ctx, -(int)size))
		return false;
	outer = frame_start(ctx) + ETHERNET_SIZE;
	ip = outer + size;
	if ((void *)(ip + 1) > frame_end(ctx))
		return false; /* only for the verifier: the frame always has room for all headers */
	inner_read_ipv4(ip, inner);
	fast_outer(outer, ip, backend, inner, ipv6);
	ipv4_decrement_ttl(ip);
	return fast_ethernet(ctx, backend, ipv6 ? ETH_P_IPV6 : ETH_P_IP);
}

static __always_inline bool fast_ipip(struct xdp_md *ctx, const struct backend *backend)
{
	struct inner inner = {.carrier = IPPROTO_IPIP};

	return fast_tunnel(ctx, backend, &inner, false);
}

static __always_inline bool fast_gue(struct xdp_md *ctx, const struct backend *backend, __u32 entropy)
{
	struct inner inner = {.carrier = IPPROTO_UDP, .entropy = entropy};

	return fast_tunnel(ctx, backend, &inner, false);
}

/* Does the packet contain a checksum of all bytes after its IP header? As sum_is_covered(). */
static __always_inline bool fast_is_covered(const struct xdp_md *ctx)
{
	const struct iphdr *ip = frame_start(ctx) + ETHERNET_SIZE;
	const struct udphdr *udp = (const void *)(ip + 1);

	if ((void *)(udp + 1) > frame_end(ctx))
		return false;
	return ip->protocol == IPPROTO_TCP || (udp->check && host16(udp->len) + sizeof(*ip) == host16(ip->tot_len));
}

/* All tunnels in IPv6, and those whose outer source depends on the call. This is a separate function because the fast
 * path has no free registers for it. Returns whether it has sent the packet. */
__noinline int fast_other_tunnel(struct xdp_md *ctx, __u32 id, __u32 entropy)
{
	struct inner inner = {.carrier = IPPROTO_UDP, .entropy = entropy};
	const struct backend *backend = backend_reachable(id);

	if (!backend)
		return false;
	if (backend->forward == FORWARD_IPIP) {
		inner.carrier = IPPROTO_IPIP;
		return fast_tunnel(ctx, backend, &inner, !is_ipv4_tunnel(backend));
	}
	if (is_ipv4_tunnel(backend))
		return fast_tunnel(ctx, backend, &inner, false);
	return fast_is_covered(ctx) && fast_tunnel(ctx, backend, &inner, true);
}
