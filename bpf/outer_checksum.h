/* SPDX-License-Identifier: GPL-2.0 */
/* Computes the checksum of the outer UDP header of GUE in IPv6, after the packet has been encapsulated.
 *
 * Nearly every inner packet contains a checksum that makes the sum of its covered bytes a constant. The sum of the
 * whole packet then follows from its headers ("local checksum offload" in Linux). If this checksum is wrong, the outer
 * checksum is wrong, too, so the backend still detects the error. The bytes of all other packets, such as fragments,
 * are added up. */
#pragma once

#include "flow.h"
#include "tunnel.h"

#define SUM_CHUNK 64

struct sum_loop {
	struct xdp_md *ctx;
	__u64 sum;
	__u32 at;
	__u32 end;
};

/* bpf_xdp_load_bytes() also reads bytes of a jumbo frame that are not directly readable. */
static long sum_chunk(__u64 index, void *data)
{
	__u64 chunk[SUM_CHUNK / 8] = {};
	struct sum_loop *loop = data;
	__u32 size = loop->end - loop->at;

	(void)index;
	if (loop->at >= loop->end)
		return 1;
	if (size > SUM_CHUNK)
		size = SUM_CHUNK;
	size = (size - 1) % SUM_CHUNK + 1; /* unchanged; for the verifier, which must know that it is not 0 */
	if (bpf_xdp_load_bytes(loop->ctx, loop->at, chunk, size))
		return 1;
	for (int i = 0; i < SUM_CHUNK / 8; i++)
		loop->sum += (chunk[i] & 0xffffffff) + (chunk[i] >> 32);
	loop->at += size;
	return 0;
}

/* Does the packet contain a checksum that covers everything after the IP header? `at` is the offset of the packet
 * in the encapsulated frame. */
static __always_inline bool sum_is_covered(const struct xdp_md *ctx, const struct packet *p, __u32 at, __u32 length)
{
	const struct udphdr *udp = frame_at(ctx, p->transport - p->ip + at);

	if (p->kind != PACKET_WHOLE || p->ip + length != p->end)
		return false;
	if (p->ipv6 && p->transport != p->ip + sizeof(struct ipv6hdr))
		return false;
	if (p->protocol == IPPROTO_TCP)
		return true;
	return p->protocol == IPPROTO_UDP && (void *)(udp + 1) <= frame_end(ctx) && udp->check;
}

/* The sum of an IPv4 packet whose IP header and transport header contain valid checksums. The sum of such an IP header
 * is 0, and the sum of the `length` bytes after it is the negative sum of the pseudo header. */
static __always_inline __u16 sum_of_ipv4(__be32 source, __be32 destination, __u32 length, __u8 protocol)
{
	return ~checksum_fold((__u64)source + destination + net16(length) + net16(protocol));
}

/* The sum of a packet that contains valid checksums. In IPv6, the IP header and the pseudo header both contain the
 * addresses and the length. */
static __always_inline __u16 sum_from_headers(const struct packet *p, const struct ipv6hdr *ip)
{
	const __be32 *word = (const void *)ip;

	if (!p->ipv6)
		return sum_of_ipv4(p->source.word[3], p->destination.word[3], p->end - p->transport, p->protocol);
	return checksum_fold((__u64)word[0] + (word[1] >> 16) + (__u16)~net16(p->protocol));
}

static __always_inline __u16 inner_sum(struct xdp_md *ctx, const struct packet *p, __u32 at, __u32 length)
{
	struct sum_loop loop = {.ctx = ctx, .at = at, .end = at + length};
	const void *ip = frame_at(ctx, at);

	if (sum_is_covered(ctx, p, at, length) && ip + 8 <= frame_end(ctx))
		return sum_from_headers(p, ip);
	bpf_loop(0x10000 / SUM_CHUNK + 2, sum_chunk, &loop, 0);
	return checksum_fold(loop.sum);
}

/* This is not part of send() because both need much stack. */
__noinline int outer_checksum(struct xdp_md *ctx, struct flow *flow)
{
	__u32 at = ETHERNET_SIZE, length;
	struct ipv6hdr *ip;
	struct udphdr *udp;
	__u16 sum;

	if (!flow)
		return 0;
	if (flow->action == XDP_TX)
		at += flow->packet.vlan_count * sizeof(struct vlan_tag);
	ip = frame_at(ctx, at);
	udp = (void *)(ip + 1);
	if ((void *)(udp + 1) > frame_end(ctx))
		return 0;
	length = host16(udp->len) - sizeof(*udp);
	sum = inner_sum(ctx, &flow->packet, at + sizeof(*ip) + sizeof(*udp), length);
	ip = frame_at(ctx, at);
	udp = (void *)(ip + 1);
	if ((void *)(udp + 1) > frame_end(ctx))
		return 0;
	udp->check = outer_udp_checksum(ip, udp, sum);
	return 0;
}
