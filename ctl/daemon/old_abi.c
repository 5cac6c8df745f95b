// SPDX-License-Identifier: GPL-2.0
/* See old_abi.h. */

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include "core/base/memory.h"
#include "old_abi.h"
#include "log.h"
#include "ctl/maps/maps.h"

struct member {
	const char *name, *was; /* `was`: its name before ABI 5; NULL where it is the same */
	uint32_t at, size;      /* in our struct */
};

#define MEMBER(type, member)                                                                                           \
	{                                                                                                              \
#member, NULL, offsetof(struct type, member), sizeof(((struct type *)0)->member)                       \
	}
#define END                                                                                                            \
	{                                                                                                              \
		NULL, NULL, 0, 0                                                                                       \
	}

/* The first of each is what nothing goes without. */
static const struct member of_record[] = {
	MEMBER(backend_record, name),
	MEMBER(backend_record, pool),
	MEMBER(backend_record, address),
	MEMBER(backend_record, mac),
	MEMBER(backend_record, weight),
	MEMBER(backend_record, admin),
	MEMBER(backend_record, overrides),
	MEMBER(backend_record, state),
	MEMBER(backend_record, health),
	MEMBER(backend_record, since),
	MEMBER(backend_record, returned),
	MEMBER(backend_record, latency),
	END,
};

static const struct member of_backend[] = {
	MEMBER(backend, address),
	MEMBER(backend, source),
	MEMBER(backend, next_hop),
	MEMBER(backend, interface_mac),
	MEMBER(backend, ifindex),
	MEMBER(backend, mtu),
	MEMBER(backend, forward),
	MEMBER(backend, alive),
	END,
};

static const struct member of_pool[] = {
	{"migrating", "in_motion", offsetof(struct pool, migrating), sizeof(__u32)},
	END,
};

/* A map whose values are structs of another version. */
struct old_map {
	int fd;
	struct bpf_map_info info;
	struct btf *btf;
	const struct btf_type *type;
};

static void old_map_close(struct old_map *map)
{
	btf__free(map->btf);
	if (map->fd >= 0)
		close(map->fd);
}

static int old_map_open(struct old_map *map, const char *directory, const char *name)
{
	uint32_t size = sizeof(map->info);
	int error;

	*map = (struct old_map){.fd = maps_open_pin(directory, name)};
	error = map->fd < 0 ? map->fd : bpf_obj_get_info_by_fd(map->fd, &map->info, &size);
	if (error)
		return error;
	map->btf = btf__load_from_kernel_by_id(map->info.btf_id);
	if (!map->btf)
		return -errno;
	map->type = btf__type_by_id(map->btf, map->info.btf_value_type_id);
	return map->type && btf_is_struct(map->type) ? 0 : -EINVAL;
}

static const struct btf_member *find_member(const struct old_map *map, const struct member *ours, uint32_t *at)
{
	const struct btf_member *members = btf_members(map->type);

	for (int i = 0; i < btf_vlen(map->type); i++) {
		const char *name = btf__name_by_offset(map->btf, members[i].name_off);

		if (strcmp(name, ours->name) && (!ours->was || strcmp(name, ours->was)))
			continue;
		*at = btf_member_bit_offset(map->type, i) / 8;
		return &members[i];
	}
	return NULL;
}

/* Is a member there with the size that it has here? */
static bool has_member(const struct old_map *map, const struct member *wanted)
{
	uint32_t at;
	const struct btf_member *theirs = find_member(map, wanted, &at);

	return theirs && btf__resolve_size(map->btf, theirs->type) == wanted->size;
}

/* A number may have another width by now (little endian: its low bytes come first); of all
 * else only what has the same size is the same. */
static void copy_member(const struct old_map *map, const char *from, const struct member *ours, char *to)
{
	uint32_t at;
	const struct btf_member *theirs = find_member(map, ours, &at);
	const struct btf_type *type;
	int64_t size;

	if (!theirs)
		return;
	type = btf__type_by_id(map->btf, btf__resolve_type(map->btf, theirs->type));
	size = btf__resolve_size(map->btf, theirs->type);
	if (size != ours->size && (!type || !btf_is_int(type)))
		return;
	if (size > 0)
		memcpy(to + ours->at, from + at, size < ours->size ? size : ours->size);
}

static void copy_value(const struct old_map *map, const char *from, const struct member *members, char *to)
{
	for (const struct member *ours = members; ours->name; ours++)
		copy_member(map, from, ours, to);
}

/* All elements of an array map, as `count` values of `size` bytes of ours; NULL with -errno. */
static void *read_array(
	const char *directory, const char *name, const struct member *members, size_t size, uint32_t *count, int *error)
{
	char *values = NULL, *value;
	struct old_map map;

	*error = old_map_open(&map, directory, name);
	if (!*error && !has_member(&map, &members[0]))
		*error = -EINVAL;
	if (!*error) {
		*count = map.info.max_entries;
		values = allocate(*count, size);
		value = allocate(1, map.info.value_size);
		for (uint32_t i = 0; i < *count && !*error; i++) {
			*error = bpf_map_lookup_elem(map.fd, &i, value);
			if (!*error)
				copy_value(&map, value, members, values + i * size);
		}
		free(value);
	}
	old_map_close(&map);
	return values;
}

static void warn_of_migration(const char *directory)
{
	uint32_t count = 0;
	int error;
	struct pool *pools = read_array(directory, "pools", of_pool, sizeof(*pools), &count, &error);
	bool migrating = false;

	for (uint32_t i = 0; i < count; i++)
		migrating |= pools[i].migrating != 0;
	if (migrating)
		log_warning(
			"slots are migrating: their calls may meet other servers by the new maps (the release "
			"before this one can end that first: 'sipxdp-ctl pool finish', before ABI 5 'pool settle')");
	free(pools);
}

struct image *old_abi_read(const char *directory)
{
	struct contract contract = {.version = ABI_VERSION, .slots = 1, .pools = 1, .services = 1};
	struct backend_record *records = NULL;
	struct backend *backends = NULL;
	uint32_t count = 0, ways = 0;
	struct image *image = NULL;
	int error;

	records = read_array(directory, "backend_records", of_record, sizeof(*records), &count, &error);
	if (!error)
		backends = read_array(directory, "backends", of_backend, sizeof(*backends), &ways, &error);
	if (error || !count) {
		log_error(
			"cannot read who runs by the maps under %s: %s (what was changed by hand is lost, and all are "
			"taken to be alive)",
			directory, strerror(-error));
	} else {
		contract.backends = count - 1;
		image = image_new(&contract);
		memcpy(image->records, records, count * sizeof(*records));
		memcpy(image->backends, backends, (ways < count ? ways : count) * sizeof(*backends));
		warn_of_migration(directory);
	}
	free(records);
	free(backends);
	return image;
}
