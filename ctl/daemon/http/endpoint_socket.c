// SPDX-License-Identifier: GPL-2.0
/* See endpoint_socket.h. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "endpoint_socket.h"

socklen_t endpoint_name(struct endpoint peer, union socket_name *name)
{
	memset(name, 0, sizeof(*name));
	if (address_is_ipv4(&peer.address)) {
		name->ipv4.sin_family = AF_INET;
		name->ipv4.sin_port = htons(peer.port);
		name->ipv4.sin_addr.s_addr = peer.address.word[3];
		return sizeof(name->ipv4);
	}
	name->ipv6.sin6_family = AF_INET6;
	name->ipv6.sin6_port = htons(peer.port);
	memcpy(&name->ipv6.sin6_addr, &peer.address, sizeof(peer.address));
	return sizeof(name->ipv6);
}

struct endpoint endpoint_of(const struct sockaddr *name)
{
	const union socket_name *known = (const union socket_name *)name;
	struct endpoint peer = {.address.word[2] = htonl(0xffff)};

	if (name->sa_family == AF_INET) {
		peer.address.word[3] = known->ipv4.sin_addr.s_addr;
		peer.port = ntohs(known->ipv4.sin_port);
	} else {
		memcpy(&peer.address, &known->ipv6.sin6_addr, sizeof(peer.address));
		peer.port = ntohs(known->ipv6.sin6_port);
	}
	return peer;
}

int endpoint_socket(struct endpoint where, int type)
{
	int fd, error, yes = 1;
	union socket_name name;
	socklen_t size = endpoint_name(where, &name);

	fd = socket(name.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Needed for TCP: otherwise connections of a previous daemon would block the address. */
	if ((type != SOCK_STREAM || !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes))) &&
		!bind(fd, &name.any, size))
		return fd;
	error = -errno;
	close(fd);
	return error;
}
