// SPDX-License-Identifier: GPL-2.0
/* Bench only: the balancer plus a look-up in a table of flows for each packet, as other
 * balancers do (Katran: an LRU map, by addresses, ports and protocol). Shows the time that
 * sipxdp saves because it keeps no state per flow. */

#include "drive.h"
#include "bpf/packet.h"

struct flow_key {
	struct address source;
	struct address destination;
	__be16 source_port;
	__be16 destination_port;
	__u32 protocol;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 20);
	__type(key, struct flow_key);
	__type(value, __u32);
} flows SEC(".maps");

/* Looks up the flow of a plain IPv4 packet, and adds an entry if the flow is new. */
__noinline int flow_record(struct xdp_md *ctx)
{
	const struct iphdr *ip = frame_start(ctx) + ETHERNET_SIZE;
	const __be16 *ports = (const void *)(ip + 1);
	struct flow_key key;
	__u32 *packets;

	if ((void *)(ports + 2) > frame_end(ctx))
		return 0;
	key = (struct flow_key){
		address_from_ipv4(ip->saddr), address_from_ipv4(ip->daddr), ports[0], ports[1], ip->protocol};
	packets = bpf_map_lookup_elem(&flows, &key);
	if (packets)
		*packets += 1;
	else
		bpf_map_update_elem(&flows, &key, &(__u32){1}, BPF_ANY);
	return 0;
}

/* The rest is the balancer itself. */
__attribute__((always_inline)) int without_table(struct xdp_md *ctx);
#define balancer without_table
#include "bpf/balancer.bpf.c"
#undef balancer

int balancer(struct xdp_md *ctx)
{
	flow_record(ctx);
	return without_table(ctx);
}

SEC("xdp.frags")
int flow_table(struct xdp_md *ctx)
{
	return drive_once(ctx);
}

SEC("xdp.frags")
int timed(struct xdp_md *ctx)
{
	return drive_timed(ctx);
}
