/* SPDX-License-Identifier: GPL-2.0 */
/* Keeps the map own_macs: a frame to another address than those is for another host, and the program
 * passes it. */
#pragma once

#include "ctl/daemon/daemon.h"

/* Puts the addresses of the file's interfaces, of what lies above them, and of `macs:` into the map.
 * What is known of no interface stays. 0 or -errno, logged. */
int own_macs_reconcile(const struct daemon *daemon);
