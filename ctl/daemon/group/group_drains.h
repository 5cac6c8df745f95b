/* SPDX-License-Identifier: GPL-2.0 */
/* The end of `backend remove --drain` in a group: all members remove the backend by the same change. Only the worker
 * calls these functions. */
#pragma once

#include "ctl/daemon/daemon.h"
#include "ctl/daemon/drain.h"

/* The leaving backends that no call uses any more at this balancer. Returns true if the group removes them; false: this
 * balancer must do it itself. */
bool group_drains_decide(struct daemon *daemon, const struct drained *list, size_t count);

/* After a change of the group: the backends that are no longer leaving must not be removed. */
void group_drains_withdraw(struct daemon *daemon);

/* Is this event (of group_changes.c) the removal of a backend? */
bool group_drains_is_event(const json_t *event);

/* Removes the backend that an event names, if it is still leaving by the same change. Releases the lock. */
void group_drains_apply(struct daemon *daemon, const json_t *event);
