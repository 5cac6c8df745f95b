/* SPDX-License-Identifier: GPL-2.0 */
/* The differences between two files as messages, one for each key, from the tables that also read and
 * write the keys. Keys with KEY_IN_STEPS are skipped: the steps of a plan report their changes, because
 * a plan compares with the running maps, not with the previous file. Pure. */
#pragma once

#include "config.h"
#include "core/base/messages.h"

/* Adds a line for each difference. Adds to `dangers` each difference that sends packets of established calls
 * to a different backend: a hint or a port that a backend loses. */
void config_diff(
	const struct config *before, const struct config *after, struct messages *lines, struct messages *dangers);
