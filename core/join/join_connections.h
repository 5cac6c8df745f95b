/* SPDX-License-Identifier: GPL-2.0 */
/* Limits the connections to the join API: their number, their number for each client, and their duration. A
 * new connection always gets a place. When all places are taken, a different one must end: the oldest one of
 * the network with the most connections. So a client that completes its request at once is served, whatever
 * others do. Known servers have their own places. No I/O. */
#pragma once

#include <sys/queue.h>
#include "core/net/prefix.h"

#define JOIN_CONNECTIONS_STRANGERS 256
#define JOIN_CONNECTIONS_KNOWN 256
#define JOIN_CONNECTIONS_OF_ONE 16     /* connections of one address */
#define JOIN_CONNECTIONS_OF_NETWORK 64 /* connections of unknown clients in one IPv6 /64 */
#define JOIN_REQUEST_TIME 2000         /* ms from the connection to the end of the answer */
#define JOIN_GRACE 100                 /* additional ms, to read bytes that arrived while the daemon was busy */

struct join_connection {
	TAILQ_ENTRY(join_connection) entry;
	struct prefix_key network; /* the network that it counts for */
	bool known;
	bool ended;    /* it must end, and does not count any more */
	bool extended; /* the additional time was granted */
	uint64_t due;  /* when it must have ended, ms */
	int fd;
	bool started; /* fd and started belong to the caller */
};

TAILQ_HEAD(join_connections, join_connection);

/* Adds a connection. `*ended` is the connection that must end for it, or NULL. */
struct join_connection *join_connections_add(struct join_connections *connections, const struct address *peer,
	bool known, uint64_t now, struct join_connection **ended);

/* Removes a closed connection. */
void join_connections_remove(struct join_connections *connections, struct join_connection *connection);

/* A connection that must end because its time is over; NULL if there is none. `late`: ms by which the caller's
 * loop was late. */
struct join_connection *join_connections_overdue(struct join_connections *connections, uint64_t now, uint64_t late);

/* When to call it next; UINT64_MAX: there is no connection. */
uint64_t join_connections_due(const struct join_connections *connections);
