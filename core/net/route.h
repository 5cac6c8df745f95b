/* SPDX-License-Identifier: GPL-2.0 */
/* The way from this balancer to one backend, as the kernel's routes and neighbour
 * table give it. A value: ctl/daemon/neighbour/neighbour.c finds it, desired.c uses it. */
#pragma once

#include "bpf/abi.h"

enum route_state {
	ROUTE_UNKNOWN, /* nothing heard yet; after a restart what the maps hold goes on to serve */
	ROUTE_PENDING, /* a neighbour that has not answered yet */
	ROUTE_READY,
	ROUTE_FAILED, /* no route, interface down, or the neighbour does not answer */
};

struct route {
	enum route_state state;
	uint32_t ifindex;  /* where packets leave */
	uint16_t mtu;      /* of that interface, or of the route or the path where that is less */
	uint16_t path_mtu; /* what a router on the way has said that fits; 0: none has */
	struct address path_router;
	bool gateway;          /* next_hop is a router: no way for DSR */
	bool virtual_link;     /* XDP can send back by the interface, but not redirect to it */
	struct address source; /* what the kernel would send from */
	struct mac next_hop;   /* valid when READY; in other states the last one known, or zero */
	struct mac interface_mac;
	char interface[16];
	char reason[128]; /* why it is not READY, for people: what failed and what to look at */
};
