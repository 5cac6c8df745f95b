// SPDX-License-Identifier: GPL-2.0
/* Owns the path MTU of each watched address, and the sockets that receive ICMP errors for tunnel packets that
 * are too large. Such an error can be forged. It is accepted only if it quotes a packet that this machine could
 * have sent to that address, and only down to a minimum MTU. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <linux/icmp.h>
#include <linux/ip.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include "core/base/memory.h"
#include "core/net/path_mtu.h"
#include "neighbour_private.h"

#define KEPT (10 * 60 * 1000 * MILLISECOND) /* RFC 1191, section 6.3: after this time, try larger packets again */
#define AT_A_TIME 16
#define MESSAGE_SIZE 256 /* room for the headers of the ICMP message with IP options, and for the quoted headers */

static struct address sender(const struct sockaddr_storage *name)
{
	struct address address = {.word = {0, 0, htonl(0xffff), ((const struct sockaddr_in *)name)->sin_addr.s_addr}};

	if (name->ss_family == AF_INET6)
		memcpy(&address, &((const struct sockaddr_in6 *)name)->sin6_addr, sizeof(address));
	return address;
}

void neighbours_set_sources(struct neighbours *n, const struct prefix_key *prefixes, size_t count)
{
	n->sources = reallocate(n->sources, count, sizeof(*prefixes));
	n->source_count = count;
	if (count)
		memcpy(n->sources, prefixes, count * sizeof(*prefixes));
}

/* Does the machine send tunnels from this address to the watched one? */
static bool is_source(const struct neighbours *n, const struct watch *watch, const struct address *address)
{
	size_t i = 0;

	while (i < n->source_count && !prefix_contains(&n->sources[i], address))
		i++;
	return i < n->source_count || address_equal(&watch->route.source, address);
}

static void take(struct neighbours *n, const struct path_mtu *word, const struct address *router)
{
	struct watch *watch = neighbour_watch_find(n, &word->destination);

	if (!watch || watch->route.state != ROUTE_READY || !is_source(n, watch, &word->source))
		return;
	if (word->length > watch->route.mtu || word->mtu >= watch->route.mtu)
		return; /* this machine does not send such a packet */
	watch->path_mtu = word->mtu;
	watch->path_router = *router;
	watch->path_until = neighbour_now(n) + KEPT;
	neighbour_update_route(n, watch);
}

static int on_message(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct neighbours *n = data;

	(void)source;
	(void)events;
	for (int i = 0; i < AT_A_TIME; i++) {
		uint8_t message[MESSAGE_SIZE];
		struct sockaddr_storage name;
		socklen_t name_size = sizeof(name);
		ssize_t size =
			recvfrom(fd, message, sizeof(message), MSG_DONTWAIT, (struct sockaddr *)&name, &name_size);
		size_t header = 0;
		struct address router;
		struct path_mtu word;

		if (size <= 0)
			break;
		if (name.ss_family == AF_INET) /* IPv4 raw sockets deliver the IP header, too */
			header = ((struct iphdr *)message)->ihl * 4;
		router = sender(&name);
		if ((size_t)size > header &&
			!path_mtu_read(message + header, size - header, name.ss_family == AF_INET6, &word))
			take(n, &word, &router);
	}
	return 0;
}

/* Opens a socket for one type of ICMP message. 0 or -errno. */
static int open_socket(struct neighbours *n, int family)
{
	struct icmp_filter ipv4 = {~(1U << ICMP_DEST_UNREACH)};
	bool is_ipv6 = family == AF_INET6;
	struct icmp6_filter ipv6;
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP), error;

	if (fd < 0)
		return errno == EAFNOSUPPORT ? 0 : -errno; /* no IPv6: no errors to receive */
	ICMP6_FILTER_SETBLOCKALL(&ipv6);
	ICMP6_FILTER_SETPASS(ICMP6_PACKET_TOO_BIG, &ipv6);
	if (is_ipv6)
		error = setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &ipv6, sizeof(ipv6)) ? -errno : 0;
	else
		error = setsockopt(fd, SOL_RAW, ICMP_FILTER, &ipv4, sizeof(ipv4)) ? -errno : 0;
	if (!error)
		error = sd_event_add_io(n->loop, &n->path[is_ipv6], fd, EPOLLIN, on_message, n);
	if (error >= 0)
		return sd_event_source_set_io_fd_own(n->path[is_ipv6], true);
	close(fd);
	return error;
}

int neighbour_path_open(struct neighbours *n)
{
	int error = open_socket(n, AF_INET);

	return error < 0 ? error : open_socket(n, AF_INET6);
}

void neighbour_path_close(struct neighbours *n)
{
	free(n->sources);
	sd_event_source_disable_unref(n->path[0]);
	sd_event_source_disable_unref(n->path[1]);
}

void neighbour_path_age(struct neighbours *n)
{
	for (size_t i = 0; i < n->count; i++) {
		struct watch *watch = n->watches[i];

		if (!watch->path_mtu || neighbour_now(n) < watch->path_until)
			continue;
		watch->path_mtu = 0;
		neighbour_update_route(n, watch);
	}
}
