/* SPDX-License-Identifier: GPL-2.0 */
/* `backend drain --wait` and `backend remove --drain --wait`. */
#pragma once

#include "client.h"
#include "output.h"

/* Polls sipxdpd every second until a draining backend has no calls or, with `removed`, has been removed. Prints an
 * error and returns false after `seconds`, or if sipxdpd does not respond. */
bool wait_until_empty(struct output *output, struct client *client, const char *pool, const char *backend, bool removed,
	long long seconds);
