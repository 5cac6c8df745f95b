// SPDX-License-Identifier: GPL-2.0
/* Finds the MAC addresses by which an interface receives frames for this machine: its own, and those of
 * all interfaces above it. */
#define _GNU_SOURCE /* twalk_r */
#include <search.h>
#include <string.h>
#include <net/if.h>
#include "core/base/memory.h"
#include "neighbour_private.h"

struct above {
	const struct netlink_link **links;
	size_t count;
};

/* Kinds of devices that receive a part of their lower device's frames for this machine. macvtap is not included,
 * because its frames belong to a guest. */
static bool takes_from_lower(const struct netlink_link *link)
{
	static const char *const kinds[] = {"vlan", "macvlan", "macsec"};

	for (size_t i = 0; i < COUNT(kinds); i++)
		if (!strcmp(link->kind, kinds[i]))
			return link->lower && !link->lower_namespace;
	return false;
}

static bool has(const struct above *above, const struct netlink_link *link)
{
	for (size_t i = 0; i < above->count; i++)
		if (above->links[i] == link)
			return true;
	return false;
}

static void add(struct above *above, const struct netlink_link *link)
{
	if (!link || has(above, link))
		return;
	above->links = array_grow(above->links, above->count, sizeof(*above->links));
	above->links[above->count++] = link;
}

struct search {
	const struct neighbours *neighbours;
	struct above *above;
};

/* Adds a link if it receives frames from an interface in the list. */
static void add_if_above(const void *node, VISIT visit, void *data)
{
	const struct netlink_link *link = *(const struct netlink_link *const *)node;
	const struct search *search = data;

	if ((visit == postorder || visit == leaf) && takes_from_lower(link) &&
		has(search->above, neighbour_link_find(search->neighbours, link->lower)))
		add(search->above, link);
}

/* Repeats until no more links are added. */
static void search_upwards(const struct neighbours *n, struct above *above)
{
	struct search search = {n, above};
	size_t before;

	do {
		before = above->count;
		for (size_t i = 0; i < above->count; i++)
			if (above->links[i]->master)
				add(above, neighbour_link_find(n, above->links[i]->master));
		twalk_r(n->links, add_if_above, &search);
	} while (above->count > before);
}

size_t neighbours_own_macs(const struct neighbours *n, const char *interface, struct interface_mac **list, size_t count)
{
	const struct netlink_link *link = neighbour_link_find(n, if_nametoindex(interface));
	struct above above = {};

	add(&above, link);
	search_upwards(n, &above);
	*list = reallocate(*list, count + above.count, sizeof(**list));
	for (size_t i = 0; i < above.count; i++)
		if (!mac_is_zero(&above.links[i]->mac))
			(*list)[count++] = (struct interface_mac){{link->ifindex, above.links[i]->mac, 0}, link->mtu};
	free(above.links);
	return count;
}
