/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the headers of a frame into a struct packet: Ethernet, VLAN tags, IPv4 or IPv6, then UDP, TCP or the
 * packet that an ICMP error quotes. A struct packet holds offsets instead of pointers, so that it stays valid
 * when the start of the frame moves. The code compiles for the kernel and for user space. It makes no
 * forwarding decisions. */
#pragma once

#include "abi.h"

#define ETHERNET_SIZE 14
#define PACKET_VLANS 2 /* 802.1ad outside, 802.1Q inside */
/* Hop-by-Hop Options, Destination Options, Routing, Fragment, Destination Options: the headers that RFC 8200
 * section 4.1 recommends, without those of IPsec. */
#define PACKET_IPV6_EXTENSIONS 5

struct vlan_tag {
	__be16 protocol;
	__be16 control;
};

enum packet_kind {
	PACKET_WHOLE,          /* a complete packet, with ports */
	PACKET_FIRST_FRAGMENT, /* the first of several fragments, with ports if the protocol has ports */
	PACKET_LATER_FRAGMENT, /* any other fragment, without ports */
	PACKET_ICMP,           /* any ICMP; packet_parse_icmp() then sets one of the kinds below */
	PACKET_ICMP_ERROR,     /* an ICMP error: addresses, ports and payload of the quoted packet, with source and
				  destination exchanged */
	PACKET_ECHO_REQUEST,   /* this kind and all kinds below never belong to a service */
	PACKET_NEIGHBOUR,      /* IPv6 neighbour discovery, which the kernel handles */
	PACKET_OTHER,          /* any other protocol */
};

struct packet {
	struct address source;
	struct address destination;
	__be16 source_port;
	__be16 destination_port;
	__be32 fragment_id;
	__u8 protocol; /* of the transport header, after all extension headers */
	__u8 kind;     /* enum packet_kind */
	__u8 vlan_count;
	bool ipv6;
	struct vlan_tag vlan[PACKET_VLANS];
	union {
		__u16 fragment_at; /* offset of a fragment in its datagram, in units of 8 bytes */
		__u16 quoted;      /* PACKET_ICMP_ERROR: offset of the quoted transport header in the frame, in bytes */
	};
	bool fragment_more; /* the datagram has fragments after this one */
	/* Offsets in the frame, in bytes. */
	__u8 ip;
	__u16 transport;
	__u16 payload;
	__u32 end; /* end of the IP packet, or of the UDP datagram if that ends earlier */
};

/* A position in a frame. Bytes before `data_end` can be read directly. `length` is the length of the whole
 * frame, which may extend beyond `data_end`. */
struct cursor {
	const __u8 *data;
	const __u8 *data_end;
	__u32 length;
	__u32 at;
	__u32 zero; /* always 0, but the verifier does not know the value: see cursor_forget() */
};

#define CURSOR_MASK 0x7fff

/* The maximum length of all headers: an IPv6 packet with the maximum number of extension headers that quotes a
 * second such packet. */
_Static_assert(ETHERNET_SIZE + 4 * PACKET_VLANS + 2 * (40 + 8 + PACKET_IPV6_EXTENSIONS * 256 * 8) <= CURSOR_MASK,
	"CURSOR_MASK covers every possible offset");

/* Hides the value of the offset from the verifier, which then knows only the bounds. The value itself does not
 * change. Without this function, the verifier would check all following code once for each path to this point. */
static inline void cursor_forget(struct cursor *c)
{
	c->at = (c->at + c->zero) & CURSOR_MASK;
}

/* Returns the next `size` bytes; NULL: the frame is too short. */
#define cursor_peek(cursor, size)                                                                                      \
	((cursor)->data + (cursor)->at + (size) > (cursor)->data_end ? NULL : (cursor)->data + (cursor)->at)

static inline __be16 net16(__u16 host)
{
	return __builtin_bswap16(host);
}

static inline __u16 host16(__be16 net)
{
	return __builtin_bswap16(net);
}

static inline __be32 net32(__u32 host)
{
	return __builtin_bswap32(host);
}

static inline struct address address_from_ipv4(__be32 ipv4)
{
	return (struct address){.word = {0, 0, net32(0xffff), ipv4}};
}

/* Returns word[2] and word[3] of the same address as one 64-bit word. */
static inline __u64 address_ipv4_word(__be32 ipv4)
{
	return (__u64)ipv4 << 32 | net32(0xffff);
}

static inline bool address_is_mapped_ipv4(const struct address *a)
{
	return a->word[0] == 0 && a->word[1] == 0 && a->word[2] == net32(0xffff);
}

static inline bool address_is_same(const struct address *a, const struct address *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1] && a->word[2] == b->word[2] &&
	       a->word[3] == b->word[3];
}

static inline bool is_vlan(__be16 protocol)
{
	return protocol == net16(ETH_P_8021Q) || protocol == net16(ETH_P_8021AD);
}

/* Reads the Ethernet header and VLAN tags. Sets p->vlan and p->ip. Returns the protocol that follows, or 0 for
 * a truncated frame. */
static __always_inline __be16 packet_parse_ethernet(struct cursor *c, struct packet *p)
{
	const struct ethhdr *eth = (const void *)cursor_peek(c, sizeof(*eth));
	__be16 protocol;

	if (!eth)
		return 0;
	protocol = eth->h_proto;
	c->at += sizeof(*eth);
	for (int i = 0; i < PACKET_VLANS && is_vlan(protocol); i++) {
		const __be16 *tag = (const void *)cursor_peek(c, 4);

		if (!tag)
			return 0;
		p->vlan[i] = (struct vlan_tag){.protocol = protocol, .control = tag[0]};
		p->vlan_count = i + 1;
		protocol = tag[1];
		c->at += 4;
	}
	p->ip = c->at;
	return protocol;
}

static __always_inline void packet_set_fragment(struct packet *p, __u16 at, bool more, __be32 id)
{
	p->fragment_id = id;
	p->fragment_at = at;
	p->fragment_more = more;
	if (at)
		p->kind = PACKET_LATER_FRAGMENT;
	else if (more)
		p->kind = PACKET_FIRST_FRAGMENT;
}

/* Sets the end of the IP packet. A quoted packet may be truncated. Returns 0 or -1. */
static __always_inline int packet_set_end(const struct cursor *c, struct packet *p, __u32 end, bool quoted)
{
	p->end = end;
	if (end <= c->length)
		return 0;
	p->end = c->length;
	return quoted ? 0 : -1;
}

/* Returns 0, or -1 for a truncated or inconsistent header. */
static __always_inline int packet_parse_ipv4(struct cursor *c, struct packet *p, bool quoted)
{
	const struct iphdr *ip = (const void *)cursor_peek(c, sizeof(*ip));
	__u32 header, total;

	if (!ip || ip->version != 4)
		return -1;
	header = ip->ihl * 4;
	total = host16(ip->tot_len);
	if (header < sizeof(*ip) || total < header)
		return -1;
	p->source = address_from_ipv4(ip->saddr);
	p->destination = address_from_ipv4(ip->daddr);
	p->protocol = ip->protocol;
	packet_set_fragment(p, host16(ip->frag_off) & 0x1fff, ip->frag_off & net16(0x2000), ip->id);
	if (packet_set_end(c, p, c->at + total, quoted))
		return -1;
	c->at += header;
	return 0;
}

/* Skips an extension header between the IPv6 header and the transport header (RFC 8200 section 4). Returns the
 * protocol that follows it, or -1. */
static __always_inline int packet_skip_ipv6_extension(struct cursor *c, struct packet *p, __u8 protocol)
{
	const __u8 *header = cursor_peek(c, 8);
	__u32 size;

	if (!header)
		return -1;
	size = (header[1] + 1) * 8;
	if (protocol == 44) { /* Fragment */
		__be16 offset = *(const __be16 *)(header + 2);

		packet_set_fragment(p, host16(offset) >> 3, offset & net16(1), *(const __be32 *)(header + 4));
		size = 8;
	} else if (protocol == 51) { /* Authentication: its length counts words of 4 bytes */
		size = (header[1] + 2) * 4;
	}
	/* The verifier checks everything that follows once: the compiler does not copy it into each branch, and
	 * p->kind is read from memory, where its value is unknown to the verifier. */
	asm volatile("" : "+r"(size) : : "memory");
	c->at += size;
	return header[0];
}

/* One test instead of five comparisons: the verifier would follow each of them. */
static inline bool is_ipv6_extension(__u8 protocol)
{
	const __u64 extensions = 1ULL << 0 | 1ULL << 43 | 1ULL << 44 | 1ULL << 51 | 1ULL << 60;

	return protocol < 64 && extensions >> protocol & 1;
}

static __always_inline int packet_parse_ipv6(struct cursor *c, struct packet *p, bool quoted)
{
	const struct ipv6hdr *ip = (const void *)cursor_peek(c, sizeof(*ip));
	int protocol;

	if (!ip || ip->version != 6)
		return -1;
	__builtin_memcpy(&p->source, &ip->saddr, sizeof(p->source));
	__builtin_memcpy(&p->destination, &ip->daddr, sizeof(p->destination));
	/* Rejects IPv4-mapped addresses, which are invalid on the wire: this program would treat the packet as
	 * IPv4. */
	if (address_is_mapped_ipv4(&p->source) || address_is_mapped_ipv4(&p->destination))
		return -1;
	if (packet_set_end(c, p, c->at + sizeof(*ip) + host16(ip->payload_len), quoted))
		return -1;
	protocol = ip->nexthdr;
	c->at += sizeof(*ip);
	for (int i = 0; i < PACKET_IPV6_EXTENSIONS && is_ipv6_extension(protocol) && p->kind != PACKET_LATER_FRAGMENT;
		i++) {
		protocol = packet_skip_ipv6_extension(c, p, protocol);
		if (protocol < 0)
			return -1;
		cursor_forget(c);
	}
	p->protocol = protocol;
	return c->at > p->end ? -1 : 0;
}

/* Reads the ports and the bounds of the payload. A first fragment may lack the end of the datagram. A quoted
 * packet may lack everything after the ports. Returns 0 or -1. */
static __always_inline int packet_parse_udp(struct cursor *c, struct packet *p)
{
	const struct udphdr *udp = (const void *)cursor_peek(c, sizeof(*udp));
	__u32 end;

	if (!udp || c->at + sizeof(*udp) > p->end)
		return -1;
	p->source_port = udp->source;
	p->destination_port = udp->dest;
	end = c->at + host16(udp->len);
	p->payload = c->at + sizeof(*udp);
	if (end < p->payload || (end > p->end && p->kind == PACKET_WHOLE))
		return -1;
	if (end < p->end)
		p->end = end;
	return 0;
}

static __always_inline int packet_parse_tcp(struct cursor *c, struct packet *p)
{
	const __be16 *ports = (const void *)cursor_peek(c, 4);

	if (!ports || c->at + (p->kind == PACKET_WHOLE ? sizeof(struct tcphdr) : 4) > p->end)
		return -1;
	p->source_port = ports[0];
	p->destination_port = ports[1];
	return 0;
}

static __always_inline int packet_parse_transport(struct cursor *c, struct packet *p)
{
	if (p->protocol == IPPROTO_UDP)
		return packet_parse_udp(c, p);
	if (p->protocol == IPPROTO_TCP)
		return packet_parse_tcp(c, p);
	if (p->kind != PACKET_FIRST_FRAGMENT)
		p->kind = PACKET_OTHER;
	return 0;
}

/* Reads all headers up to the IP header, and the IP header itself. Returns VERDICT_CONTINUE for a valid IP header, and
 * sets p->transport to the offset after it. */
static __always_inline enum verdict packet_parse_ip(struct cursor *c, struct packet *p)
{
	__be16 protocol = packet_parse_ethernet(c, p);
	int error;

	p->ipv6 = protocol == net16(ETH_P_IPV6);
	if (protocol == net16(ETH_P_IP))
		error = packet_parse_ipv4(c, p, false);
	else if (p->ipv6)
		error = packet_parse_ipv6(c, p, false);
	else
		return VERDICT_not_ip;
	p->transport = c->at;
	return error ? VERDICT_malformed : VERDICT_CONTINUE;
}

/* Destination unreachable, time exceeded, parameter problem and packet too big: RFC 792, RFC 4443. Redirects
 * are not included: the kernel handles them. */
static inline bool is_icmp_error(__u8 type, bool ipv6)
{
	return ipv6 ? type >= 1 && type <= 4 : type == 3 || type == 11 || type == 12;
}

/* Neighbour discovery (RFC 4861) is a separate kind: a backend that has the VIP on its interface sends solicitations
 * from the VIP, and they must reach the kernel. */
static inline int icmp_kind(__u8 type, bool ipv6)
{
	if (is_icmp_error(type, ipv6))
		return PACKET_ICMP_ERROR;
	if (type == (ipv6 ? 128 : 8))
		return PACKET_ECHO_REQUEST;
	return ipv6 && type >= 133 && type <= 137 ? PACKET_NEIGHBOUR : PACKET_OTHER;
}

/* The number of quoted bytes if an extension follows the quoted packet (RFC 4884 sections 4 and 5); 0: the
 * quoted packet extends to the end. The length is in byte 4 (IPv6) or 5 (IPv4). In other ICMPv6 errors, byte 4 belongs
 * to an MTU or a pointer. */
static inline __u32 icmp_quote_length(const __u8 *icmp, bool ipv6)
{
	if (ipv6)
		return icmp[0] == 1 || icmp[0] == 3 ? 8 * icmp[4] : 0;
	return 4 * icmp[5];
}

/* Reads the ICMP message at p->transport. An error quotes a packet that a backend has sent from the VIP to a
 * client. Exchanges source and destination, so that the result looks like a packet from that client. */
static __always_inline void packet_parse_icmp(struct cursor *c, struct packet *p)
{
	const __u8 *icmp = cursor_peek(c, 8);
	struct address vip = p->destination;
	__u32 quote;
	__be16 port;
	int error;

	p->kind = icmp ? icmp_kind(icmp[0], p->ipv6) : PACKET_OTHER;
	if (p->kind != PACKET_ICMP_ERROR)
		return;
	c->at += 8;
	c->length = p->end; /* bytes behind the ICMP message are not part of the quoted packet */
	quote = icmp_quote_length(icmp, p->ipv6);
	quote = quote ? c->at + quote : p->end;
	error = p->ipv6 ? packet_parse_ipv6(c, p, true) : packet_parse_ipv4(c, p, true);
	if (p->kind == PACKET_FIRST_FRAGMENT)
		p->kind = PACKET_ICMP_ERROR;
	if (!error && p->kind == PACKET_ICMP_ERROR && address_is_same(&p->source, &vip))
		error = packet_parse_transport(c, p);
	else
		error = -1;
	if (error)
		p->kind = PACKET_OTHER; /* an invalid quoted packet does not make the ICMP packet malformed */
	if (p->end > quote)
		p->end = quote > p->payload ? quote : p->payload;
	p->quoted = c->at;
	port = p->source_port;
	p->source_port = p->destination_port;
	p->destination_port = port;
	p->source = p->destination;
	p->destination = vip;
}

/* Reads all headers. Returns VERDICT_CONTINUE if the packet may be for a service, otherwise the final verdict. */
static __always_inline enum verdict packet_parse(struct cursor *c, struct packet *p)
{
	enum verdict verdict = packet_parse_ip(c, p);
	int error = 0;

	if (verdict != VERDICT_CONTINUE)
		return verdict;
	if (p->kind == PACKET_LATER_FRAGMENT)
		return VERDICT_CONTINUE;
	if (p->kind == PACKET_WHOLE && p->protocol == (p->ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		p->kind = PACKET_ICMP;
	else
		error = packet_parse_transport(c, p);
	return error ? VERDICT_malformed : VERDICT_CONTINUE;
}
