/* SPDX-License-Identifier: GPL-2.0 */
/* The clients of this daemon whose changes all members of a group must apply: sends their requests to the group, and
 * replies when the members have answered. Call all functions in the event loop. */
#pragma once

#include "core/group/group_changes.h"
#include "ctl/daemon/daemon.h"

struct group_requests;

struct group_requests *group_requests_new(struct daemon *daemon);
void group_requests_free(struct group_requests *requests);

/* See group_changes_request(). */
bool group_requests_add(struct group_requests *requests, const struct request *request, json_t **reply);

/* This balancer has applied the change with this number of its own. */
void group_requests_applied(struct group_requests *requests, uint64_t number, json_t *reply);

/* All members have answered, or the time is over. */
void group_requests_finish(struct group_requests *requests, const struct group_outcome *outcome);

/* The group is freed: replies to all clients. */
void group_requests_end(struct group_requests *requests);
