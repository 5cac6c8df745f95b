// SPDX-License-Identifier: GPL-2.0
/* See old_map.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bpf/abi.h"
#include "core/base/memory.h"
#include "old_map.h"

const struct old_member old_pool[] = {
	OLD_MEMBER(pool, table),
	OLD_MEMBER_WAS(pool, migrating, "in_motion"),
	OLD_MEMBER(pool, balanced),
	OLD_MEMBER(pool, balanced_since),
	OLD_MEMBERS_END,
};

const struct old_member old_name[] = {
	OLD_MEMBER(name, name),
	OLD_MEMBERS_END,
};

const struct old_member old_contract[] = {
	OLD_MEMBER(contract, slots),
	OLD_MEMBERS_END,
};

int old_map_open(struct old_map *map, int fd, const struct old_map_btf *btf)
{
	uint32_t size = sizeof(map->info);
	int error;

	*map = (struct old_map){.fd = fd};
	error = fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, &map->info, &size);
	if (error)
		return error;
	map->owns_btf = !btf || !btf->btf || btf->id != map->info.btf_id;
	map->btf = map->owns_btf ? btf__load_from_kernel_by_id(map->info.btf_id) : btf->btf;
	if (!map->btf)
		return -errno;
	map->type = btf__type_by_id(map->btf, map->info.btf_value_type_id);
	return map->type && btf_is_struct(map->type) ? 0 : -EINVAL;
}

void old_map_close(struct old_map *map)
{
	if (map->owns_btf)
		btf__free(map->btf);
	if (map->fd >= 0)
		close(map->fd);
}

static const struct btf_member *find_member(const struct old_map *map, const struct old_member *ours, uint32_t *at)
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

bool old_map_has(const struct old_map *map, const struct old_member *wanted)
{
	uint32_t at;
	const struct btf_member *theirs = find_member(map, wanted, &at);

	return theirs && btf__resolve_size(map->btf, theirs->type) == wanted->size;
}

/* Copies a number even if its width in the current struct is different (little endian: the low bytes are first). Copies
 * any other member only if its size is the same. */
static void copy_member(const struct old_map *map, const char *from, const struct old_member *ours, char *to)
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

void old_map_copy(const struct old_map *map, const char *from, const struct old_member *members, char *to)
{
	for (const struct old_member *ours = members; ours->name; ours++)
		copy_member(map, from, ours, to);
}

void *old_map_array(int fd, const struct old_map_btf *btf, const struct old_member *members, size_t size,
	uint32_t *count, int *error)
{
	char *values = NULL, *value;
	struct old_map map;
	int result = old_map_open(&map, fd, btf);

	*count = 0;
	if (!result && !old_map_has(&map, &members[0]))
		result = -EINVAL;
	if (!result) {
		*count = map.info.max_entries;
		values = allocate(*count, size);
		value = allocate(1, map.info.value_size);
		for (uint32_t i = 0; i < *count && !result; i++) {
			result = bpf_map_lookup_elem(map.fd, &i, value);
			if (!result)
				old_map_copy(&map, value, members, values + i * size);
		}
		free(value);
	}
	old_map_close(&map);
	if (result) {
		free(values);
		values = NULL;
		*count = 0;
	}
	if (error)
		*error = result;
	return values;
}
