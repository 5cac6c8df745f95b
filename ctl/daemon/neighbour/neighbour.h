/* SPDX-License-Identifier: GPL-2.0 */
/* Owns the rtnetlink sockets: looks up the route to each backend, keeps the neighbour entry of its
 * next hop fresh, and tracks changes of routes, links and neighbours. Handles addresses,
 * not pools or backends. */
#pragma once

#include <systemd/sd-event.h>
#include "core/net/prefix.h"
#include "core/net/route.h"

struct neighbours;

/* Opens the sockets and joins the loop. Calls `changed` from the loop, at most once every 50 ms, after a result of
 * neighbours_route() has changed. Calls `rerouted` at once after each change in the kernel that may affect the route or
 * the next hop of packets to any address, watched or not. 0 or -errno. */
int neighbours_new(struct neighbours **out, sd_event *event, void (*changed)(void *data), void (*rerouted)(void *data),
	void *data);
void neighbours_free(struct neighbours *neighbours);

/* Sets the addresses to watch. New addresses are looked up; addresses that are no longer listed are
 * dropped together with their kernel entries; the others are unchanged. 0 or -errno. */
int neighbours_watch(struct neighbours *neighbours, const struct address *addresses, size_t count);

/* Sets the networks from which tunnels to watched addresses have their source, besides the source address of the route.
 * An ICMP error about the path MTU may quote such a source. */
void neighbours_set_sources(struct neighbours *neighbours, const struct prefix_key *prefixes, size_t count);

/* The route to an address. Never NULL; ROUTE_UNKNOWN for an address that is not watched or not yet
 * looked up. A READY route stays READY while its neighbour is resolved again, until the neighbour has
 * missed two rounds of requests. Valid until the loop runs again. */
const struct route *neighbours_route(const struct neighbours *neighbours, const struct address *address);

/* Resolves the MAC address of a watched address again, at most every 2 s. Call it when a backend does
 * not respond: the address may have moved to a different machine without an announcement, or the
 * network may be back. The known MAC address stays in use until a reply arrives or two rounds of
 * requests have remained unanswered. */
void neighbours_recheck(struct neighbours *neighbours, const struct address *address);

/* How the next hop of an address answers. All zeros: not known yet, or the address has no next hop. */
struct neighbour_replies neighbours_replies(const struct neighbours *neighbours, const struct address *address);

/* The MTU of an interface; 0 if there is no interface of this name. */
uint32_t neighbours_interface_mtu(const struct neighbours *neighbours, const char *name);

/* Appends to a list of `count` entries the MAC addresses by which an interface receives frames for this machine, and
 * reallocates the list. These are its own address and those of the interfaces above
 * it: VLANs, macvlans (as used by VRRP), its bridge or bond. Returns the new count. */
size_t neighbours_own_macs(
	const struct neighbours *neighbours, const char *interface, struct interface_mac **list, size_t count);

/* Does the address belong to this machine, so that its kernel answers ARP or neighbour discovery for
 * it? 1, 0 or -errno. */
int neighbours_is_local(struct neighbours *neighbours, const struct address *address);
