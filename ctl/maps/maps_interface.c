// SPDX-License-Identifier: GPL-2.0
/* Is the balancer attached to an interface, and can packets pass it? Needs no CAP_SYS_ADMIN: reads the pins instead of
 * looking up programs by their ids. */
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "maps_private.h"

#define MAX_READS 3 /* of a program that the loader replaces at the same time */

/* A pinned link. 0 or -errno. */
static int read_link(const char *links, const char *pin, struct bpf_link_info *info)
{
	uint32_t size = sizeof(*info);
	int error, fd = maps_open_pin(links, pin);

	*info = (struct bpf_link_info){0};
	if (fd < 0)
		return fd;
	error = bpf_obj_get_info_by_fd(fd, info, &size) ? -errno : 0;
	close(fd);
	return error;
}

/* The program of a pinned link of this interface; 0: none, or the link of a different interface. */
static uint32_t program_of(const char *links, const char *pin, uint32_t ifindex)
{
	struct bpf_link_info info;

	return !read_link(links, pin, &info) && info.xdp.ifindex == ifindex ? info.prog_id : 0;
}

/* bpffs refuses dots, so the loader pins eth0.7 as eth0:7. */
static void pin_name(const char *interface, char name[IFNAMSIZ])
{
	snprintf(name, IFNAMSIZ, "%s", interface);
	for (char *dot = strchr(name, '.'); dot; dot = strchr(dot, '.'))
		*dot = ':';
}

const char *maps_current_name(const char *directory, const char *interface, char name[INTERFACE_SIZE])
{
	struct bpf_link_info info;
	char links[512];

	if (if_nametoindex(interface))
		return interface;
	snprintf(links, sizeof(links), "%s/" PIN_LINKS, directory);
	pin_name(interface, name);
	if (!read_link(links, name, &info) && info.xdp.ifindex && if_indextoname(info.xdp.ifindex, name))
		return name;
	return interface;
}

/* The program of the pinned link of an interface; 0: no link. A pin keeps its name when its interface is renamed. */
static uint32_t linked_program(const char *directory, const char *interface, uint32_t ifindex)
{
	char links[512], name[IFNAMSIZ];
	struct dirent *entry;
	uint32_t program;
	DIR *dir;

	snprintf(links, sizeof(links), "%s/" PIN_LINKS, directory);
	pin_name(interface, name);
	program = program_of(links, name, ifindex);
	dir = program ? NULL : opendir(links);
	while (dir && !program && (entry = readdir(dir)))
		if (entry->d_type == DT_REG)
			program = program_of(links, entry->d_name, ifindex);
	if (dir)
		closedir(dir);
	return program;
}

/* Does the pinned program have this id, but use other maps? */
static bool uses_other_maps(const struct maps *maps, const char *directory, const char *pin, uint32_t program)
{
	uint32_t ids[64], size = sizeof(struct bpf_prog_info), ours = maps_id_of(maps->fd[MAP_SERVICES]);
	struct bpf_prog_info info = {.map_ids = (uintptr_t)ids, .nr_map_ids = 64};
	int fd = maps_open_pin(directory, pin);
	bool found = false, known = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) && info.id == program;

	for (uint32_t i = 0; known && i < info.nr_map_ids && i < 64; i++)
		found |= ids[i] == ours;
	if (fd >= 0)
		close(fd);
	return known && !found;
}

const char *maps_attach_mode(const struct maps *maps, const char *directory, const char *interface)
{
	char name[IFNAMSIZ];
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	int ifindex = if_nametoindex(maps_current_name(directory, interface, name)), reads = 0;
	bool linked = false;

	if (!ifindex && errno != ENODEV)
		return "unknown";
	/* The loader may replace the program between the two reads: read both again if they differ. */
	while (ifindex && !linked && reads++ < MAX_READS) {
		if (bpf_xdp_query(ifindex, 0, &query))
			return "unknown";
		linked = query.prog_id && linked_program(directory, interface, ifindex) == query.prog_id;
	}
	/* During an upgrade, the link has the new program shortly before the pin of the program is replaced. If the
	 * loader is killed at this time, the link keeps a program that uses the next maps. */
	if (!linked || uses_other_maps(maps, directory, PIN_PROGRAM, query.prog_id) ||
		uses_other_maps(maps, directory, PIN_OBSERVER, query.prog_id) ||
		uses_other_maps(maps, directory, PIN_NEXT "/" PIN_PROGRAM, query.prog_id))
		return "none";
	return query.attach_mode == XDP_ATTACHED_SKB ? "generic" : "native";
}

const char *maps_link_fault(const char *interface)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* any socket can read the flags */
	struct ifreq request = {0};
	bool known;

	if (fd < 0)
		return NULL;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	known = !ioctl(fd, SIOCGIFFLAGS, &request);
	close(fd);
	if (!known || request.ifr_flags & IFF_RUNNING)
		return NULL;
	return request.ifr_flags & IFF_UP ? "has no carrier" : "is down";
}
