/* SPDX-License-Identifier: GPL-2.0 */
/* Which pools choose the backends of calls (docs/design/balance.md). The limits may belong to the pool, to a backend of
 * the file, or to a backend that `backend add` created. No I/O. */
#pragma once

#include "farm.h"

/* Does a backend of the pool have `max_calls`, or `max_rate`? */
bool farm_limits_calls(const struct farm_pool *pool);
bool farm_limits_rate(const struct farm_pool *pool);

/* May a new call go to a backend that does not own its slot? */
bool farm_places_calls(const struct farm_pool *pool);

/* Does the program count every new call of the pool? Otherwise it counts a sample. */
bool farm_counts_all_calls(const struct farm_pool *pool);
