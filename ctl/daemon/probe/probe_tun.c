// SPDX-License-Identifier: GPL-2.0
/* See probe_tun.h. A socket belongs to the namespace of its thread at the time of its creation. So the
 * thread enters the namespace, makes the socket, and returns. */

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "ctl/daemon/neighbour/netlink.h"
#include "probe_tun.h"

#define FIRST_MTU 1500
#define QUEUE 4096 /* packets sent by sockets and not yet read */
#define ANSWERS_BYTES 65536

struct probe_tun {
	int home_fd;
	int namespace_fd;
	int device_fd;
	uint32_t ifindex;
	uint16_t mtu;
	struct netlink netlink; /* in the namespace */
};

/* --- returning from the namespace */

/* In the wrong namespace the daemon would have no network, so it exits instead. */
static void leave_namespace(const struct probe_tun *tun)
{
	if (setns(tun->home_fd, CLONE_NEWNET) < 0)
		abort();
}

/* --- a namespace with a device */

/* Writes a kernel setting of the namespace. Where /proc/sys is read-only the default stays. */
static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, value, strlen(value));
	close(fd);
}

static int make_device(struct probe_tun *tun)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "probes"};

	tun->device_fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tun->device_fd < 0 || ioctl(tun->device_fd, TUNSETIFF, &request) < 0)
		return -errno;
	tun->ifindex = if_nametoindex(request.ifr_name);
	return tun->ifindex ? 0 : -errno;
}

static int open_namespace(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int set_up_namespace(struct probe_tun *tun)
{
	int error;

	tun->namespace_fd = open_namespace();
	if (tun->namespace_fd < 0)
		return tun->namespace_fd;
	/* The first setting permits echo sockets. The second is for TCP, which reuses a port only a
	 * minute after its connection. */
	set("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
	set("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535");
	error = make_device(tun);
	return error ?: netlink_open(&tun->netlink, ANSWERS_BYTES);
}

static int make_namespace(struct probe_tun *tun)
{
	int error;

	tun->home_fd = open_namespace();
	if (tun->home_fd < 0)
		return tun->home_fd;
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	error = set_up_namespace(tun);
	leave_namespace(tun);
	return error;
}

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
	int fd, error;

	if (setns(tun->namespace_fd, CLONE_NEWNET) < 0)
		return -errno;
	fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	error = -errno;
	leave_namespace(tun);
	return fd < 0 ? error : fd;
}

/* --- setup and cleanup */

int probe_tun_new(struct probe_tun **out)
{
	struct probe_tun *tun = allocate(1, sizeof(*tun));
	int error;

	tun->home_fd = tun->namespace_fd = tun->device_fd = -1;
	tun->mtu = UINT16_MAX;
	error = make_namespace(tun);
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
	if (tun->namespace_fd >= 0)
		close(tun->namespace_fd);
	if (tun->home_fd >= 0)
		close(tun->home_fd);
	free(tun);
}

int probe_tun_fd(const struct probe_tun *tun)
{
	return tun->device_fd;
}
