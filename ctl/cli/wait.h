/* SPDX-License-Identifier: GPL-2.0 */
/* Owns `backend drain --wait` and `backend remove --drain --wait`. */
#pragma once

#include "client.h"
#include "output.h"

/* Asks every second whether a backend that drains is empty or, if `removed`, is there no more. False if it is not after
 * so many seconds, or cannot be asked; the user has been told. */
bool wait_until_empty(struct output *output, struct client *client, const char *pool, const char *backend, bool removed,
	long long seconds);
