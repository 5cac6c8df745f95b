/* SPDX-License-Identifier: GPL-2.0 */
/* Network address translation (NAT): replaces the source or the destination of a packet (address and port), and updates
 * all checksums. A packet to a backend receives a different destination, and a packet from a backend a different
 * source. An ICMP error quotes a packet of the opposite direction, so if the source of the error changes, the
 * destination of the quoted packet changes, too (RFC 5508 section 4.2). Makes no decisions. */
#pragma once

#include "checksum.h"
#include "frame.h"
#include "packet.h"

/* The address and port to replace. */
enum nat_end {
	NAT_SOURCE,
	NAT_DESTINATION,
};

/* Returns the change of the address, for checksum_apply(). The caller has tested that the header is readable. */
static __always_inline __u64 nat_ipv4(struct iphdr *ip, enum nat_end end, const struct address *to)
{
	__be32 *address = end == NAT_SOURCE ? &ip->saddr : &ip->daddr;
	__u64 changes = checksum_change(0, *address, to->word[3]);

	*address = to->word[3];
	ip->check = checksum_apply(ip->check, changes);
	return changes;
}

static __always_inline __u64 nat_ipv6(struct ipv6hdr *ip, enum nat_end end, const struct address *to)
{
	__be32 *address = end == NAT_SOURCE ? (void *)&ip->saddr : (void *)&ip->daddr;
	__u64 changes = 0;

	for (int i = 0; i < 4; i++) {
		changes = checksum_change(changes, address[i], to->word[i]);
		address[i] = to->word[i];
	}
	return changes;
}

/* Replaces the address in the IP header at offset `at`, and adds the change to `changes`. Returns 0 or -1. */
static __always_inline int nat_address(
	struct xdp_md *ctx, bool ipv6, __u32 at, enum nat_end end, const struct address *to, __u64 *changes)
{
	void *ip = frame_at(ctx, at);

	if (ipv6) {
		if (ip + sizeof(struct ipv6hdr) > frame_end(ctx))
			return -1;
		*changes += nat_ipv6(ip, end, to);
		return 0;
	}
	if (ip + sizeof(struct iphdr) > frame_end(ctx))
		return -1;
	*changes += nat_ipv4(ip, end, to);
	return 0;
}

/* The offset of the transport header to change: that of the packet, or of the packet that an ICMP error quotes. */
static __always_inline __u32 nat_transport_at(const struct packet *p)
{
	return p->kind == PACKET_ICMP_ERROR ? p->quoted : p->transport;
}

/* The offset of the checksum of this transport header. */
static __always_inline __u32 nat_check_at(const struct packet *p)
{
	return nat_transport_at(p) +
	       (p->protocol == IPPROTO_UDP ? offsetof(struct udphdr, check) : offsetof(struct tcphdr, check));
}

/* Returns whether the packet contains this checksum. An ICMP error may quote only the first 8 bytes of TCP (RFC 792).
 */
static __always_inline bool nat_has_check(const struct packet *p)
{
	return nat_check_at(p) + sizeof(__sum16) <= p->end;
}

/* Returns whether all headers can be changed. A first fragment of TCP may be too short to contain the checksum. */
static __always_inline bool nat_is_complete(const struct xdp_md *ctx, const struct packet *p)
{
	if (p->kind == PACKET_LATER_FRAGMENT)
		return true;
	if (!nat_has_check(p))
		return p->kind == PACKET_ICMP_ERROR;
	return frame_at(ctx, nat_check_at(p)) + sizeof(__sum16) <= frame_end(ctx);
}

/* Replaces the port of the transport header and updates its checksum. `changes`: the change of the checksum by the
 * new address. Returns the change of the checksum of an outer header by all bytes that this function has written. */
static __always_inline __u64 nat_transport(
	struct xdp_md *ctx, const struct packet *p, enum nat_end end, __be16 port, __u64 changes)
{
	__be16 *at = frame_at(ctx, nat_transport_at(p) + (end == NAT_SOURCE ? 0 : sizeof(__be16)));
	__u64 written = 0;
	__sum16 *check, was;

	if (port && (void *)(at + 1) <= frame_end(ctx)) {
		written = checksum_change16(written, *at, port);
		*at = port;
	}
	check = frame_at(ctx, nat_check_at(p));
	if (!nat_has_check(p) || (void *)(check + 1) > frame_end(ctx))
		return written;
	was = *check;
	*check = p->protocol == IPPROTO_UDP ? checksum_apply_udp(was, changes + written)
					    : checksum_apply(was, changes + written);
	return checksum_change16(written, was, *check);
}

/* Replaces the end of the quoted packet that `end` names. The checksum of ICMPv6 covers the addresses of the outer
 * header (RFC 4443 section 2.3) and the quoted ones. In IPv4, a changed address and the changed checksum of its header
 * cancel each other out. */
static __always_inline int nat_icmp(struct xdp_md *ctx, const struct packet *p, enum nat_end end,
	const struct address *to, __be16 port, __u64 changes)
{
	__u64 quoted = 0;
	__sum16 *check;

	if (nat_address(ctx, p->ipv6, p->transport + sizeof(struct icmphdr), end, to, &quoted))
		return -1;
	changes = p->ipv6 ? changes + quoted : 0;
	changes += nat_transport(ctx, p, end, port, quoted);
	check = frame_at(ctx, p->transport + offsetof(struct icmphdr, checksum));
	if ((void *)(check + 1) > frame_end(ctx))
		return -1;
	*check = checksum_apply(*check, changes);
	return 0;
}

/* Replaces the source or the destination of a packet. `port`: 0: the port stays. Returns 0, or -1 if the headers are
 * incomplete; the packet is then unchanged. */
__noinline int nat_rewrite(
	struct xdp_md *ctx, const struct packet *p, const struct address *to, __u32 port, enum nat_end end)
{
	__u64 changes = 0;

	if (!p || !to || !nat_is_complete(ctx, p))
		return -1;
	if (nat_address(ctx, p->ipv6, p->ip, end, to, &changes))
		return -1;
	if (p->kind == PACKET_ICMP_ERROR)
		return nat_icmp(ctx, p, end == NAT_SOURCE ? NAT_DESTINATION : NAT_SOURCE, to, port, changes);
	if (p->kind != PACKET_LATER_FRAGMENT)
		nat_transport(ctx, p, end, port, changes);
	return 0;
}
