/* SPDX-License-Identifier: GPL-2.0 */
/* The services of the desired image, with their port ranges and the hints that name their backends. A part of
 * desired.c. No I/O. */
#pragma once

#include "farm.h"

void desire_services(const struct farm *farm, struct image *image);
