/* SPDX-License-Identifier: GPL-2.0 */
/* Look-ups by VIP, and by a port in a range of a VIP. */
#pragma once

#include "maps.h"
#include "packet.h"

/* The VIP with this address, or NULL. */
static __always_inline const struct vip *vip_find(const struct address *address)
{
	struct address key = *address;

	return bpf_map_lookup_elem(&vips, &key);
}

/* The range that contains the packet's destination port, or NULL. */
static __always_inline const struct port_range *port_range_find(const struct packet *p, const struct vip *vip)
{
	struct port_range_key key = {
		.prefix = PORT_RANGE_KEY_BITS(16),
		.protocol = p->protocol,
		.vip = p->destination,
		.port = p->destination_port,
	};

	return vip && vip->flags & VIP_PORT_RANGES ? bpf_map_lookup_elem(&port_ranges, &key) : NULL;
}
