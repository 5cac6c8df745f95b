// SPDX-License-Identifier: GPL-2.0
/* See probe_namespace.h. A socket belongs to the network namespace of the thread that creates it, and only
 * CAP_SYS_ADMIN permits a change of the namespace. The child process has this capability (possibly only in its own user
 * namespace), and runs only the code of this file. It exits when the channel is closed, even if the daemon is
 * killed. */

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "ctl/daemon/privileges.h"
#include "probe_namespace.h"

struct probe_namespace {
	int channel; /* SOCK_SEQPACKET; one request, one reply */
	pid_t process;
};

/* The arguments of socket(2), or AF_UNSPEC for a new namespace with a TUN device. */
struct request {
	int family, type, protocol;
};

/* A reply. If `error` is 0, the message also carries a descriptor. */
struct reply {
	int error;        /* -errno */
	uint32_t ifindex; /* of the TUN device */
};

/* --- a message with a descriptor */

union control {
	char buffer[CMSG_SPACE(sizeof(int))];
	struct cmsghdr header; /* aligns the buffer */
};

static int send_reply(int channel, struct reply *reply, int fd)
{
	struct iovec part = {.iov_base = reply, .iov_len = sizeof(*reply)};
	union control control = {.header = {CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS}};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	return sendmsg(channel, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* A descriptor or -errno. */
static int receive_reply(int channel, struct reply *reply)
{
	struct iovec part = {.iov_base = reply, .iov_len = sizeof(*reply)};
	union control control;
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	const struct cmsghdr *header;
	ssize_t size;
	int fd;

	do
		size = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
	while (size < 0 && errno == EINTR);
	if (size != sizeof(*reply))
		return size < 0 ? -errno : -EPIPE;
	header = CMSG_FIRSTHDR(&message);
	if (reply->error || !header)
		return reply->error ?: -EMFILE; /* the kernel drops a descriptor above the limit of the process */
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* --- the process */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, text, strlen(text));
	close(fd);
}

/* In its own user namespace, any process may create network namespaces, unless the system does not allow this to
 * unprivileged users. With CAP_SYS_ADMIN, no user namespace is needed. A failure becomes visible when the first
 * network namespace is created. */
static void enter_user_namespace(void)
{
	char users[32], groups[32];

	snprintf(users, sizeof(users), "0 %u 1", geteuid());
	snprintf(groups, sizeof(groups), "0 %u 1", getegid());
	if (privileges_have(CAP_SYS_ADMIN) || unshare(CLONE_NEWUSER) < 0)
		return;
	write_file("/proc/self/setgroups", "deny"); /* user_namespaces(7): required before gid_map */
	write_file("/proc/self/uid_map", users);
	write_file("/proc/self/gid_map", groups);
}

/* A descriptor or -errno. */
static int open_device(uint32_t *ifindex)
{
	struct ifreq device = {.ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "probes"};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), error;

	if (fd >= 0 && ioctl(fd, TUNSETIFF, &device) == 0 && (*ifindex = if_nametoindex(device.ifr_name)))
		return fd;
	error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

/* The first sysctl lets the group of this process open echo sockets. The second sysctl adds ports for TCP, because TCP
 * reuses a port only one minute after its connection has ended. If /proc/sys is read-only, the defaults remain. */
static int make_namespace(uint32_t *ifindex)
{
	char groups[32];

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	snprintf(groups, sizeof(groups), "%u %u", getegid(), getegid());
	write_file("/proc/sys/net/ipv4/ping_group_range", groups);
	write_file("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535");
	return open_device(ifindex);
}

static int answer(const struct request *request, struct reply *reply)
{
	int fd;

	if (request->family == AF_UNSPEC)
		return make_namespace(&reply->ifindex);
	fd = socket(request->family, request->type | SOCK_CLOEXEC, request->protocol);
	return fd < 0 ? -errno : fd;
}

/* Runs in the child. The child must not keep a descriptor of the daemon open. The signals that the daemon blocks
 * remain blocked: SIGTERM to the whole control group must not terminate the child before the daemon. */
__attribute__((noreturn)) static void serve(int channel)
{
	struct request request;

	close_range(0, channel - 1, 0);
	close_range(channel + 1, ~0U, 0);
	prctl(PR_SET_NAME, "sipxdpd-probes");
	enter_user_namespace();
	privileges_keep(PRIVILEGE(CAP_SYS_ADMIN) | PRIVILEGE(CAP_NET_ADMIN));
	while (recv(channel, &request, sizeof(request), 0) == sizeof(request)) {
		struct reply reply = {0};
		int fd = answer(&request, &reply);

		reply.error = fd < 0 ? fd : 0;
		if (send_reply(channel, &reply, fd) < 0)
			break;
		if (fd >= 0)
			close(fd);
	}
	_exit(0);
}

/* --- the daemon's side */

int probe_namespace_start(struct probe_namespace **out)
{
	struct probe_namespace *space;
	int ends[2], error;
	pid_t process;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	process = fork();
	if (process == 0)
		serve(ends[1]);
	error = -errno;
	close(ends[1]);
	if (process < 0) {
		close(ends[0]);
		return error;
	}
	space = allocate(1, sizeof(*space));
	*space = (struct probe_namespace){.channel = ends[0], .process = process};
	*out = space;
	return 0;
}

void probe_namespace_end(struct probe_namespace *space)
{
	if (!space)
		return;
	close(space->channel);
	waitpid(space->process, NULL, 0);
	free(space);
}

int probe_namespace_fd(const struct probe_namespace *space)
{
	return space->channel;
}

/* Returns a descriptor or -errno. Waits some microseconds for the process. */
static int ask(const struct probe_namespace *space, struct request request, struct reply *reply)
{
	if (send(space->channel, &request, sizeof(request), MSG_NOSIGNAL) < 0)
		return -errno;
	return receive_reply(space->channel, reply);
}

int probe_namespace_renew(struct probe_namespace *space, int *device, uint32_t *ifindex)
{
	struct reply reply = {0};
	int fd = ask(space, (struct request){.family = AF_UNSPEC}, &reply);

	if (fd < 0)
		return fd;
	*device = fd;
	*ifindex = reply.ifindex;
	return 0;
}

int probe_namespace_socket(struct probe_namespace *space, int family, int type, int protocol)
{
	struct reply reply;

	return ask(space, (struct request){.family = family, .type = type, .protocol = protocol}, &reply);
}
