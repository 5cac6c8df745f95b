// SPDX-License-Identifier: GPL-2.0
/* Opens the pinned maps, reads their content, carries out plan steps and sums counters. maps_tracked.c handles
 * the maps of tracked calls. See maps.h. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bpf/packet.h"
#include "core/base/memory.h"
#include "core/table/migration.h"
#include "pin_directory.h"
#include "maps_private.h"

static const char *const map_names[MAP_COUNT] = {
	[MAP_CONTRACT] = "contract",
	[MAP_OWN_MACS] = "own_macs",
	[MAP_INTERFACE_MACS] = "interface_macs",
	[MAP_SERVICES] = "services",
	[MAP_SERVICES_IPV4] = "services_ipv4",
	[MAP_VIPS] = "vips",
	[MAP_HINTS] = "hints",
	[MAP_RANGES] = "port_ranges",
	[MAP_NAT_SETTINGS] = "nat_settings",
	[MAP_NAT_SOURCES] = "nat_sources",
	[MAP_NAT_RANGES] = "nat_ranges",
	[MAP_NAT_GENERATION] = "nat_generation",
	[MAP_SERVICE_NAMES] = "service_names",
	[MAP_SERVICE_TRAFFIC] = "service_traffic",
	[MAP_POOLS] = "pools",
	[MAP_POOL_NAMES] = "pool_names",
	[MAP_TABLES] = "tables",
	[MAP_PREVIOUS_OWNERS] = "previous_owners",
	[MAP_BACKENDS] = "backends",
	[MAP_BACKEND_RECORDS] = "backend_records",
	[MAP_BACKEND_TRAFFIC] = "backend_traffic",
	[MAP_SERVICE_RETURN] = "service_return",
	[MAP_BACKEND_RETURN] = "backend_return",
	[MAP_PASSIVE_RULES] = "passive_rules",
	[MAP_PASSIVE_STATES] = "passive_states",
	[MAP_SETUPS] = "setups",
	[MAP_SERVICE_SETUP_TIMES] = "service_setup_times",
	[MAP_BACKEND_SETUP_TIMES] = "backend_setup_times",
	[MAP_UNANSWERED_CALLS] = "unanswered_calls",
	[MAP_VERDICTS] = "verdicts",
	[MAP_TRACKED_CALLS] = "tracked_calls",
	[MAP_TRANSACTIONS] = "transactions",
	[MAP_PUNT_READERS] = "punt_readers",
	[MAP_COUNTED_CALLS] = "counted_calls",
	[MAP_BACKEND_LOADS] = "backend_loads",
	[MAP_BALANCES] = "balances",
	[MAP_NEW_CALLS] = "new_calls",
	[MAP_BALANCE_COUNTERS] = "balance_counters",
	[MAP_ADDED] = "added_backends",
	[MAP_STATE] = "balancer_state",
	[MAP_HEAVY_SOURCES] = "heavy_sources",
	[MAP_HEAVY_CALL_IDS] = "heavy_call_ids",
	[MAP_HEAVY_INTERVAL] = "heavy_interval",
	[MAP_GUARDS] = "guards",
	[MAP_GUARD_CLASSES] = "guard_classes",
	[MAP_GUARD_NAMES] = "guard_names",
	[MAP_GUARD_LIST_NAMES] = "guard_list_names",
	[MAP_GUARD_SOURCES] = "guard_sources",
	[MAP_GUARD_COUNTERS] = "guard_counters",
	[MAP_GUARD_EXEMPT] = "guard_exempt",
	[MAP_GUARD_PREFIXES] = "guard_prefixes",
	[MAP_GUARD_BLOCKS] = "guard_blocks",
	[MAP_GUARD_SCANNERS] = "guard_scanners",
	[MAP_GUARD_EMERGENCY] = "guard_emergency",
	[MAP_GUARD_PRIORITIES] = "guard_priorities",
	[MAP_SERVICE_SURGES] = "service_surges",
	[MAP_BACKEND_SURGES] = "backend_surges",
};

#define ENTRY_SIZE_MAX sizeof(struct added_backend) /* the largest key or value of the hash maps */

_Static_assert(PIN_DIRECTORY_ERROR_SIZE <= MAPS_ERROR_SIZE, "maps_open() passes the reason on");

/* --- opening */

int maps_open_pin(const char *directory, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return bpf_obj_get(path);
}

uint32_t maps_id_of(int fd)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

static int explain_missing(const char *directory, const char *name, int error, char text[MAPS_ERROR_SIZE])
{
	const char *hint = error == -ENOENT ? "run 'sipxdp-loader attach -c FILE' first"
					    : "needs root, or CAP_BPF and access to the directory";

	snprintf(text, MAPS_ERROR_SIZE, "cannot open map %s/%s: %s (%s)", directory, name, strerror(-error), hint);
	return error;
}

static int open_contract(struct maps *maps, const char *directory, char error[MAPS_ERROR_SIZE])
{
	union any_contract value = {0};
	int result, fd = maps_open_pin(directory, map_names[MAP_CONTRACT]);

	if (fd < 0)
		return explain_missing(directory, map_names[MAP_CONTRACT], fd, error);
	maps->fd[MAP_CONTRACT] = fd;
	maps->contract_id = maps_id_of(fd);
	result = bpf_map_lookup_elem(fd, &(uint32_t){0}, &value);
	if (result) {
		snprintf(error, MAPS_ERROR_SIZE, "cannot read map %s/contract: %s", directory, strerror(-result));
		return result;
	}
	maps->contract = value.contract;
	if (maps->contract.version == ABI_VERSION)
		return 0;
	snprintf(error, MAPS_ERROR_SIZE,
		"the maps pinned in %s have contract version %u, but this program needs version %u: run 'sipxdp-loader "
		"upgrade -c FILE' of the same release",
		directory, maps->contract.version, ABI_VERSION);
	return -EPROTO;
}

int maps_open(struct maps **out, const char *directory, char error[MAPS_ERROR_SIZE])
{
	struct maps *maps = allocate(1, sizeof(*maps));
	int result = pin_directory_check(directory, error);

	memset(maps->fd, -1, sizeof(maps->fd));
	maps->cpus = libbpf_num_possible_cpus();
	if (!result)
		result = open_contract(maps, directory, error);
	for (int i = MAP_CONTRACT + 1; !result && i < MAP_COUNT; i++) {
		maps->fd[i] = maps_open_pin(directory, map_names[i]);
		if (maps->fd[i] < 0)
			result = explain_missing(directory, map_names[i], maps->fd[i], error);
	}
	if (!result) {
		result = maps_open_loads(maps);
		if (result)
			explain_missing(directory, map_names[MAP_BACKEND_LOADS], result, error);
	}
	if (result) {
		maps_close(maps);
		maps = NULL;
	}
	*out = maps;
	return result;
}

void maps_close(struct maps *maps)
{
	if (!maps)
		return;
	maps_close_loads(maps);
	for (int i = 0; i < MAP_COUNT; i++)
		if (maps->fd[i] >= 0)
			close(maps->fd[i]);
	free(maps);
}

int maps_are_pinned(const struct maps *maps, const char *directory)
{
	int fd = maps_open_pin(directory, map_names[MAP_CONTRACT]);
	bool same;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	same = maps_id_of(fd) == maps->contract_id;
	close(fd);
	return same;
}

const struct contract *maps_contract(const struct maps *maps)
{
	return &maps->contract;
}

uint32_t maps_id(const struct maps *maps)
{
	return maps->contract_id;
}

bool maps_are_filled(const struct maps *maps)
{
	return maps->contract.filled == CONTRACT_FILLED;
}

int maps_set_filled(struct maps *maps)
{
	struct contract filled = maps->contract;
	int error;

	if (maps_are_filled(maps))
		return 0;
	filled.filled = CONTRACT_FILLED;
	error = bpf_map_update_elem(maps->fd[MAP_CONTRACT], &(uint32_t){0}, &filled, BPF_ANY);
	if (!error)
		maps->contract = filled;
	return error;
}

int maps_change_filled(const char *directory, enum contract_filled from, enum contract_filled to)
{
	union any_contract value = {0};
	int error, fd = maps_open_pin(directory, map_names[MAP_CONTRACT]);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	error = bpf_map_lookup_elem(fd, &(uint32_t){0}, &value);
	if (!error && value.contract.version == ABI_VERSION && value.contract.filled == from) {
		value.contract.filled = to;
		error = bpf_map_update_elem(fd, &(uint32_t){0}, &value, BPF_ANY);
	}
	close(fd);
	return error;
}

/* --- own_macs, interface_macs */

static bool is_wanted(const struct own_mac *own, const struct interface_mac *wanted, size_t count, bool *known)
{
	bool found = false;

	*known = false;
	for (size_t i = 0; i < count; i++) {
		*known |= wanted[i].own.ifindex == own->ifindex;
		found |= !memcmp(&wanted[i].own, own, sizeof(*own));
	}
	return found;
}

/* Several MAC addresses of one interface share an element. The first of them is the address of the interface
 * itself: it is written last, so that it remains. */
static int set_interface_macs(const struct maps *maps, const struct interface_mac *wanted, size_t count)
{
	int error = 0;

	while (count-- && !error) {
		uint32_t at = INTERFACE_MAC_INDEX(wanted[count].own.ifindex);

		error = bpf_map_update_elem(maps->fd[MAP_INTERFACE_MACS], &at, &wanted[count], BPF_ANY);
	}
	return error;
}

/* Adds new addresses to both maps before it deletes old ones from own_macs, so that own_macs always contains
 * every address in interface_macs. */
int maps_set_own_macs(const struct maps *maps, const struct interface_mac *wanted, size_t count)
{
	int fd = maps->fd[MAP_OWN_MACS], error = 0;
	struct own_mac own, next;
	bool more, known;

	for (size_t i = 0; i < count && !error; i++)
		error = bpf_map_update_elem(fd, &wanted[i].own, &wanted[i].mtu, BPF_ANY);
	if (!error)
		error = set_interface_macs(maps, wanted, count);
	more = !bpf_map_get_next_key(fd, NULL, &own);
	while (more && !error) {
		more = !bpf_map_get_next_key(fd, &own, &next);
		if (!is_wanted(&own, wanted, count, &known) && known)
			error = bpf_map_delete_elem(fd, &own);
		own = next;
	}
	return error;
}

/* --- reading */

/* Reads the elements of an array map from `first` to before `end`, all with one system call. */
static int read_array(int fd, uint32_t first, uint32_t end, void *values, size_t size)
{
	uint32_t before = first - 1, last, wanted = end - first, count = wanted;
	uint32_t *keys = allocate(wanted, sizeof(*keys));
	int error = bpf_map_lookup_batch(
		fd, first ? &before : NULL, &last, keys, (char *)values + first * size, &count, NULL);

	free(keys);
	if (error == -ENOENT) /* the map has no further element */
		error = 0;
	return error || count == wanted ? error : -ERANGE;
}

static const enum map map_of_entries[IMAGE_MAPS] = {
	[IMAGE_SERVICES] = MAP_SERVICES,
	[IMAGE_VIPS] = MAP_VIPS,
	[IMAGE_HINTS] = MAP_HINTS,
	[IMAGE_RANGES] = MAP_RANGES,
	[IMAGE_NAT_SOURCES] = MAP_NAT_SOURCES,
	[IMAGE_NAT_RANGES] = MAP_NAT_RANGES,
	[IMAGE_ADDED] = MAP_ADDED,
	[IMAGE_GUARD_SCANNERS] = MAP_GUARD_SCANNERS,
	[IMAGE_GUARD_EMERGENCY] = MAP_GUARD_EMERGENCY,
	[IMAGE_GUARD_PRIORITIES] = MAP_GUARD_PRIORITIES,
};

/* Converts a key of services_ipv4 to the key that the image uses. */
static struct service_key long_key(const struct service_key_ipv4 *key)
{
	return (struct service_key){
		.vip = address_from_ipv4(key->vip),
		.port = key->port,
		.protocol = key->protocol,
	};
}

/* Reads a complete hash map or fails: the daemon would never delete an entry that it did not read. */
static int read_map(const struct maps *maps, enum map map, struct hash_map *entries)
{
	char key[ENTRY_SIZE_MAX], value[ENTRY_SIZE_MAX], *previous = NULL;
	int error, fd = maps->fd[map];

	while (!(error = bpf_map_get_next_key(fd, previous, key))) {
		struct service_key service = long_key((void *)key);

		error = bpf_map_lookup_elem(fd, key, value);
		if (error && error != -ENOENT) /* -ENOENT: deleted meanwhile */
			return error;
		if (!error)
			hash_map_put(entries, map == MAP_SERVICES_IPV4 ? (void *)&service : key, value);
		previous = key;
	}
	return error == -ENOENT ? 0 : error;
}

static int read_entries(const struct maps *maps, struct image *image, enum image_map which)
{
	int error = read_map(maps, map_of_entries[which], image->maps[which]);

	if (!error && which == IMAGE_SERVICES)
		error = read_map(maps, MAP_SERVICES_IPV4, image->maps[which]);
	return error;
}

static void put_slots(struct slots **to, const __u16 *ids, uint32_t count)
{
	struct slots *slots = slots_copy(ids, count);

	slots_replace(to, slots);
	slots_drop(slots);
}

static int read_tables(const struct maps *maps, struct image *image)
{
	__u16 *slots = allocate(maps->contract.slots, sizeof(*slots));
	int error = 0;

	for (uint32_t i = 0; i < maps->contract.pools && !error; i++) {
		uint32_t table = image->pools[i].table;

		if (!image->pool_names[i].name[0])
			continue;
		error = table < 2 * maps->contract.pools ? bpf_map_lookup_elem(maps->fd[MAP_TABLES], &table, slots)
							 : -ERANGE;
		if (!error)
			put_slots(&image->tables[table], slots, maps->contract.slots);
		if (!error && image->pools[i].migrating)
			error = bpf_map_lookup_elem(maps->fd[MAP_PREVIOUS_OWNERS], &i, slots);
		if (!error && image->pools[i].migrating)
			put_slots(&image->previous_owners[i], slots, maps->contract.slots);
	}
	free(slots);
	return error;
}

/* The image does not contain the state of a limit (`full`). */
static int read_surges(int fd, uint32_t count, struct surge *surges)
{
	int error = read_array(fd, 0, count, surges, sizeof(*surges));

	for (uint32_t i = 0; i < count; i++)
		surges[i].full = 0;
	return error;
}

static int read_guards(const struct maps *maps, struct image *image)
{
	int error = read_array(maps->fd[MAP_GUARDS], 0, GUARDS, image->guards, sizeof(*image->guards));

	if (!error)
		error = read_array(maps->fd[MAP_GUARD_CLASSES], 0, GUARD_CLASSES, image->guard_classes,
			sizeof(*image->guard_classes));
	if (!error)
		error = read_array(
			maps->fd[MAP_GUARD_NAMES], 0, GUARDS, image->guard_names, sizeof(*image->guard_names));
	if (!error)
		error = read_array(maps->fd[MAP_GUARD_LIST_NAMES], 0, GUARD_LISTS, image->guard_list_names,
			sizeof(*image->guard_list_names));
	if (!error)
		error = read_surges(maps->fd[MAP_SERVICE_SURGES], maps->contract.services, image->service_surges);
	if (!error)
		error = read_surges(maps->fd[MAP_BACKEND_SURGES], maps->contract.backends + 1, image->backend_surges);
	return error;
}

/* Reads what maps_read_readiness() reads, except for the tables. */
static int read_objects(const struct maps *maps, struct image *image)
{
	const struct contract *contract = &maps->contract;
	int error = read_array(maps->fd[MAP_SERVICE_NAMES], 0, contract->services, image->service_names,
		sizeof(*image->service_names));
	if (!error)
		error = read_array(
			maps->fd[MAP_POOL_NAMES], 0, contract->pools, image->pool_names, sizeof(*image->pool_names));
	if (!error)
		error = read_array(maps->fd[MAP_POOLS], 0, contract->pools, image->pools, sizeof(*image->pools));
	if (!error)
		error = read_array(
			maps->fd[MAP_BACKENDS], 1, contract->backends + 1, image->backends, sizeof(*image->backends));
	if (!error)
		error = read_array(maps->fd[MAP_BACKEND_RECORDS], 1, contract->backends + 1, image->records,
			sizeof(*image->records));
	return error ? error : read_array(maps->fd[MAP_STATE], 0, 1, &image->state, sizeof(image->state));
}

static struct image *finish_reading(struct image *image, int error)
{
	if (!error)
		return image;
	image_free(image);
	return NULL;
}

int maps_read_readiness(const struct maps *maps, struct image **out)
{
	struct image *image = image_new(&maps->contract);
	int error = read_objects(maps, image);

	if (!error)
		error = read_entries(maps, image, IMAGE_SERVICES);
	if (!error)
		error = read_tables(maps, image);
	*out = finish_reading(image, error);
	return error;
}

int maps_read(const struct maps *maps, struct image **out)
{
	struct image *image = image_new(&maps->contract);
	int error = read_objects(maps, image);

	if (!error)
		error = read_array(maps->fd[MAP_NAT_SETTINGS], 0, 1, &image->nat, sizeof(image->nat));
	if (!error)
		error = read_array(maps->fd[MAP_PASSIVE_RULES], 0, maps->contract.backends + 1, image->passive,
			sizeof(*image->passive));
	if (!error)
		error = read_guards(maps, image);
	for (int i = 0; i < IMAGE_MAPS && !error; i++)
		error = read_entries(maps, image, i);
	if (!error)
		error = read_tables(maps, image);
	*out = finish_reading(image, error);
	return error;
}

/* --- writing */

/* Sets all counters of an element to zero on every CPU, for an id that is reused for a different object. */
static int zero_counters(const struct maps *maps, enum map map, uint32_t id)
{
	struct service_traffic *zeroes = allocate(maps->cpus, sizeof(*zeroes)); /* the largest of the structs */
	int error = bpf_map_update_elem(maps->fd[map], &id, zeroes, BPF_ANY);

	free(zeroes);
	return error;
}

static int zero_backend(const struct maps *maps, uint32_t id)
{
	static const enum map all[] = {MAP_BACKEND_TRAFFIC, MAP_BACKEND_RETURN, MAP_PASSIVE_STATES,
		MAP_BACKEND_SETUP_TIMES, MAP_UNANSWERED_CALLS};
	int error = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all) && !error; i++)
		error = zero_counters(maps, all[i], id);
	return error;
}

static int zero_service(const struct maps *maps, uint32_t id)
{
	static const enum map all[] = {MAP_SERVICE_TRAFFIC, MAP_SERVICE_RETURN, MAP_SERVICE_SETUP_TIMES};
	int error = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all) && !error; i++)
		error = zero_counters(maps, all[i], id);
	return error;
}

static int zero_guard(const struct maps *maps, uint32_t guard)
{
	int error = zero_counters(maps, MAP_GUARD_EXEMPT, guard);

	for (uint32_t rule = 0; rule < GUARD_RULES && !error; rule++)
		error = zero_counters(maps, MAP_GUARD_COUNTERS, guard * GUARD_RULES + rule);
	return error;
}

/* Writes an entry of a hash map, or deletes it if `value` is NULL. */
static int change_entry(const struct maps *maps, enum image_map which, const void *key, const void *value)
{
	const struct service_key *service = key;
	struct service_key_ipv4 short_key;
	int error, fd = maps->fd[map_of_entries[which]];

	if (which == IMAGE_SERVICES && address_is_mapped_ipv4(&service->vip)) {
		short_key = (struct service_key_ipv4){service->vip.word[3], service->port, service->protocol, 0};
		key = &short_key;
		fd = maps->fd[MAP_SERVICES_IPV4];
	}
	if (value)
		return bpf_map_update_elem(fd, key, value, BPF_ANY);
	error = bpf_map_delete_elem(fd, key);
	return error == -ENOENT ? 0 : error; /* -ENOENT: deleted already */
}

int maps_apply(const struct maps *maps, const struct plan_step *step)
{
	static const enum map map_of[] = {
		[PLAN_BACKEND_RECORD] = MAP_BACKEND_RECORDS,
		[PLAN_SERVICE_NAME] = MAP_SERVICE_NAMES,
		[PLAN_POOL_NAME] = MAP_POOL_NAMES,
		[PLAN_TRACKED_CALLS] = MAP_TRACKED_CALLS,
		[PLAN_COUNTED_CALLS] = MAP_COUNTED_CALLS,
		[PLAN_BACKEND_ZERO] = MAP_BACKEND_TRAFFIC,
		[PLAN_SERVICE_ZERO] = MAP_SERVICE_TRAFFIC,
		[PLAN_BACKEND] = MAP_BACKENDS,
		[PLAN_TABLE] = MAP_TABLES,
		[PLAN_POOL] = MAP_POOLS,
		[PLAN_PREVIOUS_OWNERS] = MAP_PREVIOUS_OWNERS,
		[PLAN_ENTRY] = MAP_SERVICES, /* not used: change_entry() chooses the map */
		[PLAN_ENTRY_REMOVE] = MAP_SERVICES,
		[PLAN_NAT] = MAP_NAT_SETTINGS,
		[PLAN_STATE] = MAP_STATE,
		[PLAN_PASSIVE] = MAP_PASSIVE_RULES,
		[PLAN_GUARD] = MAP_GUARDS,
		[PLAN_GUARD_ZERO] = MAP_GUARD_COUNTERS,
		[PLAN_GUARD_CLASS] = MAP_GUARD_CLASSES,
		[PLAN_GUARD_NAME] = MAP_GUARD_NAMES,
		[PLAN_GUARD_LIST_NAME] = MAP_GUARD_LIST_NAMES,
		[PLAN_SERVICE_SURGE] = MAP_SERVICE_SURGES,
		[PLAN_BACKEND_SURGE] = MAP_BACKEND_SURGES,
	};
	int fd = maps->fd[map_of[step->kind]];

	switch (step->kind) {
	case PLAN_TRACKED_CALLS:
		return maps_forget_reassigned(maps, step->value);
	case PLAN_COUNTED_CALLS:
		return maps_forget_counted(maps, step->value);
	case PLAN_BACKEND_ZERO:
		return zero_backend(maps, step->index);
	case PLAN_SERVICE_ZERO:
		return zero_service(maps, step->index);
	case PLAN_GUARD_ZERO:
		return zero_guard(maps, step->index);
	case PLAN_PREVIOUS_OWNERS:
		return maps_put_previous_owners(maps, step->index, step->value);
	case PLAN_POOL:
		return bpf_map_update_elem(fd, &step->index, &step->pool, BPF_ANY);
	case PLAN_ENTRY:
		return change_entry(maps, step->index, step->key, step->value);
	case PLAN_ENTRY_REMOVE:
		return change_entry(maps, step->index, step->key, NULL);
	default:
		return bpf_map_update_elem(fd, &step->index, step->value, BPF_ANY);
	}
}

int maps_raise_nat_generation(const struct maps *maps)
{
	uint32_t generation, index = 0;
	int error = bpf_map_lookup_elem(maps->fd[MAP_NAT_GENERATION], &index, &generation);

	generation++;
	return error ? error : bpf_map_update_elem(maps->fd[MAP_NAT_GENERATION], &index, &generation, BPF_ANY);
}

/* --- counters */

int maps_sum_counters(const struct maps *maps, enum map map, uint32_t id, void *out, size_t size)
{
	size_t count = size / sizeof(uint64_t);
	uint64_t *values = allocate(maps->cpus, size), *total = out;
	int error = bpf_map_lookup_elem(maps->fd[map], &id, values);

	memset(out, 0, size);
	for (size_t i = 0; !error && i < maps->cpus * count; i++)
		total[i % count] += values[i];
	free(values);
	return error;
}

int maps_verdicts(const struct maps *maps, struct verdict_counters *out)
{
	return maps_sum_counters(maps, MAP_VERDICTS, 0, out, sizeof(*out));
}

int maps_service_traffic(const struct maps *maps, uint32_t id, struct service_traffic *out)
{
	return maps_sum_counters(maps, MAP_SERVICE_TRAFFIC, id, out, sizeof(*out));
}

int maps_backend_traffic(const struct maps *maps, uint32_t id, struct backend_traffic *out)
{
	return maps_sum_counters(maps, MAP_BACKEND_TRAFFIC, id, out, sizeof(*out));
}

int maps_service_return(const struct maps *maps, uint32_t id, struct service_traffic *out)
{
	return maps_sum_counters(maps, MAP_SERVICE_RETURN, id, out, sizeof(*out));
}

int maps_backend_return(const struct maps *maps, uint32_t id, struct backend_return *out)
{
	return maps_sum_counters(maps, MAP_BACKEND_RETURN, id, out, sizeof(*out));
}

int maps_passive_state(const struct maps *maps, uint32_t id, struct passive_state *out)
{
	memset(out, 0, sizeof(*out));
	return bpf_map_lookup_elem(maps->fd[MAP_PASSIVE_STATES], &id, out);
}
