/* SPDX-License-Identifier: GPL-2.0 */
/* Updates the state of each backend: writes the results of probes, neighbour entries and heartbeats to the farm, which
 * derives the states. Also requests new neighbour look-ups, and logs state changes. Does not modify maps. */
#pragma once

#include "daemon.h"

/* True if a state has changed: the caller must reconcile the maps. */
bool backend_state_update(struct daemon *daemon);

/* Writes the current results to a farm that is not in use yet. */
void backend_state_report(const struct daemon *daemon, struct farm *farm);

/* The next time at which a state may change without a new result, ms of listening_clock_now();
 * UINT64_MAX: never. */
uint64_t backend_state_next(const struct daemon *daemon);
