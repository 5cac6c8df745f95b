// SPDX-License-Identifier: GPL-2.0
/* The counters of the guard, and the state of its sources; see maps.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include "core/base/memory.h"
#include "maps_private.h"

/* Reads `count` consecutive elements of an array, at most GUARD_BATCH, with one system call. The kernel returns the
 * elements after the key `before`. */
static int read_elements(int fd, uint32_t first, uint32_t count, void *out)
{
	uint32_t keys[GUARD_BATCH], before = first - 1, last, got = count;
	int error;

	error = bpf_map_lookup_batch(fd, first ? &before : NULL, &last, keys, out, &got, NULL);
	if (error == -ENOENT && got == count)
		return 0; /* the end of the map */
	return error ? error : got == count ? 0 : -ERANGE;
}

size_t maps_cpus(const struct maps *maps)
{
	return (size_t)maps->cpus;
}

int maps_guard_counters(const struct maps *maps, uint32_t guard, struct guard_counters *out)
{
	_Static_assert(GUARD_RULES <= GUARD_BATCH, "one system call");

	return read_elements(maps->fd[MAP_GUARD_COUNTERS], guard * GUARD_RULES, GUARD_RULES, out);
}

int maps_guard_exempt(const struct maps *maps, uint32_t guard, struct guard_exempt *out)
{
	return maps_sum_counters(maps, MAP_GUARD_EXEMPT, guard, out, sizeof(*out));
}

int maps_guard_source(const struct maps *maps, uint32_t index, struct guard_source *out)
{
	return bpf_map_lookup_elem(maps->fd[MAP_GUARD_SOURCES], &index, out);
}

int maps_guard_sources(const struct maps *maps, uint32_t first, uint32_t count, struct guard_source *out)
{
	return read_elements(maps->fd[MAP_GUARD_SOURCES], first, count, out);
}
