/* SPDX-License-Identifier: GPL-2.0 */
/* The changes that all members of a group apply: sends those of clients to the group, carries out the tasks of
 * core/group/group_changes.h in the worker, one after the other, and replies to the clients when the members have
 * answered. Call all functions in the event loop. */
#pragma once

#include "core/join/join.h"
#include "ctl/daemon/daemon.h"

struct group_changes;

struct group_changes *group_changes_new(struct daemon *daemon);
void group_changes_free(struct group_changes *changes);

/* Handles a request that changes what the members share. Returns false if this balancer must apply it alone, because
 * it has no group, or because `--force` permits it. Otherwise `*reply` is a refusal, or NULL: the reply is deferred. */
bool group_changes_request(struct group_changes *changes, const struct request *request, json_t **reply);

/* Passes the request of a server, which this balancer has authenticated and applied, to the other members. A ban also
 * reaches them if this balancer is separated from them now. */
void group_changes_share(struct group_changes *changes, const struct join_request *request, bool is_ban);

/* Tells the other members that a server that has joined is alive, although its request was refused. */
void group_changes_share_heartbeat(
	struct group_changes *changes, const struct farm_backend *backend, uint64_t signed_at);

/* The time, ms, until which this balancer knows of all servers that have joined whether they have sent heartbeats to a
 * member of the group. 0: it does not know now. */
uint64_t group_changes_heard_until(const struct group_changes *changes, uint32_t node_timeout);

/* Lets all members remove a server whose heartbeats have stopped. Returns false if this balancer must remove it alone.
 */
bool group_changes_remove(struct group_changes *changes, const struct farm_backend *backend);

/* Call this every second, and after all events from the group: takes tasks and answers. */
void group_changes_update(struct group_changes *changes);

/* Call this before the group is freed: forgets its tasks, and replies to all clients. */
void group_changes_end(struct group_changes *changes);

/* Does this balancer still adopt the state of the group? */
bool group_changes_are_adopting(const struct group_changes *changes);
