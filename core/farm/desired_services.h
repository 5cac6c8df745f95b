/* SPDX-License-Identifier: GPL-2.0 */
/* The services of a farm as the kernel wants them: with their ranges of ports, and with
 * the hosts in SIP that name their backends. A part of desired.c. Pure. */
#pragma once

#include "farm.h"

void desire_services(const struct farm *farm, struct image *image);
