/* SPDX-License-Identifier: GPL-2.0 */
/* Writes the Ethernet header and its VLAN tags after the start of the frame has moved. */
#pragma once

#include "frame.h"
#include "packet.h"

/* An Ethernet header that may carry VLAN tags. */
struct ethernet_header {
	struct mac destination;
	struct mac source;
	struct vlan_tag vlan[PACKET_VLANS];
	__u8 vlan_count;
	__be16 protocol; /* of the next header */
};

static __always_inline __u32 ethernet_header_size(const struct ethernet_header *header)
{
	return ETHERNET_SIZE + header->vlan_count * sizeof(struct vlan_tag);
}

/* Writes the header to the start of the frame. Returns the position after it, or NULL. */
static __always_inline void *ethernet_header_write(struct xdp_md *ctx, const struct ethernet_header *header)
{
	struct ethhdr *eth = frame_start(ctx);
	__be16 *protocol = &eth->h_proto;

	if ((void *)(eth + 1) + sizeof(header->vlan) > frame_end(ctx))
		return NULL;
	__builtin_memcpy(eth->h_dest, &header->destination, sizeof(header->destination));
	__builtin_memcpy(eth->h_source, &header->source, sizeof(header->source));
	for (int i = 0; i < PACKET_VLANS && i < header->vlan_count; i++) {
		protocol[0] = header->vlan[i].protocol;
		protocol[1] = header->vlan[i].control;
		protocol += 2;
	}
	*protocol = header->protocol;
	return protocol + 1;
}
