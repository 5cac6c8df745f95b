/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of report.h share. Nobody else's. */
#pragma once

#include "report.h"
#include "ctl/maps/view.h"

/* How many backends a pool has, and how many of them have slots. */
size_t report_backends(const struct farm_pool *pool);
size_t report_serving(const struct daemon *daemon, const struct farm_pool *pool);
