/* SPDX-License-Identifier: GPL-2.0 */
/* From what is to run (farm) to what the maps should hold (image). Owns the tables of
 * all pools, so that a change costs only the slots that it concerns. Pure. */
#pragma once

#include "farm.h"

struct desired;

struct desired *desired_new(void);
void desired_free(struct desired *desired);

/* What the maps should hold for a farm, next to what they hold now: a pool whose slots
 * are to change gets them in that one of its two tables that is not in use. Pools that
 * do not change have no table in the result. To be given to image_free. */
struct image *desired_image(struct desired *desired, const struct farm *farm, const struct image *running);
