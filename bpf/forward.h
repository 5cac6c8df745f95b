/* SPDX-License-Identifier: GPL-2.0 */
/* Sends a packet to a backend. For direct server return, it rewrites the Ethernet header. For a tunnel, it also adds
 * the outer headers (encapsulate.h). */
#pragma once

#include "encapsulate.h"
#include "ethernet.h"
#include "nat.h"
#include "parse.h"

/* Prepares the Ethernet header. A frame that leaves through the interface that received it keeps its VLAN
 * tags. */
static __always_inline struct ethernet_header forward_ethernet(
	const struct packet *p, const struct backend *backend, bool same_interface)
{
	struct ethernet_header link = {.destination = backend->next_hop, .source = backend->interface_mac};
	bool ipv6 = is_tunnel(backend->forward) ? !is_ipv4_tunnel(backend) : p->ipv6;

	link.protocol = net16(ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	if (same_interface) {
		link.vlan_count = p->vlan_count;
		link.vlan[0] = p->vlan[0];
		link.vlan[1] = p->vlan[1];
	}
	return link;
}

/* Returns true if the packet consists of several TCP segments. In generic mode, several segments can arrive as one
 * packet longer than any frame. Either the receiving interface has merged them (GRO), or a sender on the same
 * machine has not split them yet (TSO). */
static __always_inline bool forward_is_merged(struct xdp_md *ctx, const struct packet *p, const struct inner *inner)
{
	return p->protocol == IPPROTO_TCP && p->kind == PACKET_WHOLE && inner->length > parse_local_mtu(ctx);
}

/* Returns VERDICT_CONTINUE if the packet can be sent to the backend. This is a separate function so that its stack is
 * not in use during encapsulate(). */
static __noinline enum verdict forward_check(struct xdp_md *ctx, const struct packet *p, const struct backend *backend)
{
	__u32 outer = outer_size(backend);
	struct inner inner = {};

	if (!inner_read(ctx, p->ip, p->ipv6, &inner))
		return VERDICT_malformed;
	if (inner.length + outer > backend->mtu && !forward_is_merged(ctx, p, &inner))
		return VERDICT_too_big;
	if (inner.length + outer > backend->mtu && outer)
		return VERDICT_merged_segments;
	return outer && inner.ttl <= 1 ? VERDICT_ttl_expired : VERDICT_CONTINUE;
}

/* Rewrites the packet for the backend. VERDICT_CONTINUE: success. flow->action is the XDP action, and the
 * verdict of the earlier stages remains. Any other verdict: the packet is unchanged. */
static __always_inline enum verdict forward(struct xdp_md *ctx, struct flow *flow, const struct backend *backend)
{
	const struct packet *p = &flow->packet;
	bool same_interface = backend->ifindex == ctx->ingress_ifindex;
	struct ethernet_header link = forward_ethernet(p, backend, same_interface);
	__u32 outer = outer_size(backend);
	int grow = ethernet_header_size(&link) + outer - p->ip;
	enum verdict verdict = forward_check(ctx, p, backend);

	if (verdict != VERDICT_CONTINUE)
		return verdict;
	if (backend->forward == FORWARD_NAT &&
		nat_rewrite(ctx, p, &backend->address, flow->keeps_port ? 0 : backend->port, NAT_DESTINATION))
		return VERDICT_malformed;
	if (grow && bpf_xdp_adjust_head(ctx, -grow))
		return VERDICT_no_headroom;
	if (!ethernet_header_write(ctx, &link) || (outer && encapsulate(ctx, flow, ethernet_header_size(&link))))
		return VERDICT_malformed; /* only for the verifier: packet_parse() has already read these bytes */
	flow->action = same_interface ? XDP_TX : bpf_redirect(backend->ifindex, 0);
	return VERDICT_CONTINUE;
}
