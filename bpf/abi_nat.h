/* SPDX-License-Identifier: GPL-2.0 */
/* The flow table of packets from backends with `forward: nat` (nat_flow.h). abi.h has the other maps of NAT. */
#pragma once

#include "abi.h"

/* nat_generation: array of one __u32. The daemon raises it after each change of a map, a route, a neighbour, a link or
 * a setting on which an entry of nat_flows may depend. */

/* nat_flows: per-CPU array by hash of nat_flow_key. How the program has sent the last packet of a flow. */
struct nat_flow_key {
	__be32 source; /* of the packet as it arrived */
	__be32 destination;
	__be32 ports;     /* source port, destination port */
	__u32 ifindex;    /* the receiving interface */
	struct mac local; /* destination MAC address of the frame */
	__u8 protocol;
	__u8 tos;
};

struct nat_flow_hop {
	struct mac next_hop;
	struct mac interface_mac;
	__be32 vip;  /* new source address */
	__be16 port; /* new source port; 0: the port does not change */
	__u16 mtu;   /* of the route, in bytes, IP header included */
	__u32 ifindex : 28;
	__u32 flags : 4; /* enum nat_vip_flags */
	__u16 backend;   /* id, as the next member; for the counters */
	__u16 service;
};

#define NAT_FLOW_IFINDEX_MAX ((1 << 28) - 1)

struct nat_flow {
	__u64 stamp; /* nat_flow_stamp() when the entry was made: period << 32 | nat_generation */
	struct nat_flow_key key;
	struct nat_flow_hop hop;
	__u32 sequence; /* odd: the element is being written */
};

#define NAT_FLOWS 4096

_Static_assert(sizeof(struct nat_flow) == 64, "nat_flow");
