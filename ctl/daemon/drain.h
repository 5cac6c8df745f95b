/* SPDX-License-Identifier: GPL-2.0 */
/* The progress of drains, and the removal of backends with a pending removal (`backend remove --drain`). */
#pragma once

#include "daemon.h"

struct drain;

struct drain *drain_new(void);
void drain_free(struct drain *drain);

/* Call this every second: removes each backend that has a pending removal and no calls left. True if the farm has
 * changed. */
bool drain_remove_empty(struct drain *drain, struct daemon *daemon);

/* Does a draining backend have no slots and no calls, and has no message of a call arrived for the longest duration of
 * a transaction (RFC 3261, timers B and F: 32 s)? Registrations, OPTIONS pings and idle connections do not count. */
bool drain_is_empty(const struct daemon *daemon, const struct farm_backend *backend);
