/* SPDX-License-Identifier: GPL-2.0 */
/* Handles the requests of servers that join and leave pools by themselves. Listens on the address of `join:` in the
 * file, checks the requests, changes the farm, and removes servers whose heartbeats have stopped. */
#pragma once

#include "core/join/join.h"
#include "ctl/daemon/daemon.h"

struct join_listener;

enum join_lost {
	JOIN_LOST_DATAGRAMS,   /* the receive buffer was full */
	JOIN_LOST_CONNECTIONS, /* no descriptor was free */
	JOIN_LOST_COUNT
};

/* Calls `changed` from the loop, at most once every 50 ms, after a request has changed the farm. 0 or
 * -errno. */
int join_listener_new(struct join_listener **out, struct daemon *daemon, void (*changed)(void *data), void *data);
void join_listener_free(struct join_listener *listener);

/* Applies a new configuration: listens on the address that it contains. */
void join_listener_reconfigure(struct join_listener *listener);

/* Applies a request of a server that the member of the group with the name `node` has received and authenticated. NULL:
 * this member, which has applied it already; the order of the group counts. */
void join_listener_apply(
	struct join_listener *listener, const struct join_request *request, uint64_t signed_at, const char *node);

/* Call it every second: marks silent servers and removes those that stay silent. True if the farm has
 * changed. */
bool join_listener_check_silence(struct join_listener *listener);

/* Marks the silent backends in a farm that is not in use yet. */
void join_listener_mark_silent(const struct join_listener *listener, struct farm *farm);

/* The load that a backend reports in its heartbeats: join_load(). */
int join_listener_load(const struct join_listener *listener, const struct farm_backend *backend);

/* The reason why the configured address is unusable; NULL: it is usable. */
const char *join_listener_fault(const struct join_listener *listener);

/* A warning about recent requests from outside the allowed networks; NULL: none. Valid until the next
 * call. */
const char *join_listener_outsiders(struct join_listener *listener);

/* A warning about requests that were lost within the last minute; NULL: none. Valid until the next call. */
const char *join_listener_losses(struct join_listener *listener);

/* Requests that were lost since the start of the daemon. */
uint64_t join_listener_lost(const struct join_listener *listener, enum join_lost what);
