// SPDX-License-Identifier: GPL-2.0
/* See probe_source.h. */

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "core/net/address.h"
#include "core/base/memory.h"
#include "ctl/maps/maps.h"
#include "ctl/daemon/neighbour/netlink.h"
#include "probe_source.h"

#define ANSWERS_BYTES (1 << 20)

struct own {
	struct address address;
	uint32_t ifindex;
	bool attached; /* an XDP program receives the packets of the interface */
};

struct probe_sources {
	struct probe_tun *tun;
	int vips_fd;
	int map_fd;
	struct netlink netlink;
	struct own *ours;
	size_t ours_count;
	struct address used[PROBE_ADDRESSES]; /* in the map and on the device */
	size_t used_count;
};

static bool is_vip(const struct probe_sources *sources, const struct address *address)
{
	struct vip vip;

	return !bpf_map_lookup_elem(sources->vips_fd, address, &vip);
}

/* --- the addresses of this machine */

static void take_address(void *data, const struct nlmsghdr *message)
{
	struct probe_sources *sources = data;
	struct netlink_address address;

	if (!netlink_read_address(message, &address) || !address.usable || !address_is_host(&address.address))
		return;
	sources->ours = reallocate(sources->ours, sources->ours_count + 1, sizeof(*sources->ours));
	sources->ours[sources->ours_count++] = (struct own){.address = address.address, .ifindex = address.ifindex};
}

static bool is_ours(const struct probe_sources *sources, const struct address *address)
{
	for (size_t i = 0; i < sources->ours_count; i++)
		if (address_equal(&sources->ours[i].address, address))
			return true;
	return false;
}

static void look_for_programs(struct probe_sources *sources)
{
	for (size_t i = 0; i < sources->ours_count; i++) {
		uint32_t program = 0;

		bpf_xdp_query_id(sources->ours[i].ifindex, 0, &program);
		sources->ours[i].attached = program;
	}
}

/* Prefers an interface whose XDP program sees the reply, then the shortest path back. */
static int rank(const struct own *own, uint32_t ifindex)
{
	return 1 + 2 * own->attached + (own->ifindex == ifindex);
}

/* Returns NULL if no address is suitable. */
static const struct address *best(const struct probe_sources *sources, const struct address *vip, uint32_t ifindex)
{
	const struct address *found = NULL;
	int reached = 0;

	for (size_t i = 0; i < sources->ours_count; i++) {
		const struct own *own = &sources->ours[i];

		if (address_is_ipv4(&own->address) != address_is_ipv4(vip) || rank(own, ifindex) <= reached ||
			is_vip(sources, &own->address))
			continue;
		found = &own->address;
		reached = rank(own, ifindex);
	}
	return found;
}

/* --- addresses in use */

static bool is_used(const struct probe_sources *sources, const struct address *address)
{
	for (size_t i = 0; i < sources->used_count; i++)
		if (address_equal(&sources->used[i], address))
			return true;
	return false;
}

static int start_using(struct probe_sources *sources, const struct address *address)
{
	uint32_t one = 1;
	int error;

	if (is_used(sources, address))
		return 0;
	if (sources->used_count == PROBE_ADDRESSES)
		return -ENOSPC;
	error = probe_tun_add_address(sources->tun, address);
	if (!error)
		error = bpf_map_update_elem(sources->map_fd, address, &one, BPF_ANY);
	if (!error)
		sources->used[sources->used_count++] = *address;
	return error;
}

static void stop_using(struct probe_sources *sources, size_t index)
{
	bpf_map_delete_elem(sources->map_fd, &sources->used[index]);
	probe_tun_remove_address(sources->tun, &sources->used[index]);
	sources->used[index] = sources->used[--sources->used_count];
}

int probe_sources_refresh(struct probe_sources *sources)
{
	int error;

	do {
		sources->ours_count = 0;
		error = netlink_dump_addresses(&sources->netlink, take_address, sources);
	} while (error == -EINTR);
	if (error)
		return error;
	look_for_programs(sources);
	for (size_t i = sources->used_count; i-- > 0;)
		if (!is_ours(sources, &sources->used[i]) || is_vip(sources, &sources->used[i]))
			stop_using(sources, i);
	return 0;
}

int probe_sources_choose(
	struct probe_sources *sources, const struct address *vip, uint32_t ifindex, struct address *out)
{
	const struct address *address = best(sources, vip, ifindex);

	if (!address)
		return -EADDRNOTAVAIL;
	*out = *address;
	return start_using(sources, address);
}

/* --- setup and cleanup */

static void empty_map(int fd)
{
	struct address address;

	while (!bpf_map_get_next_key(fd, NULL, &address) && !bpf_map_delete_elem(fd, &address))
		;
}

int probe_sources_new(struct probe_sources **out, struct probe_tun *tun, const char *directory)
{
	struct probe_sources *sources = allocate(1, sizeof(*sources));
	int error = 0;

	sources->tun = tun;
	sources->vips_fd = maps_open_pin(directory, "vips");
	sources->map_fd = maps_open_pin(directory, "probe_addresses");
	if (sources->vips_fd < 0 || sources->map_fd < 0)
		error = sources->vips_fd < 0 ? sources->vips_fd : sources->map_fd;
	if (!error)
		error = netlink_open(&sources->netlink, ANSWERS_BYTES);
	if (!error) {
		empty_map(sources->map_fd);
		error = probe_sources_refresh(sources);
	}
	if (error) {
		probe_sources_free(sources);
		sources = NULL;
	}
	*out = sources;
	return error;
}

void probe_sources_free(struct probe_sources *sources)
{
	if (!sources)
		return;
	while (sources->used_count)
		stop_using(sources, sources->used_count - 1);
	netlink_close(&sources->netlink);
	if (sources->vips_fd >= 0)
		close(sources->vips_fd);
	if (sources->map_fd >= 0)
		close(sources->map_fd);
	free(sources->ours);
	free(sources);
}
