// SPDX-License-Identifier: GPL-2.0
/* `guard stats`; see maps_report.h. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/base/memory.h"
#include "core/view/guard_stats.h"
#include "clock.h"
#include "maps_report.h"

#define USEC 1e6

/* The time of CLOCK_MONOTONIC 0, in seconds since the epoch. */
static double boot_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + now.tv_nsec / 1e9 - clock_usec() / USEC;
}

json_t *maps_report_guard_stats(const struct maps *maps, const struct image *image)
{
	struct guard_counters *counters = allocate(GUARD_RULES * maps_cpus(maps), sizeof(*counters));
	json_t *stats = guard_stats_new();
	double boot = boot_time();
	struct guard_exempt exempt;
	int error = 0;

	for (uint32_t guard = 1; guard < GUARDS && !error; guard++) {
		if (!image->guard_names[guard].name[0])
			continue;
		error = maps_guard_counters(maps, guard, counters);
		if (!error)
			error = maps_guard_exempt(maps, guard, &exempt);
		if (!error)
			guard_stats_add(stats, image, guard, counters, maps_cpus(maps), &exempt, boot);
	}
	free(counters);
	if (!error)
		return protocol_ok(stats);
	json_decref(stats);
	return protocol_error(NULL, "cannot read the counters of the guard: %s", strerror(-error));
}
