/* SPDX-License-Identifier: GPL-2.0 */
/* Replies to the daemon's health probes. A backend replies from the VIP. The VIP is usually also an address of
 * this machine, and the kernel drops packets whose source is one of its own addresses. Therefore the daemon
 * receives the replies through the ring buffer punt_probes (docs/design/probes.md). */
#pragma once

#include "punt.h"
#include "vip.h"

/* Returns whether probes use this protocol: UDP, TCP, ICMP errors about UDP and TCP, and other ICMP messages such as
 * echo replies. Fragments and neighbour discovery are excluded. */
static __always_inline bool probe_is_kind(const struct packet *p)
{
	if (p->kind == PACKET_OTHER)
		return p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6;
	return p->kind == PACKET_WHOLE || p->kind == PACKET_ICMP_ERROR;
}

/* Returns whether the packet is from a VIP to a source address of probes. An ICMP error quotes a probe to a VIP, and
 * packet_parse_icmp() has already exchanged its addresses. Tests the source first, because it excludes most packets:
 * few packets have a VIP as source, but many have an address of the balancer as destination. */
static __always_inline bool probe_is_reply(const struct packet *p)
{
	struct address to = p->destination; /* Linux 6.1 accepts no map key in the argument of a global function */

	return probe_is_kind(p) && vip_find(&p->source) && bpf_map_lookup_elem(&probe_addresses, &to);
}

/* Passes a probe reply to the daemon. Returns the verdict. */
static __always_inline enum verdict probe_deliver(struct xdp_md *ctx, const struct packet *p)
{
	struct punt *punt;

	if (!probe_is_reply(p))
		return VERDICT_not_service;
	if (dry_run)
		return VERDICT_probe_reply;
	punt = punt_whole_frame(ctx, &punt_probes, PUNT_PROBE_REPLY);
	if (!punt)
		return VERDICT_lost_probe_reply;
	bpf_ringbuf_submit(punt, 0);
	return VERDICT_probe_reply;
}
