/* SPDX-License-Identifier: GPL-2.0 */
/* The maps own_macs and interface_macs: the MAC addresses that belong to this machine. The balancer forwards
 * only frames to these addresses. */
#pragma once

#include "pins.h"

struct own_macs {
	int own_macs, interface_macs; /* file descriptors; -1: not open */
};

/* Opens the maps that are pinned in `place`. The caller closes them, even after a failure. */
int own_macs_open(struct own_macs *maps, const struct pins *pins, enum pins_place place);

/* Adds the current MAC address and MTU of the interface to the maps. */
int own_macs_add(const struct own_macs *maps, const char *interface, int ifindex);

void own_macs_close(const struct own_macs *maps);
