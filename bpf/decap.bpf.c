// SPDX-License-Identifier: GPL-2.0
/* decap: an XDP program for backends that receive IP-in-IP or GUE (tunnel.h). It removes the outer headers of packets
 * that a balancer has sent to this host, and passes the inner packet to the kernel. It passes all other packets
 * unchanged. A tunnel bypasses the firewall of the host. Therefore decap accepts only listed outer sources, and
 * only VIPs as inner destination. */

#include "frame.h"
#include "checksum.h"
#include "ethernet.h"
#include "tunnel.h"

char LICENSE[] SEC("license") = "GPL";

/* The local tunnel endpoints. The loader adds the addresses of the interface. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct address);
	__type(value, __u32);
} decap_addresses SEC(".maps");

struct decap_prefixes {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, DECAP_PREFIXES);
	__type(key, struct prefix_key);
	__type(value, __u32);
};

struct decap_prefixes decap_sources SEC(".maps");
struct decap_prefixes decap_vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct decap_ports);
} decap_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct decap_verdict_counters);
} decap_verdicts SEC(".maps");

/* The inner packet. Its IP header (20 bytes for IPv4, 40 for IPv6) is readable. */
struct inner_packet {
	__u8 *ip;
	bool ipv6;
	__u32 at;  /* offset in the frame */
	__u32 end; /* offset in the frame */
	struct address destination;
};

static __always_inline int finish_action(enum decap_verdict verdict)
{
#define VERDICT_CASE(name, action, normal, text)                                                                       \
	case VERDICT_##name:                                                                                           \
		return ACTION_##action == ACTION_dropped ? XDP_DROP : XDP_PASS;
	switch (verdict) {
		DECAP_VERDICTS(VERDICT_CASE)
	case DECAP_VERDICT_COUNT:
		break;
	}
	return XDP_PASS;
#undef VERDICT_CASE
}

static __always_inline int finish(enum decap_verdict verdict)
{
	__u64 *counters = bpf_map_lookup_elem(&decap_verdicts, &(__u32){0});

	if (counters)
		counters[verdict]++;
	return finish_action(verdict);
}

static __always_inline bool is_gue_port(__u16 port)
{
	const struct decap_ports *ports = bpf_map_lookup_elem(&decap_ports, &(__u32){0});

	if (!ports || !ports->gue[0])
		return port == GUE_PORT;
	for (int i = 0; i < DECAP_GUE_PORTS; i++) {
		if (port == ports->gue[i])
			return true;
	}
	return false;
}

/* Later fragments have no port, so those of UDP are not recognized as GUE. */
static __always_inline bool is_gue(const struct xdp_md *ctx, const struct packet *p)
{
	const struct udphdr *udp = frame_at(ctx, p->transport);

	return p->protocol == IPPROTO_UDP && p->kind != PACKET_LATER_FRAGMENT && (void *)(udp + 1) <= frame_end(ctx) &&
	       is_gue_port(host16(udp->dest));
}

static __always_inline bool is_tunnelled(const struct xdp_md *ctx, const struct packet *p)
{
	return (p->protocol == IPPROTO_IPIP || p->protocol == IPPROTO_IPV6 || is_gue(ctx, p)) &&
	       bpf_map_lookup_elem(&decap_addresses, &p->destination);
}

static __always_inline bool is_listed(void *prefixes, const struct address *address)
{
	struct prefix_key key = {.bits = 128, .address = *address};

	return bpf_map_lookup_elem(prefixes, &key);
}

/* Returns false if the outer header does not contain a complete packet of the announced version. In GUE, the inner
 * packet itself announces its version. */
static __always_inline bool read_inner(const struct xdp_md *ctx, const struct packet *p, struct inner_packet *inner)
{
	bool gue = p->protocol == IPPROTO_UDP;
	__u32 offset = p->transport + (gue ? sizeof(struct udphdr) : 0);
	__u8 *at = frame_at(ctx, offset);
	const struct ipv6hdr *ipv6 = (void *)at;
	const struct iphdr *ipv4 = (void *)at;

	inner->ip = at;
	inner->at = offset;
	if ((void *)(ipv4 + 1) > frame_end(ctx))
		return false;
	inner->ipv6 = gue ? at[0] >> 4 == 6 : p->protocol == IPPROTO_IPV6;
	if (!inner->ipv6) {
		inner->end = offset + host16(ipv4->tot_len);
		inner->destination = address_from_ipv4(ipv4->daddr);
		return at[0] >> 4 == 4 && inner->end <= p->end;
	}
	if ((void *)(ipv6 + 1) > frame_end(ctx))
		return false;
	inner->end = offset + sizeof(*ipv6) + host16(ipv6->payload_len);
	__builtin_memcpy(&inner->destination, &ipv6->daddr, sizeof(inner->destination));
	return at[0] >> 4 == 6 && inner->end <= p->end && !address_is_mapped_ipv4(&inner->destination);
}

/* --- explicit congestion notification (RFC 3168) */

enum ecn {
	ECN_NONE, /* the sender does not support ECN */
	ECN_ECT1,
	ECN_ECT0,
	ECN_CE, /* congestion experienced */
};

/* The field is at the end of the second byte in IPv4, and inside the second byte in IPv6. */
static __always_inline __u8 ecn_get(const __u8 *ip, bool ipv6)
{
	return (ipv6 ? ip[1] >> 4 : ip[1]) & 3;
}

static __always_inline void ecn_set(__u8 *ip, bool ipv6, __u8 ecn)
{
	struct iphdr *ipv4 = (void *)ip;
	__be16 *word = (void *)ip, was = *word;

	if (ipv6) {
		ip[1] = (ip[1] & ~0x30) | ecn << 4;
	} else {
		ip[1] = (ip[1] & ~3) | ecn;
		ipv4->check = checksum_replace(ipv4->check, was, *word);
	}
}

/* Copies the congestion mark of the outer header to the inner one: RFC 6040 section 4.2. Returns false if the
 * inner packet does not support ECN; the packet must then be dropped. */
static __always_inline bool hand_on_ecn(const struct inner_packet *inner, __u8 outer)
{
	__u8 own = ecn_get(inner->ip, inner->ipv6);

	if (outer == ECN_CE && own == ECN_NONE)
		return false;
	if ((outer == ECN_CE && own != ECN_CE) || (outer == ECN_ECT1 && own == ECN_ECT0))
		ecn_set(inner->ip, inner->ipv6, outer);
	return true;
}

static __always_inline __u8 outer_ecn(const struct xdp_md *ctx, const struct packet *p)
{
	const __u8 *outer = frame_at(ctx, p->ip);

	return (void *)(outer + 2) > frame_end(ctx) ? ECN_NONE : ecn_get(outer, p->ipv6);
}

/* Moves the Ethernet header directly in front of the inner packet. */
static __always_inline enum decap_verdict decapsulate(
	struct xdp_md *ctx, const struct packet *p, const struct inner_packet *inner)
{
	const struct ethhdr *eth = frame_start(ctx);
	struct ethernet_header link = {.vlan_count = p->vlan_count, .vlan = {p->vlan[0], p->vlan[1]}};

	if ((void *)(eth + 1) > frame_end(ctx))
		return VERDICT_decap_malformed;
	__builtin_memcpy(&link.destination, eth->h_dest, sizeof(link.destination));
	__builtin_memcpy(&link.source, eth->h_source, sizeof(link.source));
	link.protocol = net16(inner->ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	if (bpf_xdp_adjust_head(ctx, inner->at - p->ip) || !ethernet_header_write(ctx, &link))
		return VERDICT_decap_malformed; /* for the verifier: the inner header is there */
	return VERDICT_decapsulated;
}

static __always_inline enum decap_verdict open_tunnel(struct xdp_md *ctx, const struct packet *p)
{
	struct inner_packet inner = {};

	if (!is_tunnelled(ctx, p))
		return VERDICT_not_tunnelled;
	if (!is_listed(&decap_sources, &p->source))
		return VERDICT_decap_unlisted_source;
	if (p->kind != PACKET_WHOLE)
		return VERDICT_decap_fragment;
	if (!read_inner(ctx, p, &inner))
		return VERDICT_decap_malformed;
	if (!is_listed(&decap_vips, &inner.destination))
		return VERDICT_decap_unlisted_vip;
	if (!hand_on_ecn(&inner, outer_ecn(ctx, p)))
		return VERDICT_decap_congested;
	return decapsulate(ctx, p, &inner);
}

/* This is a global function, so that the verifier checks the code after the call once, and not for each path
 * through the headers. */
__noinline int parse(struct xdp_md *ctx, struct packet *packet)
{
	struct cursor cursor = {
		.data = frame_start(ctx),
		.data_end = frame_end(ctx),
		.length = bpf_xdp_get_buff_len(ctx),
		.zero = unknown_zero(ctx),
	};

	return packet ? packet_parse_ip(&cursor, packet) : VERDICT_malformed;
}

SEC("xdp.frags")
int decap(struct xdp_md *ctx)
{
	struct packet packet = {};

	if (parse(ctx, &packet) != VERDICT_CONTINUE)
		return finish(VERDICT_not_tunnelled);
	return finish(open_tunnel(ctx, &packet));
}
