// SPDX-License-Identifier: GPL-2.0
/* See old_abi.h. */

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "ctl/maps/maps.h"
#include "ctl/maps/old_map.h"
#include "log.h"
#include "old_abi.h"

/* The first member of each list is required. */
static const struct old_member of_record[] = {
	OLD_MEMBER(backend_record, name),
	OLD_MEMBER(backend_record, pool),
	OLD_MEMBER(backend_record, address),
	OLD_MEMBER(backend_record, mac),
	OLD_MEMBER(backend_record, weight),
	OLD_MEMBER(backend_record, admin),
	OLD_MEMBER(backend_record, overrides),
	OLD_MEMBER(backend_record, state),
	OLD_MEMBER(backend_record, health),
	OLD_MEMBER(backend_record, since),
	OLD_MEMBER(backend_record, returned),
	OLD_MEMBER(backend_record, latency),
	OLD_MEMBER(backend_record, passive_until),
	OLD_MEMBER(backend_record, passive_count),
	OLD_MEMBER(backend_record, passive_cause),
	OLD_MEMBERS_END,
};

static const struct old_member of_backend[] = {
	OLD_MEMBER(backend, address),
	OLD_MEMBER(backend, source),
	OLD_MEMBER(backend, next_hop),
	OLD_MEMBER(backend, interface_mac),
	OLD_MEMBER(backend, ifindex),
	OLD_MEMBER(backend, mtu),
	OLD_MEMBER(backend, forward),
	OLD_MEMBER(backend, alive),
	OLD_MEMBER(backend, port),
	OLD_MEMBERS_END,
};

static const struct old_member of_service[] = {
	OLD_MEMBER(service, hash_key),
	OLD_MEMBERS_END,
};

static const struct old_member of_state[] = {
	OLD_MEMBER(balancer_state, away_since),
	OLD_MEMBERS_END,
};

static struct old_map_btf given; /* the BTF that the loader has read; used only during old_abi_read() */

/* Reads PIN_OLD_BTF. Without it, the daemon needs CAP_SYS_ADMIN. */
static void take_btf(const char *next)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info), first = 0;
	int fd = maps_open_pin(next, PIN_OLD_BTF);
	struct old_btf *old;

	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size) && info.value_size > sizeof(*old)) {
		old = allocate(1, info.value_size);
		if (!bpf_map_lookup_elem(fd, &first, old))
			given = (struct old_map_btf){old->id, btf__new(old->data, info.value_size - sizeof(*old))};
		free(old);
	}
	close(fd);
}

/* --- slots */

/* One element of an array of slots; NULL if it cannot be read. */
static struct slots *read_slots(int fd, uint32_t index, uint32_t count)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);
	struct slots *slots;

	if (bpf_obj_get_info_by_fd(fd, &info, &size) || info.value_size != count * sizeof(slots->ids[0]))
		return NULL;
	slots = slots_new(count);
	if (!bpf_map_lookup_elem(fd, &index, slots->ids))
		return slots;
	slots_drop(slots);
	return NULL;
}

static int open_previous_owners(const char *directory)
{
	int fd = maps_open_pin(directory, "previous_owners");

	return fd == -ENOENT ? maps_open_pin(directory, "former") : fd; /* before ABI 5 */
}

/* Reads the owners of the slots of a pool, and its migration. After a failure, the image contains no data of the
 * pool. */
static void read_pool(struct image *image, uint32_t id, const struct pool *pool, int tables, int previous)
{
	struct slots *owners = read_slots(tables, pool->table, image->contract.slots);
	struct slots *before = owners && pool->migrating ? read_slots(previous, id, image->contract.slots) : NULL;

	image->pools[id] = (struct pool){.table = 2 * id,
		.migrating = before != NULL,
		.balanced = pool->balanced,
		.balanced_since = pool->balanced_since};
	image->tables[2 * id] = owners;
	image->previous_owners[id] = before;
	if (owners && pool->migrating && !before)
		log_warning("pool %s is migrating, and its previous owners cannot be read: its calls may move",
			image->pool_names[id].name);
}

static void read_pools(struct image *image, const char *directory, const struct pool *pools)
{
	int tables = maps_open_pin(directory, "tables"), previous = open_previous_owners(directory);

	for (uint32_t id = 0; id < image->contract.pools; id++)
		if (image->pool_names[id].name[0])
			read_pool(image, id, &pools[id], tables, previous);
	if (tables >= 0)
		close(tables);
	if (previous >= 0)
		close(previous);
}

/* All services have the same hash key, so one service is enough. An entry without a key is a VIP (ABI 3). */
static void read_hash_key(struct image *image, const char *directory, const char *name)
{
	const struct service_key none = {0};
	struct service service = {0};
	struct old_map map;

	if (!old_map_open(&map, maps_open_pin(directory, name), &given)) {
		char *key = allocate(1, map.info.key_size), *value = allocate(1, map.info.value_size);
		void *previous = NULL;

		for (; !service.hash_key[0] && !bpf_map_get_next_key(map.fd, previous, key); previous = key)
			if (!bpf_map_lookup_elem(map.fd, key, value))
				old_map_copy(&map, value, of_service, (char *)&service);
		if (service.hash_key[0])
			hash_map_put(image->maps[IMAGE_SERVICES], &none, &service);
		free(key);
		free(value);
	}
	old_map_close(&map);
}

/* --- the image */

/* ABI 7 is the first one with this map. */
static void read_state(struct image *image, const char *directory)
{
	uint32_t count;
	struct balancer_state *state = old_map_array(
		maps_open_pin(directory, "balancer_state"), &given, of_state, sizeof(*state), &count, NULL);

	if (state && count)
		image->state = *state;
	free(state);
}

static void read_added(struct image *image, const char *directory)
{
	int fd = maps_open_pin(directory, "added_backends");
	struct bpf_map_info info = {};
	struct added_backend added;
	uint32_t size = sizeof(info), id, *previous = NULL;

	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size) && info.value_size == sizeof(added))
		for (; !bpf_map_get_next_key(fd, previous, &id); previous = &id)
			if (!bpf_map_lookup_elem(fd, &id, &added))
				hash_map_put(image->maps[IMAGE_ADDED], &id, &added);
	close(fd);
}

static struct image *make_image(const char *directory, const struct backend_record *records, uint32_t count)
{
	struct contract sizes = {.version = ABI_VERSION, .slots = 1, .services = 1, .backends = count - 1}, *theirs;
	uint32_t pools, names, backends, contracts;
	struct pool *pool =
		old_map_array(maps_open_pin(directory, "pools"), &given, old_pool, sizeof(*pool), &pools, NULL);
	struct name *name =
		old_map_array(maps_open_pin(directory, "pool_names"), &given, old_name, sizeof(*name), &names, NULL);
	struct backend *backend = old_map_array(
		maps_open_pin(directory, "backends"), &given, of_backend, sizeof(*backend), &backends, NULL);
	struct image *image;

	theirs = old_map_array(
		maps_open_pin(directory, "contract"), &given, old_contract, sizeof(*theirs), &contracts, NULL);
	if (theirs && pools == names) {
		sizes.slots = theirs->slots;
		sizes.pools = pools;
	}
	image = image_new(&sizes);
	memcpy(image->records, records, count * sizeof(*records));
	if (backend)
		memcpy(image->backends, backend, (backends < count ? backends : count) * sizeof(*backend));
	if (sizes.pools) {
		memcpy(image->pool_names, name, sizes.pools * sizeof(*name));
		read_pools(image, directory, pool);
	}
	free(theirs);
	free(pool);
	free(name);
	free(backend);
	return image;
}

struct image *old_abi_read(const char *directory, const char *next)
{
	struct backend_record *records;
	struct image *image = NULL;
	uint32_t count;
	int error;

	take_btf(next);
	records = old_map_array(
		maps_open_pin(directory, "backend_records"), &given, of_record, sizeof(*records), &count, &error);
	if (!records || !count) {
		log_error("cannot read the backends from the old maps in %s: %s (changes by operators are lost, and "
			  "all backends count as alive until they are probed)",
			directory, strerror(-error));
	} else {
		image = make_image(directory, records, count);
		read_state(image, directory);
		read_added(image, directory);
		read_hash_key(image, directory, "services");
		read_hash_key(image, directory, "services_ipv4");
	}
	free(records);
	btf__free(given.btf);
	given.btf = NULL;
	return image;
}
