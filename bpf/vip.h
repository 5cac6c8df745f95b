/* SPDX-License-Identifier: GPL-2.0 */
/* What is known of a VIP as such, and of ports of it that come in ranges. */
#pragma once

#include "maps.h"
#include "packet.h"

/* What is known of an address if it is a VIP; NULL for any other. */
static __always_inline const struct vip *vip_find(const struct address *address)
{
	struct address key = *address;

	return bpf_map_lookup_elem(&vips, &key);
}

/* The range of a VIP that the packet's port lies in; NULL if there is none. */
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
