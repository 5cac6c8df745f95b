/* SPDX-License-Identifier: GPL-2.0 */
/* Adds the services, their port ranges and their hints to the desired image. Private to desired.c. No I/O. */
#pragma once

#include "farm.h"

/* `guard_of` has the id of the guard of each service: the result of desire_guards(). */
void desire_services(const struct farm *farm, const uint16_t *guard_of, struct image *image);
