/* SPDX-License-Identifier: GPL-2.0 */
/* The result of `guard stats`: what the rules of each guard have counted. No I/O. */
#pragma once

#include <jansson.h>
#include "bpf/abi_guard.h"
#include "core/maps/image.h"

/* {"rules": [], "exempt": []} */
json_t *guard_stats_new(void);

/* Adds the counters of a guard: `counters` has GUARD_RULES * `cpus` elements, those of rule 0 first. Omits rules
 * without packets. `boot` is the time of CLOCK_MONOTONIC 0, in seconds since the epoch. */
void guard_stats_add(json_t *stats, const struct image *image, uint32_t guard, const struct guard_counters *counters,
	size_t cpus, const struct guard_exempt *exempt, double boot);

/* The name of a guard. "?" if it has none. */
const char *guard_stats_name(const struct image *image, uint32_t guard);

/* A list with the names of the services that use a guard. */
json_t *guard_stats_services(const struct image *image, uint32_t guard);
