/* SPDX-License-Identifier: GPL-2.0 */
/* Adds the services, their port ranges and their hints to the desired image. Private to desired.c. No I/O. */
#pragma once

#include "farm.h"

void desire_services(const struct farm *farm, struct image *image);
