/* SPDX-License-Identifier: GPL-2.0 */
/* The connection to corosync: joins a closed process group (CPG), and follows the quorum. libcpg and libquorum may
 * block while corosync is stopped, so a thread of its own calls them. The event loop exchanges events and messages with
 * the thread and never waits. If corosync is missing or ends, the thread tries again every second. */
#pragma once

#include <systemd/sd-event.h>
#include "core/group/group_message.h"

#define GROUP_LINK_FAULT_SIZE 160
#define GROUP_LINK_MEMBERS 128 /* the most that corosync allows */

enum group_link_kind {
	GROUP_LINK_CONNECTED,    /* id: of this process */
	GROUP_LINK_DISCONNECTED, /* fault; also after each failed attempt to connect */
	GROUP_LINK_MEMBERS_SET,  /* members, joined */
	GROUP_LINK_QUORUM,  /* quorate, no_quorum, votes; members: the nodes of this part of the cluster, without pid */
	GROUP_LINK_MESSAGE, /* id: of the sender; bytes */
};

struct group_link_event {
	enum group_link_kind kind;
	struct group_id id;
	char fault[GROUP_LINK_FAULT_SIZE];
	size_t member_count, joined_count;
	struct group_id members[GROUP_LINK_MEMBERS], joined[GROUP_LINK_MEMBERS];
	bool quorate;
	bool no_quorum;          /* corosync has no quorum provider: every part is quorate */
	uint32_t votes;          /* of the nodes of this part */
	uint32_t votes_expected; /* of all nodes; 0: not known */
	size_t length;
	const uint8_t *bytes;
};

struct group_link;

/* Called in the event loop, once for each event, and then with NULL. */
typedef void group_link_handler(const struct group_link_event *event, void *data);

/* Starts to connect to the group with this name. 0 or -errno. */
int group_link_new(struct group_link **out, sd_event *event, const char *name, group_link_handler *handler, void *data);

/* Does not wait for the thread, which leaves the group and ends as soon as corosync lets it. */
void group_link_free(struct group_link *link);

/* Has the thread ended because the event loop did not read its events in time? Free the link. */
bool group_link_has_ended(const struct group_link *link);

/* Queues a message to all members. 0, or -ENOBUFS if the thread does not send: free the link. */
int group_link_send(struct group_link *link, const uint8_t *message, size_t length);

/* The size of the messages that the thread has not taken yet, in bytes. */
size_t group_link_backlog(const struct group_link *link);
