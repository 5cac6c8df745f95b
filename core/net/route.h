/* SPDX-License-Identifier: GPL-2.0 */
/* The route from this balancer to one backend, from the kernel's routes and neighbour table. ctl/daemon/neighbour/
 * finds the route, and core/farm/ uses it. */
#pragma once

#include "bpf/abi.h"

enum route_state {
	ROUTE_UNKNOWN, /* not known yet; after a restart the values in the maps stay in use */
	ROUTE_PENDING, /* the neighbour has not answered yet */
	ROUTE_READY,
	ROUTE_FAILED, /* no route, interface down, or the neighbour does not answer */
};

struct route {
	enum route_state state;
	uint32_t ifindex;  /* the outgoing interface */
	uint16_t mtu;      /* the smallest of the MTUs of the interface, the route and the path */
	uint16_t path_mtu; /* from a router's ICMP error; 0: none received */
	struct address path_router;
	bool gateway;          /* next_hop is a router, so direct server return cannot work */
	bool virtual_link;     /* XDP_TX works on the interface, an XDP redirect to it does not */
	struct address source; /* the source address that the kernel chooses for this route */
	struct mac next_hop;   /* valid when READY; in other states the last known address, or zero */
	struct mac interface_mac;
	char interface[16];
	char reason[128]; /* for users: why the route is not READY, and what to check */
};

/* How a next hop answers ARP or neighbour discovery. Requests come in rounds of three, one a second. All times are
 * starts of rounds, ms of the clock in core/health/listening.h; 0: none. */
struct neighbour_replies {
	uint64_t answered; /* the last answered round among those that the daemon has started */
	uint64_t asked;    /* the running round that the daemon has started */
	uint64_t began;    /* the first round since the last reply that ended without a reply */
	uint64_t failed;   /* the last such round */
};
