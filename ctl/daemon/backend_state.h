/* SPDX-License-Identifier: GPL-2.0 */
/* From what probes, neighbours and heartbeats have found to the state of each backend: notes
 * it in the farm, has it judged there, asks neighbours again, and logs what changes. Changes
 * no map. */
#pragma once

#include "daemon.h"

/* Judges what is known now; true if a state has changed, so that the maps are to follow. */
bool backend_state_update(struct daemon *daemon);

/* Notes in another farm what is known now. */
void backend_state_report(const struct daemon *daemon, struct farm *farm);

/* When something is to be judged again though nothing was heard, ms of listening_clock_now(); UINT64_MAX:
 * never. */
uint64_t backend_state_next(const struct daemon *daemon);
