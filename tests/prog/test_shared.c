// SPDX-License-Identifier: GPL-2.0
/* An object that a test receives from an earlier one (shared.h) has the maps of a freshly loaded one. */

#include <bpf/bpf.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "balancer.h"
#include "require.h"
#include "rows.h"
#include "shared.h"

#define FRAMES 64

/* The sum does not depend on the order in which a map returns its elements. */
static uint64_t add_element(uint64_t sum, const void *key, size_t key_size, const void *value, size_t value_size)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < key_size + value_size; i++)
		hash = (hash ^ (i < key_size ? ((const uint8_t *)key)[i] : ((const uint8_t *)value)[i - key_size])) *
		       0x100000001b3;
	return sum + hash;
}

/* Reads the first elements of an array: tests use no others. */
static uint64_t content(const struct bpf_map *map)
{
	bool per_cpu = bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY;
	size_t size = (bpf_map__value_size(map) + 7) / 8 * 8 * (per_cpu ? libbpf_num_possible_cpus() : 1);
	uint8_t key[64], next[64], *value = calloc(1, size);
	uint64_t sum = 0;
	int fd = bpf_map__fd(map), error = bpf_map_get_next_key(fd, NULL, key);

	for (int n = 0; !error && n < 20000; n++) {
		run_must(bpf_map_lookup_elem(fd, key, value), bpf_map__name(map));
		sum = add_element(sum, key, bpf_map__key_size(map), value, size);
		error = bpf_map_get_next_key(fd, key, next);
		memcpy(key, next, sizeof(key));
	}
	free(value);
	return sum;
}

static bool has_content(const struct bpf_map *map)
{
	return !bpf_map__is_internal(map) && bpf_map__type(map) != BPF_MAP_TYPE_RINGBUF &&
	       bpf_map__type(map) != BPF_MAP_TYPE_ARRAY_OF_MAPS;
}

/* Frames that change counters, tracked calls, transactions, fragments and the state of the ring buffers. */
static void use(struct balancer_bpf *skel)
{
	struct pool migrating = {.table = 0, .migrating = 1};
	struct frame frame;

	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.pools), &(uint32_t){0}, &migrating, BPF_ANY), "pools");
	for (int i = 0; i < FRAMES; i++) {
		frame_build(&frame, &(struct frame_spec){.payload = ROW_INVITE, .source_port = 1000 + i});
		balancer_run(skel, &frame);
		frame_build(&frame, &(struct frame_spec){.payload = ROW_INVITE, .more_fragments = true, .id = i});
		balancer_run(skel, &frame);
		frame_build(&frame, &(struct frame_spec){.payload = "x", .fragment_offset = 1480, .id = 1000 + i});
		balancer_run(skel, &frame);
	}
}

Test(shared, an_object_that_was_used_before_is_as_new)
{
	static uint64_t before[128];
	struct balancer_bpf *skel;
	struct bpf_map *map;
	size_t count = 0, changed = 0, n = 0;

	require_run();
	skel = balancer_load(&(struct balancer_setup){});
	bpf_object__for_each_map(map, skel->obj)
	{
		cr_assert_lt(count, sizeof(before) / sizeof(*before));
		before[count++] = has_content(map) ? content(map) : 0;
	}
	use(skel);
	bpf_object__for_each_map(map, skel->obj)
	{
		changed += has_content(map) && content(map) != before[n];
		n++;
	}
	cr_expect_geq(changed, 4, "the frames changed only %zu maps", changed);
	balancer_unload(skel);

	skel = balancer_load(&(struct balancer_setup){});
	n = 0;
	bpf_object__for_each_map(map, skel->obj)
	{
		cr_expect_eq(has_content(map) ? content(map) : 0, before[n], "%s keeps content", bpf_map__name(map));
		n++;
	}
	balancer_unload(skel);
}
