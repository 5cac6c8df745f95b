/* SPDX-License-Identifier: GPL-2.0 */
/* Gives the migrating slots of this balancer to a member that has started with empty maps, and asks for them after such
 * a start. */
#pragma once

#include "core/group/group_message.h"
#include "ctl/daemon/daemon.h"

struct transfer_watch;

struct transfer_watch *transfer_watch_new(struct daemon *daemon);
void transfer_watch_free(struct transfer_watch *watch);

/* Call this when the balancer becomes a member of a group. */
void transfer_watch_begin(struct transfer_watch *watch);

/* Call this after events of the group: asks the next member if necessary. */
void transfer_watch_update(struct transfer_watch *watch);

/* A message from a member; ignores all but those about migrating slots. */
void transfer_watch_take(struct transfer_watch *watch, struct group_id from, const uint8_t *message, size_t length);

/* Does this balancer still need the migrating slots of the others before it is ready? */
bool transfer_watch_is_waiting(const struct transfer_watch *watch);

/* Called by the worker before each image: passes the slots that have arrived to daemon->desired. */
void transfer_watch_adopt(struct transfer_watch *watch);
