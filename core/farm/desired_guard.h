/* SPDX-License-Identifier: GPL-2.0 */
/* Adds the guards of the services, their classes and lists, and the surges to the desired image. Private to this
 * directory. No I/O. */
#pragma once

#include "farm.h"

/* Returns the id of the guard of each service of the configuration (0: none); the caller frees the array. Guards and
 * lists that are already in the maps keep their ids.
 *
 * While farm->lists_pending is set, the maps contain the prefixes of the running lists. For each list, the image then
 * contains the less strict of the running and the wanted class, and it keeps removed lists. During this time, a service
 * that changes to a different guard has no guard. Therefore the guard drops only packets that the running or the wanted
 * settings drop.
 *
 * If the maps do not have room for the classes of a guard, its services have no guard. */
uint16_t *desire_guards(const struct farm *farm, const struct image *running, struct image *image);

/* Do the maps have room for the classes of all guards of the farm, beside the running ones? */
bool desire_guards_fit(const struct farm *farm, const struct image *running);

/* Returns guard.emergency_starts. */
uint64_t desired_emergency_starts(const struct config *config);

/* Adds the names of scanners, the emergency numbers and the priorities. desire_guards() calls it. */
void desire_guard_texts(const struct config *config, struct image *image);
