/* SPDX-License-Identifier: GPL-2.0 */
/* `backend drain --wait`, `backend remove --drain --wait` and `away --wait`. */
#pragma once

#include "client.h"
#include "output.h"

/* Polls sipxdpd every second until a draining backend has no calls or, with `removed`, has been removed. Prints an
 * error and returns false after `seconds`, if the drain or the removal is cancelled, if a backend is removed before it
 * is empty and without `removed`, or if sipxdpd does not respond. */
bool wait_until_empty(struct output *output, struct client *client, const char *pool, const char *backend, bool removed,
	long long seconds);

/* Polls the counters until no packet for a service has arrived for 2 s. Also works while sipxdpd is not running. Prints
 * an error and returns false after `seconds`, or if the counters cannot be read. */
bool wait_until_quiet(struct output *output, struct client *client, long long seconds);
