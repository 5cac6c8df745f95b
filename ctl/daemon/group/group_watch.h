/* SPDX-License-Identifier: GPL-2.0 */
/* Connects the daemon with the group of balancers to which it belongs: passes events from corosync and the votes of
 * this balancer to core/group, and the common decision to the farm. Without `group:` it does nothing, and each backend
 * has the decision of this balancer. */
#pragma once

#include "core/group/config_lines.h"
#include "ctl/daemon/daemon.h"
#include "group_link.h"

struct group_watch;

struct group_watch *group_watch_new(struct daemon *daemon);
void group_watch_free(struct group_watch *watch);

/* Call this every second and after a change of the configuration: joins or leaves the group that the file names, and
 * sends what is due. */
void group_watch_update(struct group_watch *watch);

/* Copies the decision of the group about a backend into a farm. */
void group_watch_report(const struct group_watch *watch, struct farm_backend *backend);

/* Sends the votes of this balancer that have changed. */
void group_watch_vote(struct group_watch *watch, const struct farm *farm);

/* Call this after a change of the configuration that the other members should compare with theirs. */
void group_watch_config_changed(struct group_watch *watch);

/* Called by the worker every second: compares the running configuration anew if it has changed. Releases the lock. */
void group_watch_update_lines(struct group_watch *watch);

/* Called by the worker after each plan: the maps match the farm. */
void group_watch_reconciled(struct group_watch *watch);

/* Called by the worker: empty maps have replaced the pinned ones (`detach` and `attach`). This balancer waits for the
 * calls of the others, as after its start. */
void group_watch_restart(struct group_watch *watch);

/* Does this balancer still wait for the decisions of its group after its start, or for the calls of the others? */
bool group_watch_is_joining(const struct group_watch *watch);

/* Does no backend respond to this balancer, while backends respond to other members, for some time? */
bool group_watch_is_blind(const struct group_watch *watch);

/* NULL: not a member of a group. */
struct group *group_watch_group(const struct group_watch *watch);

/* The same, to send messages. */
struct group *group_watch_sender(struct group_watch *watch);

/* Sends a message to all members, this one included. */
void group_watch_send(struct group_watch *watch, const uint8_t *message, size_t length);

/* The exchange of the changes of calls. */
struct call_exchange;
struct call_lease;
const struct call_exchange *group_watch_calls(const struct group_watch *watch);
const struct call_lease *group_watch_lease(const struct group_watch *watch);

/* The keys of `group:`; an empty name: none. */
const struct config_membership *group_watch_membership(const struct group_watch *watch);

/* Why there is no connection to corosync; "": there is one. */
const char *group_watch_fault(const struct group_watch *watch);

/* What corosync knows. */
struct group_cluster {
	bool has_no_quorum_provider;
	uint32_t votes;          /* of the nodes that this one can reach */
	uint32_t votes_expected; /* of all nodes; 0: not known */
	size_t node_count;
	uint32_t nodes[GROUP_LINK_MEMBERS]; /* that this one can reach, also those without a member */
};

const struct group_cluster *group_watch_cluster(const struct group_watch *watch);

/* The lines of the running configuration. */
const struct config_line *group_watch_lines(const struct group_watch *watch, size_t *count);
