/* SPDX-License-Identifier: GPL-2.0 */
/* Writes the Ethernet header, VLAN tags and all, of a frame whose head was moved. */
#pragma once

#include "frame.h"
#include "packet.h"

/* An Ethernet header that may carry VLAN tags. */
struct ethernet_header {
	struct mac destination;
	struct mac source;
	struct vlan_tag vlan[PACKET_VLANS];
	__u8 vlan_count;
	__be16 protocol; /* of what follows */
};

static __always_inline __u32 ethernet_header_size(const struct ethernet_header *link)
{
	return ETHERNET_SIZE + link->vlan_count * sizeof(struct vlan_tag);
}

/* Writes the header at the frame's start. Returns what follows it, or NULL. */
static __always_inline void *ethernet_header_write(struct xdp_md *ctx, const struct ethernet_header *link)
{
	struct ethhdr *eth = frame_start(ctx);
	__be16 *protocol = &eth->h_proto;

	if ((void *)(eth + 1) + sizeof(link->vlan) > frame_end(ctx))
		return NULL;
	__builtin_memcpy(eth->h_dest, &link->destination, sizeof(link->destination));
	__builtin_memcpy(eth->h_source, &link->source, sizeof(link->source));
	for (int i = 0; i < PACKET_VLANS && i < link->vlan_count; i++) {
		protocol[0] = link->vlan[i].protocol;
		protocol[1] = link->vlan[i].control;
		protocol += 2;
	}
	*protocol = link->protocol;
	return protocol + 1;
}
