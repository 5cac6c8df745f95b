/* SPDX-License-Identifier: GPL-2.0 */
/* Detects traffic rates outside their usual range (core/health/usual_rate.h). Logs a flood with at most one line a
 * minute for each kind, and reports it in `status` while it lasts. The rates are those of the counters in the maps.
 * During a flood, also counts its packets by source and Call-ID for a few seconds (sources.h), at most once a minute
 * for each kind, and adds the heaviest sources to the report. */
#pragma once

#include "daemon.h"

struct floods *floods_new(void);
void floods_free(struct floods *floods);

/* Call this about every second, in the worker. */
void floods_sample(struct floods *floods, struct daemon *daemon);

/* Calls `warn` with a sentence about each rate that is unusual now. */
typedef void floods_warn(void *data, const char *text);
void floods_warnings(const struct floods *floods, floods_warn *warn, void *data);
