// SPDX-License-Identifier: GPL-2.0
/* See shared.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "run.h"
#include "shared.h"

#define MAX_USED 8
#define PATH_SIZE 256

/* An object that this process uses. */
struct used {
	const struct bpf_object *object; /* NULL: this element is free */
	uint64_t key;
	int program;
};

static struct used used[MAX_USED];

static uint64_t add_bytes(uint64_t hash, const void *bytes, size_t size)
{
	for (const uint8_t *byte = bytes; size--; byte++)
		hash = (hash ^ *byte) * 0x100000001b3; /* FNV-1a */
	return hash;
}

static struct bpf_map_info info_of(const struct bpf_map *map)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	run_must(bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &size), bpf_map__name(map));
	return info;
}

/* Does this map belong to a different object? */
static bool is_foreign(const struct bpf_map *map)
{
	return bpf_map__fd(map) >= 0;
}

/* Objects with the same key can replace each other. */
static uint64_t key_of(const struct bpf_object *object)
{
	uint64_t key = add_bytes(0xcbf29ce484222325, bpf_object__name(object), strlen(bpf_object__name(object)));
	const struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		uint32_t sizes[] = {bpf_map__max_entries(map), bpf_map__value_size(map), 0};
		size_t size = 0;
		const void *constants = bpf_map__initial_value((struct bpf_map *)map, &size);

		if (is_foreign(map))
			sizes[2] = info_of(map).id;
		key = add_bytes(key, sizes, sizeof(sizes));
		key = add_bytes(key, constants, constants ? size : 0);
	}
	for (int i = 0; i < MAX_USED; i++) {
		if (used[i].object && used[i].key == key)
			return add_bytes(key, "used", 4);
	}
	return key;
}

/* --- empty maps */

static void clear_array(const struct bpf_map *map, const struct bpf_map_info *info, uint32_t copies)
{
	uint32_t count = info->max_entries, *keys = calloc(count, sizeof(*keys));
	size_t value_size = (info->value_size + 7) / 8 * 8 * copies;
	void *values = calloc(count, value_size);

	run_must(!keys || !values, bpf_map__name(map));
	for (uint32_t i = 0; i < count; i++)
		keys[i] = i;
	run_must(bpf_map_update_batch(bpf_map__fd(map), keys, values, &count, NULL), bpf_map__name(map));
	free(keys);
	free(values);
}

static void clear_keys(const struct bpf_map *map, const struct bpf_map_info *info)
{
	uint8_t key[info->key_size], next[info->key_size];
	int fd = bpf_map__fd(map), more = bpf_map_get_next_key(fd, NULL, key);

	while (!more) {
		more = bpf_map_get_next_key(fd, key, next);
		run_must(bpf_map_delete_elem(fd, key) && errno != ENOENT, bpf_map__name(map));
		memcpy(key, next, sizeof(key));
	}
}

static int drop_record(void *context, void *record, size_t size)
{
	(void)context, (void)record, (void)size;
	return 0;
}

static void clear_ring(const struct bpf_map *map)
{
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(map), drop_record, NULL, NULL);

	run_must(!ring, bpf_map__name(map));
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
}

static void clear(const struct bpf_map *map)
{
	struct bpf_map_info info = info_of(map);

	if (info.map_flags & BPF_F_RDONLY_PROG)
		return; /* constants */
	switch (info.type) {
	case BPF_MAP_TYPE_ARRAY:
		return clear_array(map, &info, 1);
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return clear_array(map, &info, libbpf_num_possible_cpus());
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_LPM_TRIE:
		return clear_keys(map, &info);
	case BPF_MAP_TYPE_RINGBUF:
		return clear_ring(map);
	default:
		errno = ENOTSUP; /* teach this function to empty it */
		run_must(-1, bpf_map__name(map));
	}
}

/* --- pins */

static void path_of(char path[PATH_SIZE], const char *directory, const char *name)
{
	int length = snprintf(path, PATH_SIZE, "%s/", directory);

	snprintf(path + length, PATH_SIZE - length, "%s", name);
	for (char *dot = path + length; (dot = strchr(dot, '.'));)
		*dot = '_'; /* the BPF file system allows no dot in a name */
}

static int load_and_pin(struct bpf_object *object, const char *directory)
{
	int program;
	const struct bpf_map *map;
	char path[PATH_SIZE];

	run_must(bpf_object__load(object), bpf_object__name(object));
	program = bpf_program__fd(bpf_object__next_program(object, NULL));
	if (!*directory)
		return program;
	run_must(mkdir(directory, 0700), directory);
	bpf_object__for_each_map(map, object)
	{
		path_of(path, directory, bpf_map__name(map));
		run_must(bpf_obj_pin(bpf_map__fd(map), path), path);
	}
	path_of(path, directory, "program");
	run_must(bpf_obj_pin(program, path), path);
	return program;
}

static void take_map(struct bpf_map *map, const char *directory)
{
	char path[PATH_SIZE];
	int fd;

	path_of(path, directory, bpf_map__name(map));
	fd = bpf_obj_get(path);
	run_must(fd < 0 || bpf_map__reuse_fd(map, fd), path);
	close(fd);
	clear(map);
}

/* The program of the pinned object, whose maps the object receives. */
static int take(struct bpf_object *object, const char *directory)
{
	struct bpf_map *map;
	char path[PATH_SIZE];
	int program;

	path_of(path, directory, "program");
	program = bpf_obj_get(path);
	if (program < 0)
		return -1;
	bpf_object__for_each_map(map, object)
	{
		if (!is_foreign(map))
			take_map(map, directory);
	}
	return program;
}

void shared_load(struct bpf_object *object)
{
	const char *shared = getenv("SIPXDP_SHARED");
	char directory[PATH_SIZE] = "";
	struct used *use = used;

	while (use->object)
		run_must(++use == used + MAX_USED, "too many objects");
	use->key = key_of(object);
	if (shared)
		snprintf(directory, sizeof(directory), "%s/%s-%lx", shared, bpf_object__name(object), use->key);
	use->program = shared ? take(object, directory) : -1;
	if (use->program < 0)
		use->program = load_and_pin(object, directory);
	use->object = object;
}

void shared_release(const struct bpf_object *object)
{
	for (int i = 0; i < MAX_USED; i++) {
		if (used[i].object == object)
			used[i].object = NULL;
	}
}

int shared_program(const struct bpf_object *object)
{
	for (int i = 0; i < MAX_USED; i++) {
		if (used[i].object == object)
			return used[i].program;
	}
	errno = EINVAL;
	run_must(-1, "no program of this object");
	return -1;
}
