/* SPDX-License-Identifier: GPL-2.0 */
/* Limits the connections to an HTTP listener: their number, their number for each client, and their duration. A
 * new connection always gets a place. When all places are taken, a different one must end: the oldest one of
 * the network with the most connections. So a client that completes its request at once is served, whatever
 * others do. Known servers have their own places. No I/O. */
#pragma once

#include <sys/queue.h>
#include "core/net/prefix.h"

#define CONNECTIONS_STRANGERS 256
#define CONNECTIONS_KNOWN 256
#define CONNECTIONS_OF_ONE 16     /* connections of one address */
#define CONNECTIONS_OF_NETWORK 64 /* connections of unknown clients in one IPv6 /64 */
#define CONNECTIONS_GRACE 100     /* additional ms, to read bytes that arrived while the daemon was busy */

struct connection {
	TAILQ_ENTRY(connection) entry;
	struct prefix_key network; /* the network that it counts for */
	bool known;
	bool ended;    /* it must end, and does not count any more */
	bool extended; /* the additional time was granted */
	uint64_t due;  /* when it must have ended, ms */
	int fd;
	bool started; /* fd and started belong to the caller */
};

TAILQ_HEAD(connections, connection);

/* Adds a connection that must have ended at the time `due`, ms. `*ended` is the connection that must end for it, or
 * NULL. */
struct connection *connections_add(struct connections *connections, const struct address *peer, bool known,
	uint64_t due, struct connection **ended);

/* Removes a closed connection. */
void connections_remove(struct connections *connections, struct connection *connection);

/* A connection that must end because its time is over; NULL if there is none. `late`: ms by which the caller's
 * loop was late. */
struct connection *connections_overdue(struct connections *connections, uint64_t now, uint64_t late);

/* When to call it next; UINT64_MAX: there is no connection. */
uint64_t connections_due(const struct connections *connections);
