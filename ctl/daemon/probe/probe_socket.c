// SPDX-License-Identifier: GPL-2.0
/* The sockets of probes: ordinary sockets for a backend's own address, and sockets of probe_path.h for a VIP on a
 * backend. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ctl/maps/clock.h"
#include "ctl/daemon/descriptors.h"
#include "ctl/daemon/log.h"
#include "probe_private.h"

#define PATH_RETRY_TIME (10000 * MILLISECOND)
#define READY_MAX 256 /* sockets served in one turn of the loop */

/* --- all sockets */

/* sd-event polls again after each event, which is slow with thousands of ready sockets. All sockets therefore share one
 * epoll, which is a single source of the loop, and one turn of the loop serves many sockets. */
static int on_incoming(sd_event_source *source, int fd, uint32_t mask, void *data)
{
	struct epoll_event events[READY_MAX];
	int count = epoll_wait(fd, events, READY_MAX, 0);

	(void)source;
	(void)mask;
	(void)data;
	for (int i = 0; i < count; i++) {
		struct prober *prober = events[i].data.ptr;

		prober->kind->ready(prober);
	}
	return 0;
}

int probe_sockets_new(struct probes *probes)
{
	int error;

	descriptors_raise_limit();
	probes->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (probes->epoll < 0)
		return -errno;
	error = sd_event_add_io(probes->event, &probes->incoming, probes->epoll, EPOLLIN, on_incoming, NULL);
	return error < 0 ? error : 0;
}

void probe_sockets_free(struct probes *probes)
{
	sd_event_source_disable_unref(probes->incoming);
	if (probes->epoll >= 0)
		close(probes->epoll);
	if (probes->path)
		probe_path_free(probes->path);
}

/* --- addresses */

union socket_address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

static socklen_t to_socket_address(const struct address *address, uint16_t port, union socket_address *out)
{
	if (address_is_ipv4(address)) {
		out->ipv4 = (struct sockaddr_in){
			.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = address->word[3]};
		return sizeof(out->ipv4);
	}
	out->ipv6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
	memcpy(&out->ipv6.sin6_addr, address, sizeof(*address));
	return sizeof(out->ipv6);
}

static void from_socket_address(const union socket_address *from, struct address *address, uint16_t *port)
{
	if (from->any.sa_family == AF_INET) {
		*address = (struct address){.word = {0, 0, htonl(0xffff), from->ipv4.sin_addr.s_addr}};
		*port = ntohs(from->ipv4.sin_port);
	} else {
		memcpy(address, &from->ipv6.sin6_addr, sizeof(*address));
		*port = ntohs(from->ipv6.sin6_port);
	}
}

/* --- opening */

/* Opens a raw socket instead if net.ipv4.ping_group_range does not permit a ping socket. */
static int open_ordinary(const struct address *target, int type, int protocol)
{
	int family = address_is_ipv4(target) ? AF_INET : AF_INET6, flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd = socket(family, type | flags, protocol);

	if (fd < 0 && errno == EACCES && protocol != 0)
		fd = socket(family, SOCK_RAW | flags, protocol);
	return fd < 0 ? -errno : fd;
}

/* Makes the path to VIPs. Logs a failure once. */
static int make_path(struct probes *probes)
{
	uint64_t now = clock_usec();
	int error;

	if (probes->path)
		return 0;
	if (probes->path_tried && now < probes->path_tried + PATH_RETRY_TIME)
		return probes->path_error;
	error = probe_path_new(&probes->path, probes->event, probes->space, probes->pin_directory);
	if (error < 0 && error != probes->path_error)
		log_error("cannot probe the VIPs on backends: %s (to probe their own addresses, set 'via: address' in "
			  "'probe:')",
			strerror(-error));
	probes->path_tried = now;
	probes->path_error = error;
	return error;
}

static int open_by_path(struct prober *prober, int type, int protocol)
{
	int error = make_path(prober->probes);

	return error < 0 ? error
			 : probe_path_socket(
				   prober->probes->path, type, protocol, &prober->message.target, &prober->route);
}

static int connect_to_target(struct prober *prober)
{
	struct probe_message *message = &prober->message;
	union socket_address address;
	socklen_t length = to_socket_address(&message->target, message->target_port, &address);

	if (connect(prober->fd, &address.any, length) && errno != EINPROGRESS)
		return -errno;
	length = sizeof(address);
	if (getsockname(prober->fd, &address.any, &length))
		return -errno;
	from_socket_address(&address, &message->local, &message->local_port);
	return 0;
}

static int wait_first(struct prober *prober, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = prober};

	prober->events = events;
	return epoll_ctl(prober->probes->epoll, EPOLL_CTL_ADD, prober->fd, &event) ? -errno : 0;
}

bool probe_socket_open(struct prober *prober, int type, int protocol, uint32_t events)
{
	int error;

	prober->by_path = !prober->profile->probe.to_address;
	prober->fd = prober->by_path ? open_by_path(prober, type, protocol)
				     : open_ordinary(&prober->message.target, type, protocol);
	error = prober->fd < 0 ? prober->fd : descriptors_is_reserved(prober->fd) ? -EMFILE : 0;
	if (error) {
		probe_abort(prober, "%s: %s",
			prober->by_path ? "cannot reach the VIP on the backend" : "cannot open a socket",
			strerror(-error));
		return false;
	}
	error = connect_to_target(prober) ?: wait_first(prober, events);
	/* At this point no packet has left this machine. If the connection is already refused, the server is on this
	 * machine. */
	if (error == -ECONNREFUSED)
		probe_fail_errno(prober, "cannot connect", error);
	else if (error)
		probe_abort(prober, "cannot connect: %s", strerror(-error));
	return !error;
}

void probe_socket_wait(struct prober *prober, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = prober};

	if (events != prober->events)
		epoll_ctl(prober->probes->epoll, EPOLL_CTL_MOD, prober->fd, &event);
	prober->events = events;
}

/* The process that opened the socket (probe_namespace.c) may still hold a descriptor of it. close(2) then leaves the
 * socket in the epoll, so that events would arrive for a probe that has ended. */
void probe_socket_close(struct prober *prober)
{
	if (prober->fd < 0)
		return;
	epoll_ctl(prober->probes->epoll, EPOLL_CTL_DEL, prober->fd, NULL);
	if (prober->by_path)
		probe_path_close(prober->probes->path, prober->fd);
	else
		close(prober->fd);
	prober->fd = -1;
}

int probe_socket_sent(const struct prober *prober)
{
	return prober->by_path && prober->fd >= 0 ? probe_path_sent(prober->probes->path, prober->fd) : 0;
}

bool probe_socket_is_ready(const struct prober *prober)
{
	struct pollfd look = {.fd = prober->fd, .events = prober->events}; /* poll(2) uses the same bits */

	return prober->fd >= 0 && poll(&look, 1, 0) > 0;
}
