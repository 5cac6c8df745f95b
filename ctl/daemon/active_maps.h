/* SPDX-License-Identifier: GPL-2.0 */
/* Which maps the daemon serves: those that are pinned, or those that the loader has made to
 * take their place (docs/design/restart.md). Opens them, and takes over what is known of who ran
 * by the ones before. */
#pragma once

#include "daemon.h"

/* Opens the maps and what goes by them, and reads FILE. Where the maps in use are of another
 * contract, or FILE does not fit them, it waits until there are others. Every reason against it is logged. 0 or -errno,
 * -ECANCELED after a signal that ends the daemon. */
int active_maps_open(struct daemon *daemon);

/* To be called every second: follows the loader to other maps. */
void active_maps_update(struct daemon *daemon);
