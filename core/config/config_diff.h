/* SPDX-License-Identifier: GPL-2.0 */
/* What one file says otherwise than another, in words: a line for each key that differs, by the
 * tables that read and write the keys. The keys of KEY_IN_STEPS are left out: the steps of a plan report
 * their changes, because those compare with what runs and not with the file before. Pure. */
#pragma once

#include "config.h"
#include "core/base/messages.h"

/* Adds a line for each difference, and a sentence for each that would send packets of calls that
 * are up to another server: a hint or a port that a backend loses. */
void config_diff(
	const struct config *before, const struct config *after, struct messages *lines, struct messages *dangers);
