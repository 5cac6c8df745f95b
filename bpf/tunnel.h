/* SPDX-License-Identifier: GPL-2.0 */
/* The outer headers of a tunnel: IP-in-IP (RFC 2003, RFC 2473), and Generic UDP Encapsulation (GUE,
 * draft-ietf-intarea-gue) with an additional UDP header. GUE uses variant 1: the inner IP header follows the UDP header
 * without a GUE header between them. The code compiles for the kernel and for user space, which sends probes through
 * the same tunnels. */
#pragma once

#include "checksum.h"
#include "packet.h"

#define OUTER_TTL 64

/* The Don't Fragment bit is set in every outer header. A backend that decapsulates in XDP cannot reassemble
 * fragments. With this bit, a router reports the size that fits instead (RFC 2003 section 5.1). */
#define OUTER_DONT_FRAGMENT 0x4000

/* The source port of GUE is a dynamic port (RFC 6335 section 6), so it differs from the registered port of any service.
 */
#define GUE_SOURCE_PORTS 0x4000
#define GUE_FIRST_SOURCE_PORT 0xc000

#define GUE_PORT 6080 /* the destination port that IANA has assigned */

/* The properties of the inner packet that determine the outer headers. */
struct inner {
	__u32 length;  /* up to 65,575 for IPv6 */
	__u32 entropy; /* a hash of the flow: selects the source port of GUE, or the source address */
	__be16 id;
	__u8 carrier; /* protocol of the outer IP header; IPPROTO_UDP: there is an outer UDP header */
	__u8 tos;     /* type of service, or IPv6 traffic class */
	__u8 ttl;     /* time to live, or IPv6 hop limit */
	bool dont_fragment;
	bool ipv6;
};

/* Both functions read the IP header, and leave `carrier` and `entropy` unchanged. */
static __always_inline void inner_read_ipv4(const struct iphdr *ip, struct inner *inner)
{
	inner->length = host16(ip->tot_len);
	inner->tos = ip->tos;
	inner->ttl = ip->ttl;
	inner->id = ip->id;
	inner->dont_fragment = (ip->frag_off & net16(0x4000)) != 0;
}

static __always_inline void inner_read_ipv6(const struct ipv6hdr *ip, struct inner *inner)
{
	inner->ipv6 = true;
	inner->length = host16(ip->payload_len) + sizeof(*ip);
	inner->tos = host16(*(const __be16 *)ip) >> 4;
	inner->ttl = ip->hop_limit;
	inner->dont_fragment = true;
}

static inline bool is_tunnel(__u8 forward)
{
	return forward == FORWARD_IPIP || forward == FORWARD_GUE;
}

static inline bool is_ipv4_tunnel(const struct backend *backend)
{
	return address_is_mapped_ipv4(&backend->address);
}

/* The size of all outer headers towards a backend, in bytes; 0: it receives packets without a tunnel. */
static inline __u32 outer_size(const struct backend *backend)
{
	__u32 ip = is_ipv4_tunnel(backend) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);

	if (backend->forward == FORWARD_GUE)
		return ip + sizeof(struct udphdr);
	return backend->forward == FORWARD_IPIP ? ip : 0;
}

static inline __u8 outer_protocol(__u8 forward, bool ipv6)
{
	if (forward == FORWARD_GUE)
		return IPPROTO_UDP;
	return ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
}

/* The size of the outer UDP header, in bytes. */
static inline __u32 outer_udp_size(const struct inner *inner)
{
	return inner->carrier == IPPROTO_UDP ? sizeof(struct udphdr) : 0;
}

/* The last word of the outer source address. Its last bits are the first bits of the entropy. */
static __always_inline __be32 outer_source(const struct backend *backend, const struct inner *inner)
{
	return backend->source.word[3] ^ net32((__u64)inner->entropy << backend->source_bits >> 32);
}

/* Writes whole words and adds each one to the checksum, so that the checksum code need not read them again. */
static __always_inline void outer_ipv4(struct iphdr *ip, const struct backend *backend, const struct inner *inner)
{
	__be16 fragment = net16(OUTER_DONT_FRAGMENT);
	__be32 *to = (void *)ip, word;
	__u64 sum;

	word = 0x45 | inner->tos << 8 | (__u32)net16(inner->length + sizeof(*ip) + outer_udp_size(inner)) << 16;
	to[0] = word;
	sum = word;
	word = inner->id | (__u32)fragment << 16;
	to[1] = word;
	sum += word;
	word = outer_source(backend, inner);
	to[3] = word;
	sum += word;
	word = backend->address.word[3];
	to[4] = word;
	sum += word;
	word = OUTER_TTL | inner->carrier << 8;
	sum += word;
	to[2] = word | (__u32)(__u16)~checksum_fold(sum) << 16;
}

static __always_inline void outer_ipv6(struct ipv6hdr *ip, const struct backend *backend, const struct inner *inner)
{
	*(__be32 *)ip = net32(6U << 28 | (__u32)inner->tos << 20);
	ip->payload_len = net16(inner->length + outer_udp_size(inner));
	ip->nexthdr = inner->carrier;
	ip->hop_limit = OUTER_TTL;
	__builtin_memcpy(&ip->saddr, &backend->source, sizeof(ip->saddr));
	((__be32 *)&ip->saddr)[3] = outer_source(backend, inner);
	__builtin_memcpy(&ip->daddr, &backend->address, sizeof(ip->daddr));
}

/* Writes the checksum 0, which means none (RFC 768): the inner packet has its own checksums. For IPv6, the caller must
 * replace it with outer_udp_checksum(). */
static __always_inline void outer_udp(struct udphdr *udp, const struct backend *backend, const struct inner *inner)
{
	udp->source = net16(GUE_FIRST_SOURCE_PORT | (inner->entropy % GUE_SOURCE_PORTS));
	udp->dest = backend->port;
	udp->len = net16(inner->length + sizeof(*udp));
	udp->check = 0;
}

/* The checksum of an outer UDP header in IPv6, which requires one (RFC 8200 section 8.1). `sum` is the one's complement
 * sum of the inner packet. A computed checksum of 0 becomes 0xffff, because 0 means no checksum. */
static inline __sum16 outer_udp_checksum(const struct ipv6hdr *ip, const struct udphdr *udp, __u16 sum)
{
	__u64 total = sum + net16(IPPROTO_UDP) + 2 * (__u32)udp->len + udp->source + udp->dest;
	const __be32 *addresses = (const void *)&ip->saddr;
	__u16 check;

	for (int i = 0; i < 8; i++)
		total += addresses[i];
	check = ~checksum_fold(total);
	return check ? check : 0xffff;
}
