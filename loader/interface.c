// SPDX-License-Identifier: GPL-2.0
/* See interface.h. Makes no changes. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "core/net/address.h"
#include "interface.h"

const char *mode_name(enum mode mode)
{
	switch (mode) {
	case MODE_NATIVE:
		return "native";
	case MODE_GENERIC:
		return "generic";
	case MODE_OFFLOAD:
		break;
	}
	return "offload";
}

/* An ioctl about an interface. Returns 0 or -1. */
static int ask(const char *name, unsigned long question, struct ifreq *request)
{
	int result, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	snprintf(request->ifr_name, sizeof(request->ifr_name), "%s", name);
	result = ioctl(fd, question, request);
	close(fd);
	return result;
}

bool interface_has_ethernet(const char *name)
{
	struct ifreq request = {};

	if (ask(name, SIOCGIFHWADDR, &request))
		return true; /* the type is unknown: the kernel decides later */
	return request.ifr_hwaddr.sa_family == ARPHRD_ETHER || request.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
}

int interface_mac(const char *name, struct mac *out)
{
	struct ifreq request = {};

	if (ask(name, SIOCGIFHWADDR, &request))
		return -errno;
	memcpy(out, request.ifr_hwaddr.sa_data, sizeof(*out));
	return 0;
}

int interface_mtu(const char *name, uint32_t *out)
{
	struct ifreq request = {};

	if (ask(name, SIOCGIFMTU, &request))
		return -errno;
	*out = request.ifr_mtu;
	return 0;
}

void interface_flags(const char *name, bool *is_up, bool *is_loopback)
{
	struct ifreq request = {};
	bool known = !ask(name, SIOCGIFFLAGS, &request);

	*is_up = known && request.ifr_flags & IFF_UP;
	*is_loopback = known && request.ifr_flags & IFF_LOOPBACK;
}

int interface_ethtool(const char *name, void *command)
{
	struct ifreq request = {.ifr_data = command};

	return ask(name, SIOCETHTOOL, &request) ? -errno : 0;
}

bool interface_is_veth(const char *name)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};

	return !interface_ethtool(name, &info) && !strcmp(info.driver, "veth");
}

bool interface_address(const struct ifaddrs *entry, const char *interface, struct address *out)
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

int interface_query(int ifindex, struct xdp_state *out)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	int err = bpf_xdp_query(ifindex, 0, &query);

	*out = (struct xdp_state){0};
	if (err)
		return err;
	/* An offloaded program may run beside a program in one of the other modes. Only those modes conflict
	 * with sipxdp. */
	if (query.drv_prog_id)
		*out = (struct xdp_state){query.drv_prog_id, MODE_NATIVE};
	else if (query.skb_prog_id)
		*out = (struct xdp_state){query.skb_prog_id, MODE_GENERIC};
	else if (query.hw_prog_id)
		*out = (struct xdp_state){query.hw_prog_id, MODE_OFFLOAD};
	return 0;
}

const char *interface_program_text(uint32_t program_id, char text[PROGRAM_TEXT_SIZE])
{
	int fd = bpf_prog_get_fd_by_id(program_id); /* root only */
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) && *info.name)
		snprintf(text, PROGRAM_TEXT_SIZE, "XDP program '%s' (id %u)", info.name, program_id);
	else
		snprintf(text, PROGRAM_TEXT_SIZE, "an XDP program (id %u)", program_id);
	if (fd >= 0)
		close(fd);
	return text;
}
