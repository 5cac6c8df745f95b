// SPDX-License-Identifier: GPL-2.0
/* The maps of heavy hitters; see maps.h. A packet that the program counts at the end of an interval may be missing. */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <bpf/bpf.h>
#include "bpf/heavy.h"
#include "core/base/memory.h"
#include "maps_private.h"

int maps_begin_interval(const struct maps *maps, uint32_t *ended)
{
	int fd = maps->fd[MAP_HEAVY_INTERVAL], error;
	struct heavy_interval interval;

	error = bpf_map_lookup_elem(fd, &(uint32_t){0}, &interval);
	if (error)
		return error;
	*ended = interval.number++;
	if (getrandom(interval.hash_key, sizeof(interval.hash_key), 0) != sizeof(interval.hash_key))
		return -errno;
	return bpf_map_update_elem(fd, &(uint32_t){0}, &interval, BPF_ANY);
}

/* Returns the index before the first bucket of the half that belongs to an interval. The kernel returns the elements
 * after this index. */
static int read_half(int fd, uint32_t interval, struct heavy_bucket **out)
{
	uint32_t before = heavy_index(0, interval) - 1, last, count = HEAVY_BUCKETS;
	uint32_t *keys = allocate(HEAVY_BUCKETS, sizeof(*keys));
	LIBBPF_OPTS(bpf_map_batch_opts, options, .elem_flags = BPF_F_LOCK);
	int error;

	*out = allocate(HEAVY_BUCKETS, sizeof(struct heavy_bucket));
	error = bpf_map_lookup_batch(fd, interval % 2 ? &before : NULL, &last, keys, *out, &count, &options);
	free(keys);
	if (error == -ENOENT && count == HEAVY_BUCKETS)
		return 0; /* the end of the map */
	if (error)
		free(*out);
	return error;
}

int maps_heavy_sources(const struct maps *maps, uint32_t interval, struct heavy_bucket **out)
{
	return read_half(maps->fd[MAP_HEAVY_SOURCES], interval, out);
}

int maps_heavy_call_ids(const struct maps *maps, uint32_t interval, struct heavy_bucket **out)
{
	return read_half(maps->fd[MAP_HEAVY_CALL_IDS], interval, out);
}
