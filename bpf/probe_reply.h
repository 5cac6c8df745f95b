/* SPDX-License-Identifier: GPL-2.0 */
/* Answers to the daemon's probes. A backend answers from the VIP, which as a rule is an
 * address of this machine too: our kernel takes no packet from one of its own addresses.
 * So the daemon gets it, by the ring buffer punt_probes (docs/design/probes.md). */
#pragma once

#include "punt.h"
#include "vip.h"

/* Of the kinds that probes are: UDP and TCP, ICMP errors about them, and other ICMP,
 * echo replies among it. No fragments, and no neighbour discovery. */
static __always_inline bool probe_is_kind(const struct packet *p)
{
	if (p->kind == PACKET_OTHER)
		return p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6;
	return p->kind == PACKET_WHOLE || p->kind == PACKET_ICMP_ERROR;
}

/* From a VIP, to where probes come from? An ICMP error is by then turned round: it is
 * about a packet that went from there to a VIP. Asked in this order, because much goes to
 * an address of ours, and hardly anything comes from a VIP. */
static __always_inline bool probe_is_reply(const struct packet *p)
{
	struct address to = p->destination; /* 6.1 takes no key from a global function's argument */

	return probe_is_kind(p) && vip_find(&p->source) && bpf_map_lookup_elem(&probe_addresses, &to);
}

/* What becomes of a packet that is for no service. */
static __always_inline enum verdict probe_deliver(struct xdp_md *ctx, const struct packet *p)
{
	struct punt *punt;

	if (!probe_is_reply(p))
		return VERDICT_not_service;
	punt = punt_whole_frame(ctx, &punt_probes, PUNT_PROBE_REPLY);
	if (!punt)
		return VERDICT_lost_probe_reply;
	bpf_ringbuf_submit(punt, 0);
	return VERDICT_probe_reply;
}
