/* SPDX-License-Identifier: GPL-2.0 */
/* Converts endpoints to and from struct sockaddr, and opens sockets that are bound to an endpoint. */
#pragma once

#include <netinet/in.h>
#include "core/net/endpoint.h"

union socket_name {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

socklen_t endpoint_name(struct endpoint endpoint, union socket_name *name);
struct endpoint endpoint_of(const struct sockaddr *name);

/* Opens a non-blocking socket and binds it. A descriptor or -errno. */
int endpoint_socket(struct endpoint where, int type);
