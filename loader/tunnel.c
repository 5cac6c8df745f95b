// SPDX-License-Identifier: GPL-2.0
/* See tunnel.h. No other file writes to this map. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <string.h>
#include <bpf/bpf.h>
#include "core/net/address.h"
#include "output.h"
#include "tunnel.h"

static int refuse(const struct address *address, int error)
{
	char text[ADDRESS_TEXT_SIZE];

	output_error("cannot add the tunnel endpoint %s: %s", address_format(address, text),
		error == E2BIG ? "the map decap_addresses is full" : output_errno(error));
	return -1;
}

static bool is_interface(uint32_t ifindex)
{
	char name[IFNAMSIZ];

	return if_indextoname(ifindex, name);
}

int tunnel_add_named(int map, const struct address *address, bool *is_new)
{
	const uint32_t owner = TUNNEL_NAMED;
	uint32_t before;

	*is_new = bpf_map_lookup_elem(map, address, &before) != 0;
	return bpf_map_update_elem(map, address, &owner, BPF_ANY) ? refuse(address, errno) : 0;
}

void tunnel_remove_named(int map, const struct address *address)
{
	bpf_map_delete_elem(map, address);
}

/* An existing entry keeps its interface, unless that interface no longer exists. */
static int add(int map, uint32_t ifindex, const struct address *address, size_t *added)
{
	uint32_t owner;
	bool is_new = bpf_map_lookup_elem(map, address, &owner) != 0;

	if (!is_new && (owner == TUNNEL_NAMED || is_interface(owner)))
		return 0;
	if (bpf_map_update_elem(map, address, &ifindex, BPF_ANY))
		return refuse(address, errno);
	*added += is_new;
	return 0;
}

int tunnel_add_interface(int map, const char *interface, int ifindex, bool needed, size_t *added)
{
	struct ifaddrs *all, *entry;
	struct address address;
	bool found = false;
	int result = 0;

	*added = 0;
	if (getifaddrs(&all)) {
		output_error("cannot read the addresses of %s: %s", interface, output_errno(errno));
		return -1;
	}
	for (entry = all; !result && entry; entry = entry->ifa_next) {
		if (!interface_address(entry, interface, &address))
			continue;
		found = true;
		result = add(map, ifindex, &address, added);
	}
	freeifaddrs(all);
	if (!result && needed && !found) {
		output_error("%s has no address for a tunnel endpoint (add one to it, or name one with --address)",
			interface);
		return -1;
	}
	return result;
}

/* Returns an attached interface that has this address, or NULL. */
static const struct attachment *find_successor(
	const struct ifaddrs *all, const struct address *wanted, const struct attachments *attached)
{
	const struct ifaddrs *entry;
	struct address address;
	size_t i;

	for (i = 0; i < attached->count; i++) {
		const struct attachment *one = &attached->list[i];

		for (entry = all; one->state == ATTACHMENT_LIVE && entry; entry = entry->ifa_next) {
			if (interface_address(entry, one->name, &address) && !memcmp(&address, wanted, sizeof(address)))
				return one;
		}
	}
	return NULL;
}

static bool is_kept(uint32_t owner, uint32_t ifindex, const struct attachments *attached)
{
	size_t i;

	if (owner == TUNNEL_NAMED)
		return true;
	for (i = 0; i < attached->count; i++) {
		if ((uint32_t)attached->list[i].ifindex == owner)
			return true; /* also for an index in a different network namespace */
	}
	return owner != ifindex && is_interface(owner);
}

/* Assigns the entry to `successor`; NULL: removes it. The update is in place, so that decap accepts packets to this
 * address without interruption. */
static void remove_one(int map, const struct address *address, const struct attachment *successor)
{
	const uint32_t owner = successor ? successor->ifindex : 0;

	if (successor)
		bpf_map_update_elem(map, address, &owner, BPF_EXIST);
	else
		tunnel_remove_named(map, address);
}

void tunnel_remove_interface(int map, uint32_t ifindex, const struct attachments *attached)
{
	struct ifaddrs *all = NULL;
	struct address key, next;
	uint32_t owner;
	int end = bpf_map_get_next_key(map, NULL, &next);

	if (getifaddrs(&all))
		all = NULL; /* without this list, find_successor() cannot find an interface */
	while (!end) {
		key = next;
		/* Must be called before the key is removed: after the removal, the iteration would start again. */
		end = bpf_map_get_next_key(map, &key, &next);
		if (!bpf_map_lookup_elem(map, &key, &owner) && !is_kept(owner, ifindex, attached))
			remove_one(map, &key, find_successor(all, &key, attached));
	}
	if (all)
		freeifaddrs(all);
}
