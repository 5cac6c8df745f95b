/* SPDX-License-Identifier: GPL-2.0 */
/* The running backends that a new file would remove together with their live calls. No I/O. */
#pragma once

#include "farm.h"
#include "core/base/messages.h"

/* Adds a line for each backend of `running` that `farm` removes, or moves to another address, while it may have live
 * calls. `has_calls`: by backend id, those with calls that the balancer knows; NULL: none. The backends of a removed
 * pool have no lines: the services that used the pool have. */
void removed_backends_find(
	const struct farm *farm, const struct image *running, const bool *has_calls, struct messages *disruptions);
