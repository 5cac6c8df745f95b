/* SPDX-License-Identifier: GPL-2.0 */
/* The connections to the join API: how many there may be, from which clients, and for how long. A newcomer
 * always gets a place: where all are taken another connection must end, the oldest of the network
 * that has most. So a client that completes its request at once is served, whatever the others do;
 * servers that are known have places of their own. Pure. */
#pragma once

#include <sys/queue.h>
#include "core/net/prefix.h"

#define JOIN_CONNECTIONS_STRANGERS 256
#define JOIN_CONNECTIONS_KNOWN 256
#define JOIN_CONNECTIONS_OF_ONE 16     /* address */
#define JOIN_CONNECTIONS_OF_NETWORK 64 /* of strangers by IPv6, of 64 bits */
#define JOIN_REQUEST_TIME 2000         /* ms from the connection to the end of the answer */
#define JOIN_GRACE 100                 /* ms more, to read what has come while the daemon was busy */

struct join_connection {
	TAILQ_ENTRY(join_connection) entry;
	struct prefix_key network; /* that it counts for */
	bool known;
	bool ended;    /* is to go, and does not count any more */
	bool extended; /* has had its grace */
	uint64_t due;  /* when it must have ended, ms */
	int fd;
	bool started; /* the two are the caller's */
};

TAILQ_HEAD(join_connections, join_connection);

/* Makes a place for a newcomer. `ended` becomes the connection that must end for it, or NULL. */
struct join_connection *join_connections_add(struct join_connections *connections, const struct address *peer,
	bool known, uint64_t now, struct join_connection **ended);

/* The connection is closed. */
void join_connections_remove(struct join_connections *connections, struct join_connection *connection);

/* A connection whose time is over and that must end; NULL if there is none. `late`: ms by which
 * the caller's loop was late. */
struct join_connection *join_connections_overdue(struct join_connections *connections, uint64_t now, uint64_t late);

/* When to call that; UINT64_MAX: no connection waits. */
uint64_t join_connections_due(const struct join_connections *connections);
