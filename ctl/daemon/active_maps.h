/* SPDX-License-Identifier: GPL-2.0 */
/* Chooses the maps that the daemon fills: the pinned maps, or the new maps that the loader has created
 * to replace them ("next maps", docs/design/restart.md). Opens the maps and copies the running state from
 * the previous maps. */
#pragma once

#include "daemon.h"

/* Opens the maps, starts the probes and the slow path, and reads FILE. If the pinned maps have a different
 * ABI version or are too small for FILE, waits for new maps. Logs the reason for a failure. 0 or -errno;
 * -ECANCELED if a signal stops the daemon. */
int active_maps_open(struct daemon *daemon);

/* The directory that contains the pins of the maps in use: the pin directory or, if bpffs was unmounted, the directory
 * that the daemon has locked, which only the daemon still reaches (active_maps_are_cut_off()). Returns `path` or the
 * pin directory. */
#define ACTIVE_MAPS_PATH_SIZE 32
const char *active_maps_directory(const struct daemon *daemon, char path[ACTIVE_MAPS_PATH_SIZE]);

/* Do the pins, and with them the attachment of the balancer, end when the daemon exits? */
bool active_maps_are_cut_off(const struct daemon *daemon);

/* Call this every second: switches to other maps when the loader has replaced the current ones. */
void active_maps_update(struct daemon *daemon);
