// SPDX-License-Identifier: GPL-2.0
/* For a backend that receives IP-in-IP: takes the outer header off what is addressed to
 * this host and gives the rest up to its kernel. Everything else passes untouched. */

#include "context.h"
#include "packet.h"
#include "link.h"

char LICENSE[] SEC("license") = "GPL";

/* Addresses that tunnels end at. The loader fills it with those of the interface. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct address);
	__type(value, __u32);
} decap_addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct decap_verdict_counters);
} decap_verdicts SEC(".maps");

static __always_inline int finish(enum decap_verdict verdict)
{
	__u64 *counters = bpf_map_lookup_elem(&decap_verdicts, &(__u32){0});

	if (counters)
		counters[verdict]++;
	return XDP_PASS;
}

static __always_inline bool is_tunnelled(const struct packet *p)
{
	return (p->protocol == IPPROTO_IPIP || p->protocol == IPPROTO_IPV6) &&
	       bpf_map_lookup_elem(&decap_addresses, &p->destination);
}

/* Reads the inner packet's version, and its length into *end. -1 for what is none. */
static __always_inline int inner_version(const struct xdp_md *ctx, const struct packet *p, __u32 *end)
{
	const __u8 *inner = frame_at(ctx, p->transport);
	__u8 version;

	if (inner + sizeof(struct iphdr) > (__u8 *)frame_end(ctx))
		return -1;
	version = inner[0] >> 4;
	if (version == 4 && p->protocol == IPPROTO_IPIP)
		*end = p->transport + host16(((struct iphdr *)inner)->tot_len);
	else if (version == 6 && p->protocol == IPPROTO_IPV6)
		*end = p->transport + sizeof(struct ipv6hdr) + host16(((struct ipv6hdr *)inner)->payload_len);
	else
		return -1;
	return version;
}

/* Moves the link layer header to just before the inner packet. */
static __always_inline enum decap_verdict decapsulate(struct xdp_md *ctx, const struct packet *p)
{
	const struct ethhdr *eth = frame_start(ctx);
	struct link_layer link = {.vlan_count = p->vlan_count, .vlan = {p->vlan[0], p->vlan[1]}};
	__u32 end = 0;
	int version = inner_version(ctx, p, &end);

	if (version < 0 || end > p->end)
		return VERDICT_decap_malformed;
	if ((void *)(eth + 1) > frame_end(ctx))
		return VERDICT_decap_malformed;
	__builtin_memcpy(&link.destination, eth->h_dest, sizeof(link.destination));
	__builtin_memcpy(&link.source, eth->h_source, sizeof(link.source));
	link.protocol = net16(version == 4 ? ETH_P_IP : ETH_P_IPV6);
	if (bpf_xdp_adjust_head(ctx, p->transport - p->ip) || !link_layer_write(ctx, &link))
		return VERDICT_decap_malformed; /* for the verifier: the inner header is there */
	return VERDICT_decapsulated;
}

SEC("xdp.frags")
int decap(struct xdp_md *ctx)
{
	struct cursor cursor = {
		.data = frame_start(ctx),
		.data_end = frame_end(ctx),
		.length = bpf_xdp_get_buff_len(ctx),
		.zero = unknown_zero(ctx),
	};
	struct packet packet = {};

	if (packet_parse_ip(&cursor, &packet) != VERDICT_none || !is_tunnelled(&packet))
		return finish(VERDICT_not_tunnelled);
	if (packet.kind != PACKET_WHOLE)
		return finish(VERDICT_decap_fragment);
	return finish(decapsulate(ctx, &packet));
}
