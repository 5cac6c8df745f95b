/* SPDX-License-Identifier: GPL-2.0 */
/* `backend drain --wait` and `backend remove --drain --wait`. */
#pragma once

#include "client.h"
#include "output.h"

/* Asks every second whether a draining backend is empty or, with `removed`, is removed. False after `seconds` or if
 * sipxdpd cannot be asked; the user has a message. */
bool wait_until_empty(struct output *output, struct client *client, const char *pool, const char *backend, bool removed,
	long long seconds);
