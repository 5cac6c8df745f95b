/* SPDX-License-Identifier: GPL-2.0 */
/* Answers echo requests to a VIP with `ping:` (RFC 792; RFC 4443 section 4.2). Changes the request into the
 * reply in place. Passes unusual requests to the kernel, and also all requests to a VIP without `ping:`. */
#pragma once

#include "forward.h"
#include "vip.h"

#define ECHO_REPLY_TTL 64
#define ICMP_ECHO_REPLY 0
#define ICMPV6_ECHO_REPLY 129

/* Returns whether the source and destination are unicast addresses and the request has no IP options. A request
 * with options would need options in the reply. */
static __always_inline bool ping_is_plain(const struct packet *p, const struct ethhdr *eth)
{
	const __u8 *source = (const __u8 *)&p->source;

	if (eth->h_dest[0] & 1 || eth->h_source[0] & 1)
		return false;
	if (p->ipv6)
		return p->transport == p->ip + sizeof(struct ipv6hdr) && source[0] != 0xff && source[0] != 0;
	return p->transport == p->ip + sizeof(struct iphdr) && source[12] < 224 && source[12] != 0 && source[12] != 127;
}

static __always_inline void echo_reply_ethernet(struct ethhdr *eth)
{
	struct ethhdr was = *eth;

	__builtin_memcpy(eth->h_dest, was.h_source, sizeof(eth->h_dest));
	__builtin_memcpy(eth->h_source, was.h_dest, sizeof(eth->h_source));
}

/* The exchange of two addresses does not change a checksum. */
static __always_inline bool echo_reply_ipv4(struct xdp_md *ctx, const struct packet *p)
{
	struct iphdr *ip = frame_at(ctx, p->ip);
	__be16 *ttl = (__be16 *)&ip->ttl, was;

	if ((void *)(ip + 1) > frame_end(ctx))
		return false;
	was = *ttl;
	ip->ttl = ECHO_REPLY_TTL;
	ip->check = checksum_replace(ip->check, was, *ttl);
	ip->saddr = p->destination.word[3];
	ip->daddr = p->source.word[3];
	return true;
}

static __always_inline bool echo_reply_ipv6(struct xdp_md *ctx, const struct packet *p)
{
	struct ipv6hdr *ip = frame_at(ctx, p->ip);

	if ((void *)(ip + 1) > frame_end(ctx))
		return false;
	ip->hop_limit = ECHO_REPLY_TTL;
	__builtin_memcpy(&ip->saddr, &p->destination, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, &p->source, sizeof(ip->daddr));
	return true;
}

/* If all other bytes of the reply are 0, the checksum must be 0xffff, and an incremental update never yields this
 * value. In all other replies, 0xffff is equivalent to 0. */
static __always_inline void echo_reply_icmp(__be16 *icmp, __u8 type)
{
	__be16 was = icmp[0];
	__sum16 check;

	*(__u8 *)icmp = type;
	check = checksum_replace(icmp[1], was, icmp[0]);
	icmp[1] = check ? check : 0xffff;
}

/* Called for a packet that does not belong to a service. VERDICT_echo_reply: the packet was an echo request and is
 * now the reply. Any other verdict: the packet is unchanged. */
static __always_inline enum verdict ping(struct xdp_md *ctx, const struct packet *p)
{
	struct ethhdr *eth = frame_start(ctx);
	__be16 *icmp = frame_at(ctx, p->transport);
	const struct vip *vip;

	if ((void *)(eth + 1) > frame_end(ctx) || (void *)(icmp + 2) > frame_end(ctx))
		return VERDICT_not_service;
	vip = vip_find(&p->destination);
	if (!vip || !(vip->flags & VIP_PING) || !ping_is_plain(p, eth))
		return VERDICT_not_service;
	if (p->ipv6 ? !echo_reply_ipv6(ctx, p) : !echo_reply_ipv4(ctx, p))
		return VERDICT_not_service; /* only for the verifier: packet_parse() has already read the header */
	echo_reply_ethernet(eth);
	echo_reply_icmp(icmp, p->ipv6 ? ICMPV6_ECHO_REPLY : ICMP_ECHO_REPLY);
	return VERDICT_echo_reply;
}
