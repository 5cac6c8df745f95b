// SPDX-License-Identifier: GPL-2.0
/* The map decap_addresses. The only file that writes into it. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <string.h>
#include <bpf/bpf.h>
#include "../ctl/core/address.h"
#include "say.h"
#include "tunnel.h"

static int add(int map, const char *interface, uint32_t ifindex, const struct address *address, size_t *added)
{
	char text[ADDRESS_TEXT_SIZE];

	if (!bpf_map_update_elem(map, address, &ifindex, BPF_NOEXIST)) {
		++*added;
		return 0;
	}
	if (errno == EEXIST)
		return 0;
	say_error("cannot have tunnels to %s end at %s: %s", address_format(address, text), interface,
		errno == E2BIG ? "the map decap_addresses is full" : say_why(errno));
	return -1;
}

/* Of this interface, and one that a tunnel can be addressed to. An IPv4 address may have
 * a label, eth0:1, and is then listed under that. */
static bool is_usable(const struct ifaddrs *entry, const char *interface, struct address *out)
{
	size_t length = strcspn(entry->ifa_name, ":");

	if (!entry->ifa_addr || strlen(interface) != length || memcmp(entry->ifa_name, interface, length))
		return false;
	if (entry->ifa_addr->sa_family == AF_INET) {
		*out = (struct address){.word[2] = htonl(0xffff)};
		out->word[3] = ((struct sockaddr_in *)entry->ifa_addr)->sin_addr.s_addr;
	} else if (entry->ifa_addr->sa_family == AF_INET6) {
		memcpy(out, &((struct sockaddr_in6 *)entry->ifa_addr)->sin6_addr, sizeof(*out));
	} else {
		return false;
	}
	return address_is_host(out);
}

int tunnel_add(
	int map, const char *interface, int ifindex, const struct address *more, size_t more_count, size_t *added)
{
	struct ifaddrs *all, *entry;
	struct address address;
	size_t i, found = more_count;
	int result = 0;

	*added = 0;
	if (getifaddrs(&all)) {
		say_error("cannot read the addresses of %s: %s", interface, say_why(errno));
		return -1;
	}
	for (entry = all; !result && entry; entry = entry->ifa_next) {
		if (!is_usable(entry, interface, &address))
			continue;
		found++;
		result = add(map, interface, ifindex, &address, added);
	}
	freeifaddrs(all);
	for (i = 0; !result && i < more_count; i++)
		result = add(map, interface, ifindex, &more[i], added);
	if (!result && !found) {
		say_error("%s has no address that a tunnel could end at (give it one, or name one by --address)",
			interface);
		return -1;
	}
	return result;
}

void tunnel_remove(int map, uint32_t ifindex)
{
	struct address key, next;
	uint32_t owner;
	int end = bpf_map_get_next_key(map, NULL, &next);

	while (!end) {
		key = next;
		end = bpf_map_get_next_key(map, &key, &next); /* before the key goes, or it would start anew */
		if (!bpf_map_lookup_elem(map, &key, &owner) && owner == ifindex)
			bpf_map_delete_elem(map, &key);
	}
}
