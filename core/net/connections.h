/* SPDX-License-Identifier: GPL-2.0 */
/* Limits the connections to an HTTP listener: the total number, the number for each client, and the duration. A new
 * connection is always accepted. At the limit, the daemon closes the oldest connection of the network with the most
 * connections. A client that sends its complete request at once is therefore served even during a flood. Known servers
 * have a separate limit. No I/O. */
#pragma once

#include <sys/queue.h>
#include "core/net/prefix.h"

#define CONNECTIONS_STRANGERS 256
#define CONNECTIONS_KNOWN 256
#define CONNECTIONS_OF_ONE 16     /* maximum number of connections from one address */
#define CONNECTIONS_OF_NETWORK 64 /* maximum number from unknown clients in one IPv6 /64 */
#define CONNECTIONS_GRACE 100     /* additional ms, to read bytes that arrived while the daemon was busy */

struct connection {
	TAILQ_ENTRY(connection) entry;
	struct prefix_key network; /* the network whose limit applies to the connection */
	bool known;
	bool ended;    /* the caller must close it; it no longer counts */
	bool extended; /* the additional time was granted */
	uint64_t due;  /* deadline of the connection, ms */
	int fd;
	bool started; /* fd and started are for the caller; connections.c does not read them */
};

TAILQ_HEAD(connections, connection);

/* Adds a connection with the deadline `due`, ms. `*ended` becomes the connection that the caller must close to make
 * room, or NULL. */
struct connection *connections_add(struct connections *connections, const struct address *peer, bool known,
	uint64_t due, struct connection **ended);

/* Removes a closed connection. */
void connections_remove(struct connections *connections, struct connection *connection);

/* A connection that the caller must close because its deadline has passed; NULL if there is none. `late` is the
 * delay of the caller's event loop, ms. */
struct connection *connections_overdue(struct connections *connections, uint64_t now, uint64_t late);

/* Returns the time for the next call of connections_overdue(); UINT64_MAX: there is no connection. */
uint64_t connections_due(const struct connections *connections);
