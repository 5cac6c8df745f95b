/* SPDX-License-Identifier: GPL-2.0 */
/* A map of a different ABI version. The kernel keeps the names of the members of a map's values
 * with the map (BTF), and this file reads values by these names. Changes no map. */
#pragma once

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A member of a current struct. A list of members ends with OLD_MEMBERS_END. */
struct old_member {
	const char *name, *was; /* `was`: name in an earlier release; NULL: it never changed */
	uint32_t at, size;      /* offset and size in the current struct */
};

#define OLD_MEMBER_WAS(type, member, was)                                                                              \
	{                                                                                                              \
#member, was, offsetof(struct type, member), sizeof(((struct type *)0)->member)                        \
	}
#define OLD_MEMBER(type, member) OLD_MEMBER_WAS(type, member, NULL)
#define OLD_MEMBERS_END                                                                                                \
	{                                                                                                              \
		NULL, NULL, 0, 0                                                                                       \
	}

/* Members of struct pool, struct name and struct contract. */
extern const struct old_member old_pool[], old_name[], old_contract[];

/* The value of PIN_OLD_BTF: the BTF of the old maps. The loader writes it for a daemon without CAP_SYS_ADMIN, which the
 * kernel requires for reading BTF. */
struct old_btf {
	uint32_t id; /* of the BTF object; all maps of a program share one */
	char data[];
};

struct old_map {
	int fd;
	struct bpf_map_info info;
	struct btf *btf;
	bool owns_btf;
	const struct btf_type *type; /* of the values */
};

/* BTF that was read before. */
struct old_map_btf {
	uint32_t id;
	struct btf *btf; /* NULL: none */
};

/* Takes ownership of `fd`, which may be -errno. Reads BTF from the kernel unless `btf` is that of the map; `btf` may be
 * NULL. 0, or -errno: -EINVAL if the values are not structs. The caller must call old_map_close() in both cases. */
int old_map_open(struct old_map *map, int fd, const struct old_map_btf *btf);
void old_map_close(struct old_map *map);

/* Does the map have a member of this name and size? */
bool old_map_has(const struct old_map *map, const struct old_member *member);

/* Copies each member that exists in the map's value `from` into the current struct at `to`. */
void old_map_copy(const struct old_map *map, const char *from, const struct old_member *members, char *to);

/* Reads all elements of an array map into `*count` current structs of `size` bytes, which the caller frees.
 * Takes ownership of `fd`. On failure, also if the first of `members` is missing: NULL, no elements, and -errno in
 * `*error` unless `error` is NULL. */
void *old_map_array(int fd, const struct old_map_btf *btf, const struct old_member *members, size_t size,
	uint32_t *count, int *error);
