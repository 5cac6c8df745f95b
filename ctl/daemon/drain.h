/* SPDX-License-Identifier: GPL-2.0 */
/* How far backends are that take no new calls, and the removal of those that were to be removed
 * when their calls have ended. */
#pragma once

#include "daemon.h"

struct drain;

struct drain *drain_new(void);
void drain_free(struct drain *drain);

/* Call this every second: removes each backend that is pending removal once its calls have ended.
 * True if the farm has changed. */
bool drain_remove_empty(struct drain *drain, struct daemon *daemon);

/* Has a draining backend no slot and no call any more, and was nothing heard of a call of it for as
 * long as a transaction may last (RFC 3261, timers B and F)? Registrations, pings and idle
 * connections do not count. */
bool drain_is_empty(const struct daemon *daemon, const struct farm_backend *backend);
