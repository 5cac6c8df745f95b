// SPDX-License-Identifier: GPL-2.0
/* Derives the resulting struct route of a watch, its state and its reason text, from its lookup, its hop and its
 * link. Sends no requests. Changes only watch->route, and reports each change. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <linux/rtnetlink.h>
#include "neighbour_private.h"

/* Route types without a single destination host. */
static const struct {
	uint8_t type;
	const char *text;
} DEAD_ENDS[] = {
	{RTN_THROW, "no route"},
	{RTN_UNREACHABLE, "'unreachable' route"},
	{RTN_PROHIBIT, "'prohibit' route"},
	{RTN_BLACKHOLE, "'blackhole' route"},
	{RTN_BROADCAST, "'broadcast' route"},
	{RTN_MULTICAST, "'multicast' route"},
	{RTN_ANYCAST, "'anycast' route"},
};

/* A reason that is too long is truncated. */
__attribute__((format(printf, 2, 3))) static void explain(struct route *route, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(route->reason, sizeof(route->reason), format, args);
	va_end(args);
}

static void explain_lookup(struct route *route, const struct watch *watch)
{
	char address[ADDRESS_TEXT_SIZE];
	size_t i;

	address_format(&watch->address, address);
	if (watch->type == RTN_LOCAL)
		explain(route, "%s is an address of this machine", address);
	else
		explain(route, "cannot look up the route to %s: %s", address, strerror(-watch->error));
	for (i = 0; i < COUNT(DEAD_ENDS); i++)
		if (watch->type == DEAD_ENDS[i].type)
			explain(route, "%s to %s (see 'ip route get %s')", DEAD_ENDS[i].text, address, address);
}

static void explain_hop(struct route *route, const struct hop *hop)
{
	const char *role = route->gateway ? "gateway " : "", *interface = route->interface;
	const char *protocol = address_is_ipv4(&hop->key.address) ? "ARP" : "neighbour discovery";
	char address[ADDRESS_TEXT_SIZE];

	address_format(&hop->key.address, address);
	if (hop->state == ROUTE_READY)
		explain(route, "%s", "");
	else if (hop->error)
		explain(route, "cannot resolve %s%s on %s: %s", role, address, interface, strerror(-hop->error));
	else if (hop->state == ROUTE_PENDING)
		explain(route, "%s%s has not answered %s on %s yet", role, address, protocol, interface);
	else
		explain(route, "%s%s does not answer %s on %s (is it up, and in this VLAN?)", role, address, protocol,
			interface);
}

static enum route_state derive_state(struct route *route, const struct watch *watch, const struct netlink_link *link)
{
	/* Checks interfaces first: a route vanishes together with its interface. */
	if (link && !link->up) {
		explain(route, "interface %s is down", link->name);
	} else if (link && !link->running) {
		explain(route, "interface %s has no carrier", link->name);
	} else if (watch->type != RTN_UNICAST) {
		explain_lookup(route, watch);
	} else if (!watch->hop) {
		explain(route, "interface %s is not Ethernet", link->name);
	} else {
		explain_hop(route, watch->hop);
		return watch->hop->state;
	}
	return ROUTE_FAILED;
}

/* Kinds of virtual devices without ndo_xdp_xmit. Frames redirected to such a device are lost silently. */
static bool is_virtual(const char *kind)
{
	static const char *const kinds[] = {"vlan", "bridge", "macvlan", "ipvlan", "vxlan", "dummy", "team"};

	for (size_t i = 0; i < COUNT(kinds); i++)
		if (!strcmp(kind, kinds[i]))
			return true;
	return false;
}

/* The MTU towards an address: the smallest of the MTU of the interface, the MTU of the route, and the MTU from a router
 * on the path. */
static uint16_t route_mtu(const struct watch *watch, const struct netlink_link *link)
{
	uint32_t mtu = link->mtu < UINT16_MAX ? link->mtu : UINT16_MAX;

	if (watch->unicast.mtu && watch->unicast.mtu < mtu)
		mtu = watch->unicast.mtu;
	return watch->path_mtu && watch->path_mtu < mtu ? watch->path_mtu : mtu;
}

/* While the state of a new interface or neighbour is unknown, the previous route stays unchanged. */
void neighbour_update_route(struct neighbours *n, struct watch *watch)
{
	const struct netlink_link *link = neighbour_link_find(n, watch->unicast.ifindex);
	const struct hop *hop = watch->hop;
	struct route route;

	if (watch->type == RTN_UNICAST && (!link || (hop && hop->state == ROUTE_UNKNOWN)))
		return;
	memcpy(&route, &watch->route, sizeof(route)); /* compared as bytes */
	if (link) {
		route.ifindex = link->ifindex;
		route.mtu = route_mtu(watch, link);
		route.path_mtu = watch->path_mtu;
		route.path_router = watch->path_router;
		route.interface_mac = link->mac;
		memcpy(route.interface, link->name, sizeof(route.interface));
		route.virtual_link = is_virtual(link->kind);
		route.source = watch->unicast.source;
	}
	if (hop) {
		route.gateway = !address_equal(&hop->key.address, &watch->address);
		route.next_hop = mac_is_zero(&hop->mac) ? route.next_hop : hop->mac;
	}
	route.state = derive_state(&route, watch, link);
	if (memcmp(&route, &watch->route, sizeof(route)) == 0)
		return;
	memcpy(&watch->route, &route, sizeof(route));
	neighbour_report(n);
}
