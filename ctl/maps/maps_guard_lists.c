// SPDX-License-Identifier: GPL-2.0
/* The lists of the guard: the trie of the lists in the file, and the prefixes that are blocked or trusted at run time.
 * See maps.h. */
#include <errno.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include "maps_private.h"

static struct guard_prefix key_of(uint32_t guard, const struct prefix_key *prefix)
{
	return (struct guard_prefix){
		.bits = GUARD_PREFIX_BITS(prefix->bits), .guard = htonl(guard), .address = prefix->address};
}

int maps_put_guard(const struct maps *maps, uint32_t id, const struct guard *guard)
{
	return bpf_map_update_elem(maps->fd[MAP_GUARDS], &id, guard, BPF_ANY);
}

/* --- guard_prefixes */

int maps_new_trie(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);

	return bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "guard_trie", sizeof(struct guard_prefix), sizeof(uint32_t),
		GUARD_PREFIXES, &options);
}

int maps_add_to_trie(int trie, const struct prefix_key *prefix, uint32_t list)
{
	const struct guard_prefix key = key_of(0, prefix);

	return bpf_map_update_elem(trie, &key, &list, BPF_ANY);
}

bool maps_have_trie(const struct maps *maps)
{
	uint32_t id;

	return !bpf_map_lookup_elem(maps->fd[MAP_GUARD_PREFIXES], &(uint32_t){0}, &id);
}

int maps_set_trie(const struct maps *maps, int trie)
{
	return bpf_map_update_elem(maps->fd[MAP_GUARD_PREFIXES], &(uint32_t){0}, &trie, BPF_ANY);
}

int maps_remove_trie(const struct maps *maps)
{
	int error = bpf_map_delete_elem(maps->fd[MAP_GUARD_PREFIXES], &(uint32_t){0});

	return error == -ENOENT ? 0 : error;
}

/* --- guard_blocks */

int maps_put_block(
	const struct maps *maps, uint32_t guard, const struct prefix_key *prefix, const struct guard_block *block)
{
	const struct guard_prefix key = key_of(guard, prefix);
	struct guard_block value = *block;

	value.bits = prefix->bits;
	return bpf_map_update_elem(maps->fd[MAP_GUARD_BLOCKS], &key, &value, BPF_ANY);
}

int maps_remove_block(const struct maps *maps, uint32_t guard, const struct prefix_key *prefix)
{
	const struct guard_prefix key = key_of(guard, prefix);
	int error = bpf_map_delete_elem(maps->fd[MAP_GUARD_BLOCKS], &key);

	return error == -ENOENT ? 0 : error;
}

static int visit(int fd, maps_visit_block *visit_one, void *data)
{
	struct guard_prefix key, *previous = NULL;
	struct guard_block block;
	int error;

	while (!(error = bpf_map_get_next_key(fd, previous, &key))) {
		const struct prefix_key prefix = {.bits = key.bits - GUARD_PREFIX_BITS(0), .address = key.address};

		error = bpf_map_lookup_elem(fd, &key, &block);
		if (error)
			return error;
		visit_one(ntohl(key.guard), &prefix, &block, data);
		previous = &key;
	}
	return error == -ENOENT ? 0 : error;
}

int maps_visit_blocks(const struct maps *maps, maps_visit_block *visit_one, void *data)
{
	return visit(maps->fd[MAP_GUARD_BLOCKS], visit_one, data);
}

int maps_visit_pinned_blocks(const char *directory, maps_visit_block *visit_one, void *data)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	int fd = maps_open_pin(directory, "guard_blocks"), error;

	if (fd < 0)
		return fd;
	error = bpf_obj_get_info_by_fd(fd, &info, &size);
	if (!error && (info.key_size != sizeof(struct guard_prefix) || info.value_size != sizeof(struct guard_block)))
		error = -EPROTO;
	if (!error)
		error = visit(fd, visit_one, data);
	close(fd);
	return error;
}
