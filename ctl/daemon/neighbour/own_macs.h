/* SPDX-License-Identifier: GPL-2.0 */
/* Keeps the map own_macs. The XDP program passes frames for all other MAC addresses to the kernel, because they are
 * for other hosts. */
#pragma once

#include "ctl/daemon/daemon.h"

/* Writes the addresses of the configured interfaces, of the interfaces above them, and of `macs:` into the map.
 * Entries of an unknown interface are kept. 0 or -errno, logged. */
int own_macs_reconcile(const struct daemon *daemon);
