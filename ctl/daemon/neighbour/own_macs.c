// SPDX-License-Identifier: GPL-2.0
/* See own_macs.h. */

#include <string.h>
#include <net/if.h>
#include "core/base/memory.h"
#include "ctl/daemon/log.h"
#include "own_macs.h"

/* Appends the addresses of `macs:` in the file for an interface. Their MTU is that of the previous
 * entry. */
static size_t add_listed(const struct config *config, const char *interface, struct interface_mac **list, size_t count)
{
	uint32_t ifindex = if_nametoindex(interface), mtu = (*list)[count - 1].mtu;

	if (!ifindex)
		return count;
	*list = reallocate(*list, count + config->mac_count, sizeof(**list));
	for (size_t i = 0; i < config->mac_count; i++)
		(*list)[count++] = (struct interface_mac){{ifindex, config->macs[i], 0}, mtu};
	return count;
}

int own_macs_reconcile(const struct daemon *daemon)
{
	const struct config *config = daemon->farm->config;
	struct interface_mac *list = NULL;
	size_t count = 0;
	int error;

	for (size_t i = 0; i < config->interface_count; i++) {
		size_t before = count;

		count = neighbours_own_macs(daemon->neighbours, config->interfaces[i], &list, count);
		if (count > before) /* otherwise the interface is unknown, and its entries stay in the map */
			count = add_listed(config, config->interfaces[i], &list, count);
	}
	error = maps_set_own_macs(daemon->maps, list, count);
	if (error)
		log_error("cannot change the map own_macs: %s; trying again every second", strerror(-error));
	free(list);
	return error;
}
