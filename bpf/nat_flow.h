/* SPDX-License-Identifier: GPL-2.0 */
/* The flow table for packets from backends with `forward: nat`: how the fast path has sent the last packet of the same
 * flow. The next packet then needs no look-up of its source, its destination, its route and its next hop. Like the fast
 * path, the table is for IPv4 only.
 *
 * The key contains all values that these look-ups use, except length and TTL, which the fast path checks for each
 * packet. An entry therefore gives the same result as the look-ups, also with policy rules and multipath routes, until
 * a map, a route or a neighbour changes. The daemon then raises `nat_generation`, and all entries become invalid. An
 * entry is also invalid after the period in which it was made. This limits the effect of a stopped daemon, and of
 * changes that the kernel does not report.
 *
 * Two flows may share an element: the later one replaces the earlier one. A flood of forged addresses can therefore
 * only make the program repeat its look-ups. */
#pragma once

#include "maps.h"
#include "packet.h"

/* A period has 64 jiffies: 0.64 s on a kernel with 100 jiffies a second, 0.26 s with 250. Reading the jiffies takes 1
 * ns, and reading the coarse clock 11 ns. */
#define NAT_FLOW_PERIOD_SHIFT 6

/* The golden ratio, as in Knuth's multiplicative hash. */
#define NAT_FLOW_PRIME 0x9e3779b97f4a7c15ULL

/* Keeps the compiler from moving accesses to memory across this point. */
static __always_inline void nat_flow_barrier(void)
{
	asm volatile("" ::: "memory");
}

/* An entry is valid while this value is the same as when the entry was made. Call this before the look-ups: if
 * something changes during the look-ups, the new entry is then invalid from the start. */
static __always_inline __u64 nat_flow_stamp(void)
{
	const __u32 *generation = bpf_map_lookup_elem(&nat_generation, &(__u32){0});

	return generation ? bpf_jiffies64() >> NAT_FLOW_PERIOD_SHIFT << 32 | *generation : 0;
}

/* The ports of UDP and TCP are at the same offset. */
static __always_inline void nat_flow_key(
	const struct xdp_md *ctx, const struct ethhdr *eth, const struct iphdr *ip, struct nat_flow_key *key)
{
	key->source = ip->saddr;
	key->destination = ip->daddr;
	key->ports = *(const __be32 *)(ip + 1);
	key->ifindex = ctx->ingress_ifindex;
	__builtin_memcpy(&key->local, eth->h_dest, sizeof(key->local));
	key->protocol = ip->protocol;
	key->tos = ip->tos;
}

/* The element that a flow may use. The hash needs no secret key, because senders gain nothing from flows with the same
 * element. */
static __always_inline struct nat_flow *nat_flow_find(const struct nat_flow_key *key)
{
	const __u64 *words = (const __u64 *)key;
	__u32 at = (words[0] ^ words[1] * NAT_FLOW_PRIME) * NAT_FLOW_PRIME >> 32;

	at %= NAT_FLOWS;
	return bpf_map_lookup_elem(&nat_flows, &at);
}

/* Each CPU has its own table. However, a packet can interrupt the program on the same CPU (flow.h), so the program may
 * find an element that is half written, or that changes while the program reads it. In neither case does `sequence`
 * have the same even value before and after. Memory barriers of the CPU are unnecessary, because no other CPU writes
 * the element. */
static __always_inline bool nat_flow_read(
	const struct nat_flow *flow, const struct nat_flow_key *key, __u64 stamp, struct nat_flow_hop *hop)
{
	const __u64 *a = (const __u64 *)&flow->key, *b = (const __u64 *)key;
	__u32 sequence = flow->sequence;

	nat_flow_barrier();
	if (sequence & 1 || flow->stamp != stamp || a[0] != b[0] || a[1] != b[1] || a[2] != b[2])
		return false;
	*hop = flow->hop;
	nat_flow_barrier();
	return flow->sequence == sequence;
}

static __always_inline void nat_flow_write(
	struct nat_flow *flow, const struct nat_flow_key *key, __u64 stamp, const struct nat_flow_hop *hop)
{
	__u32 sequence = flow->sequence;

	if (sequence & 1)
		return;
	flow->sequence = sequence + 1;
	nat_flow_barrier();
	flow->stamp = stamp;
	flow->key = *key;
	flow->hop = *hop;
	nat_flow_barrier();
	flow->sequence = sequence + 2;
}
