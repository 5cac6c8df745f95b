/* SPDX-License-Identifier: GPL-2.0 */
/* The sampled calls that are being set up (map `setups`, bpf/abi_return.h). The kernel adds them and measures the times
 * of the responses. This file deletes them, and counts those without a response. */
#pragma once

#include "daemon.h"

/* Call this every second, from the worker. */
void setups_sweep(struct daemon *daemon);

/* Does the map have room for more calls? */
bool setups_have_room(const struct daemon *daemon);
