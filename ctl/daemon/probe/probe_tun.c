// SPDX-License-Identifier: GPL-2.0
/* See probe_tun.h. probe_namespace.c creates the device and opens the sockets. */

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "ctl/daemon/neighbour/netlink.h"
#include "probe_tun.h"

#define FIRST_MTU 1500
#define QUEUE 4096 /* maximum number of packets that sockets have sent and the daemon has not read */
#define ANSWERS_BYTES 65536

struct probe_tun {
	struct probe_namespace *space;
	int device_fd;
	uint32_t ifindex;
	uint16_t mtu;
	struct netlink netlink; /* in the namespace */
};

/* --- requests to the kernel of the namespace */

static void take_answer(void *data, unsigned index, int error, const struct nlmsghdr *message)
{
	int *first = data;

	(void)index;
	(void)message;
	if (!*first)
		*first = error;
}

static int tell(struct probe_tun *tun, struct netlink_batch *batch)
{
	int refused = 0, error = netlink_exchange(&tun->netlink, batch, take_answer, &refused);

	return error ?: refused;
}

int probe_tun_limit(struct probe_tun *tun, uint16_t mtu)
{
	struct netlink_batch batch = {};
	int error;

	if (mtu < PROBE_TUN_MIN_MTU)
		mtu = PROBE_TUN_MIN_MTU;
	if (mtu >= tun->mtu)
		return 0;
	netlink_set_up(&batch, tun->ifindex, mtu, QUEUE);
	error = tell(tun, &batch);
	if (!error)
		tun->mtu = mtu;
	return error;
}

int probe_tun_add_address(struct probe_tun *tun, const struct address *address)
{
	struct netlink_batch batch = {};

	netlink_add_local_route(&batch, tun->ifindex, address);
	netlink_add_default_route(&batch, tun->ifindex, address);
	return tell(tun, &batch);
}

int probe_tun_remove_address(struct probe_tun *tun, const struct address *address)
{
	struct netlink_batch batch = {};

	netlink_remove_local_route(&batch, tun->ifindex, address);
	return tell(tun, &batch);
}

/* --- sockets */

int probe_tun_socket(const struct probe_tun *tun, int family, int type, int protocol)
{
	return probe_namespace_socket(tun->space, family, type | SOCK_NONBLOCK, protocol);
}

/* --- setup and cleanup */

static int open_netlink(struct probe_tun *tun)
{
	int fd = probe_namespace_socket(tun->space, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);

	return fd < 0 ? fd : netlink_open_socket(&tun->netlink, fd, ANSWERS_BYTES);
}

int probe_tun_new(struct probe_tun **out, struct probe_namespace *space)
{
	struct probe_tun *tun = allocate(1, sizeof(*tun));
	int error;

	*tun = (struct probe_tun){.space = space, .device_fd = -1, .mtu = UINT16_MAX};
	error = probe_namespace_renew(space, &tun->device_fd, &tun->ifindex);
	if (!error)
		error = open_netlink(tun);
	if (!error)
		error = probe_tun_limit(tun, FIRST_MTU);
	if (error) {
		probe_tun_free(tun);
		tun = NULL;
	}
	*out = tun;
	return error;
}

void probe_tun_free(struct probe_tun *tun)
{
	if (!tun)
		return;
	netlink_close(&tun->netlink);
	if (tun->device_fd >= 0)
		close(tun->device_fd);
	free(tun);
}

int probe_tun_fd(const struct probe_tun *tun)
{
	return tun->device_fd;
}
