/* SPDX-License-Identifier: GPL-2.0 */
/* Owns the netlink sockets: asks the kernel for the way to each backend, keeps its
 * neighbour entry fresh, and follows routes, links and neighbours as they change.
 * Knows addresses, nothing of pools. */
#pragma once

#include <systemd/sd-event.h>
#include "core/net/route.h"

struct neighbours;

/* Opens the sockets and joins the loop. `changed` is called from the loop, at most
 * once every 50 ms, after any route returned by neighbours_route has changed.
 * 0 or -errno. */
int neighbours_new(struct neighbours **out, sd_event *event, void (*changed)(void *data), void *data);
void neighbours_free(struct neighbours *neighbours);

/* Says which addresses are to be followed from now on: those that are new are asked
 * for, those no longer wanted are let go (their kernel entry too), the others stay.
 * 0 or -errno. */
int neighbours_watch(struct neighbours *neighbours, const struct address *addresses, size_t count);

/* What is known of the way to an address: never NULL; ROUTE_UNKNOWN for one that is
 * not followed, or not yet looked up. A route that was READY stays so while its
 * neighbour is being asked again, and until it has missed two rounds of probes.
 * Valid until the loop runs again. */
const struct route *neighbours_route(const struct neighbours *neighbours, const struct address *address);

/* Asks anew for the MAC address of an address that is followed, because its backend does not
 * answer: another machine may have taken it over without a word, or the network may be back. At most
 * every 2 s. What is known stays until an answer comes, or two rounds of requests get none. */
void neighbours_recheck(struct neighbours *neighbours, const struct address *address);

/* When the last such question began that was answered, ms of CLOCK_MONOTONIC; 0: none was. */
uint64_t neighbours_rechecked(const struct neighbours *neighbours, const struct address *address);

/* The MTU of an interface; 0 if there is none of this name. */
uint32_t neighbours_interface_mtu(const struct neighbours *neighbours, const char *name);

/* Appends to a list of `count`, which it reallocates, the MAC addresses by which an interface receives
 * what is for this machine: its own, and those of what lies above it (VLANs, macvlans such as VRRP
 * has, the bridge or bond that it is a port of). Returns the new count. */
size_t neighbours_own_macs(
	const struct neighbours *neighbours, const char *interface, struct received_mac **list, size_t count);

/* Is this an address of this machine (so that its kernel answers ARP or neighbour
 * discovery for it)? 1, 0 or -errno. */
int neighbours_is_local(struct neighbours *neighbours, const struct address *address);
