/* SPDX-License-Identifier: GPL-2.0 */
/* Reports the differences between two files, one message for each key. Uses the same tables as reading and writing.
 * Skips keys with KEY_IN_STEPS: the steps of a plan report these changes, because a plan compares with the running
 * maps, not with the previous file. No I/O. */
#pragma once

#include "config.h"
#include "core/base/messages.h"

/* Adds a line for each difference. Adds to `disruptions` each difference that sends packets of established calls to a
 * different backend: the removal of a hint or a port. */
void config_diff(
	const struct config *before, const struct config *after, struct messages *lines, struct messages *disruptions);
