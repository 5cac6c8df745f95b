// SPDX-License-Identifier: GPL-2.0
/* Finds maps and constants by name, so that it can also time objects of other builds, and
 * programs with only some of the maps and constants. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include "bpf/guard_source.h"
#include "bpf/packet.h"
#include "bpf/sip_host.h"
#include "letters.h"
#include "network.h"
#include "subject.h"

#define HINT_GROUP 1
#define GUARD 1 /* id */
#define GUARD_CLASS 16

static const __u64 hash_key[2] = {0x5d1f0a3c77e90b42, 0x8d02c6f1199ab3e4};

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

static uint32_t backends_of(const struct subject_setup *setup)
{
	return or_default(setup->backends, 64);
}

static uint32_t slots_of(const struct subject_setup *setup)
{
	return or_default(setup->slots, DEFAULT_SLOTS);
}

static uint32_t services_of(const struct subject_setup *setup)
{
	return or_default(setup->services, 1);
}

static uint32_t pools_of(const struct subject_setup *setup)
{
	return or_default(setup->pools, 1);
}

/* The map of the program's constants. */
static struct bpf_map *constants(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		const char *dot = strrchr(bpf_map__name(map), '.');

		if (dot && !strcmp(dot, ".rodata"))
			return map;
	}
	return NULL;
}

/* Sets a constant of 32 bits. A missing constant is an error only if the value is not zero. */
static int set_constant(struct bpf_object *object, const char *name, uint32_t value)
{
	const struct btf *btf = bpf_object__btf(object);
	int section = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	struct bpf_map *map = constants(object);
	const struct btf_type *type;
	size_t size;
	uint8_t *values = map ? (uint8_t *)bpf_map__initial_value(map, &size) : NULL;

	if (section < 0 || !values)
		return value ? -ENOENT : 0;
	type = btf__type_by_id(btf, section);
	for (int i = 0; i < btf_vlen(type); i++) {
		const struct btf_var_secinfo *variable = btf_var_secinfos(type) + i;

		if (strcmp(btf__str_by_offset(btf, btf__type_by_id(btf, variable->type)->name_off), name) != 0)
			continue;
		memcpy(values + variable->offset, &value, sizeof(value));
		return 0;
	}
	return value ? -ENOENT : 0;
}

static int set_constants(struct bpf_object *object, const struct subject_setup *setup)
{
	const struct {
		const char *name;
		uint32_t value;
	} all[] = {
		{"drive_idle", setup->idle},
		{"drive_undo", setup->undo},
		{"drive_rewrite", setup->rewrite},
		{"drive_letters", setup->letters},
		{"drive_words", setup->words},
		{"drive_sources", setup->sources},
		{"drive_services", setup->several_services},
		{"drive_messages", setup->messages},
		{"drive_first", setup->first},
		{"drive_run", setup->run},
		{"stage_last", setup->stage},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (set_constant(object, all[i].name, all[i].value)) {
			fprintf(stderr, "%s: has no constant %s\n", setup->object, all[i].name);
			return -ENOENT;
		}
	}
	if (bpf_object__find_map_by_name(object, "tables"))
		return set_constant(object, "slot_mask", slots_of(setup) - 1);
	return 0;
}

static void set_sizes(struct bpf_object *object, const struct subject_setup *setup)
{
	const struct {
		const char *name;
		uint32_t entries;
	} all[] = {
		{"services", 2 * DEFAULT_SERVICES},
		{"services_ipv4", 2 * DEFAULT_SERVICES},
		{"service_traffic", services_of(setup) + 1},
		{"service_names", services_of(setup) + 1},
		{"pools", pools_of(setup)},
		{"pool_names", pools_of(setup)},
		{"tables", 2 * pools_of(setup)},
		{"previous_owners", pools_of(setup)},
		{"counted_calls", or_default(setup->counted_calls, DEFAULT_COUNTED_CALLS)},
		{"backend_loads", backends_of(setup) + 1},
		{"balances", pools_of(setup)},
		{"new_calls", 2 * pools_of(setup)},
		{"backends", backends_of(setup) + 1},
		{"backend_traffic", backends_of(setup) + 1},
		{"service_return", services_of(setup) + 1},
		{"backend_return", backends_of(setup) + 1},
		{"service_setup_times", services_of(setup) + 1},
		{"backend_setup_times", backends_of(setup) + 1},
		{"backend_records", backends_of(setup) + 1},
		{"corpus", setup->messages ? CORPUS_MESSAGES + 1 : 1},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, all[i].name);

		if (map)
			bpf_map__set_max_entries(map, all[i].entries);
		if (map && (!strcmp(all[i].name, "tables") || !strcmp(all[i].name, "previous_owners")))
			bpf_map__set_value_size(map, slots_of(setup) * sizeof(uint16_t));
	}
}

static int put(struct bpf_object *object, const char *name, const void *key, const void *value)
{
	int error = bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, name), key, value, BPF_ANY);

	if (error)
		fprintf(stderr, "cannot fill %s: %s\n", name, strerror(-error));
	return error;
}

/* A service for a VIP. All its methods use one pool; consecutive services use consecutive pools. */
static int put_service(struct bpf_object *object, const struct subject_setup *setup, const struct address *vip,
	uint16_t port, uint8_t protocol, uint32_t id)
{
	struct service_key key = {.vip = *vip, .port = htons(port), .protocol = protocol};
	struct service_key_ipv4 short_key = {vip->word[3], htons(port), protocol, 0};
	struct service service = {
		.hash_key = {hash_key[0], hash_key[1]},
		.id = id,
		.guard = setup->guard ? GUARD : 0,
		.affinity = protocol == IPPROTO_TCP ? AFFINITY_FLOW : setup->affinity,
		.flags = (setup->route ? SERVICE_ROUTE : 0) | (setup->methods ? SERVICE_METHODS : 0) |
			 (setup->counters ? SERVICE_MESSAGES : 0) | (setup->tag ? SERVICE_TAG : 0),
		.hint_group = setup->hints ? HINT_GROUP : 0,
	};

	service.hash_ipv4 = hash_start_ipv4(service.hash_key);
	for (int method = 0; method < METHOD_COUNT; method++)
		service.pool[method] = id ? (id - 1) % pools_of(setup) : 0;
	if (address_is_mapped_ipv4(vip) && bpf_object__find_map_by_name(object, "services_ipv4"))
		return put(object, "services_ipv4", &short_key, &service);
	return put(object, "services", &key, &service);
}

/* Older builds have an entry of `services` instead, whose flags have other values. */
static int put_vip(struct bpf_object *object, const struct address *address)
{
	struct vip vip = {.flags = VIP_PING | VIP_PORT_RANGES};
	struct service_key key = {.vip = *address};
	struct service marker = {.flags = 4 | 8};

	if (bpf_object__find_map_by_name(object, "vips"))
		return put(object, "vips", address, &vip);
	return put(object, "services", &key, &marker);
}

#define SERVICE_RANGE_PORT 6144
#define MEDIA_PORT 32768
#define MEDIA_PORTS 512

/* A range of ports with a common prefix of `bits` bits. */
static int put_range(struct bpf_object *object, uint16_t port, int bits, const struct port_range *range)
{
	struct port_range_key key = {
		.prefix = PORT_RANGE_KEY_BITS(16 - bits),
		.protocol = IPPROTO_UDP,
		.vip = {.word = {0, 0, htonl(0xffff), htonl(0xc000020a)}},
		.port = htons(port),
	};

	return put(object, "port_ranges", &key, range);
}

static int fill_ranges(struct bpf_object *object, const struct subject_setup *setup)
{
	struct port_range range = {.port = htons(SERVICE_RANGE_PORT)};
	int error = put_range(object, SERVICE_RANGE_PORT, 8, &range);

	for (uint32_t id = 1; id <= backends_of(setup) && id <= 64 && !error; id++) {
		range = (struct port_range){.backend = id};
		error = put_range(object, MEDIA_PORT + (id - 1) * MEDIA_PORTS, 9, &range);
	}
	return error;
}

static int put_hint(struct bpf_object *object, const char *host, uint32_t id)
{
	struct hint_key key = {.group = HINT_GROUP};

	return sip_host_hash(host, hash_key, &key.host) ? put(object, "hints", &key, &id) : -EINVAL;
}

static int fill_hints(struct bpf_object *object, const struct subject_setup *setup)
{
	char host[64];
	int error = 0;

	for (uint32_t id = 1; id <= backends_of(setup) && !error; id++) {
		snprintf(host, sizeof(host), "10.0.%u.%u", id >> 8, id & 255);
		error = put_hint(object, host, id);
	}
	for (uint32_t i = 0; i < setup->hints && !error; i++) {
		uint64_t word = letters(i);

		snprintf(host, sizeof(host), MESSAGE_NAME, (const char *)&word);
		error = put_hint(object, host, 1 + i % backends_of(setup));
	}
	return error || !setup->tag ? error : put_hint(object, MESSAGE_TAG_HINT, 1);
}

static int fill_services(struct bpf_object *object, const struct subject_setup *setup)
{
	struct address vip = {.word = {0, 0, htonl(0xffff), htonl(0xc000020a)}}, vip6;
	int error = put_vip(object, &vip);

	inet_pton(AF_INET6, "2001:db8::10", &vip6);
	if (!error)
		error = put_service(object, setup, &vip, 5060, IPPROTO_UDP, 0);
	if (!error)
		error = put_service(object, setup, &vip6, 5060, IPPROTO_UDP, 0);
	if (!error)
		error = put_service(object, setup, &vip, 5060, IPPROTO_TCP, 0);
	if (!error)
		error = put_service(object, setup, &vip, SERVICE_RANGE_PORT, IPPROTO_UDP, 0);
	for (uint32_t i = 0; i < services_of(setup) && !error; i++) {
		vip.word[3] = htonl(0x0ac80000 + i);
		error = put_service(object, setup, &vip, 5060, IPPROTO_UDP, 1 + i);
	}
	return error;
}

static const struct mac own_mac = {{0x02, 0, 0, 0, 0, 0x01}}; /* the destination in the frames of frame_build() */

static int fill_backends(struct bpf_object *object, const struct subject_setup *setup)
{
	int error = 0;

	for (uint32_t id = 1; id <= backends_of(setup) && !error; id++) {
		struct backend backend = {
			.address = {.word = {0, 0, htonl(0xffff), htonl(0x0a000000 + id)}},
			.source = {.word = {0, 0, htonl(0xffff), htonl(0x0a00fffe)}},
			/* A live frame returns unchanged, and its destination must still be the balancer. */
			.next_hop = own_mac,
			.interface_mac = own_mac,
			.ifindex = or_default(setup->ifindex, 1),
			.mtu = 1500,
			.forward = setup->forward ? setup->forward : FORWARD_DSR,
			.alive = 1,
		};

		if (setup->ipv6_backends) {
			inet_pton(AF_INET6, "fd00::1", &backend.source);
			inet_pton(AF_INET6, "fd00::", &backend.address);
			backend.address.word[3] = htonl(0x10000 + id);
		}
		error = put(object, "backends", &id, &backend);
	}
	return error;
}

/* Deals out the backends in turn. */
static int fill_balance(struct bpf_object *object, const struct subject_setup *setup, uint32_t pool)
{
	const struct balance balance = {.flags = setup->balance & ~BALANCE_NONE, .new_calls = 2 * pool};
	struct new_calls list = {0};
	int error;

	for (uint32_t i = 0; i < NEW_CALLS; i++)
		list.backend[i] = 1 + i % backends_of(setup);
	error = put(object, "new_calls", &balance.new_calls, &list);
	return error ? error : put(object, "balances", &pool, &balance);
}

/* Slots in pseudo-random order, like those of rendezvous hashing. */
static int fill_pool(struct bpf_object *object, const struct subject_setup *setup, uint32_t id)
{
	uint16_t *table = calloc(slots_of(setup), sizeof(*table));
	struct pool pool = {
		.table = 2 * id, .migrating = setup->migration != MIGRATION_NONE, .balanced = setup->balance != 0};
	int error;

	for (uint32_t slot = 0; slot < slots_of(setup); slot++)
		table[slot] = 1 + ((slot * 2654435761u + id) >> 8) % backends_of(setup);
	error = put(object, "tables", &pool.table, table);
	for (uint32_t slot = 0; slot < slots_of(setup); slot++)
		table[slot] = 1 + table[slot] % backends_of(setup);
	if (!error && setup->migration == MIGRATION_HERE)
		error = put(object, "previous_owners", &id, table);
	if (!error && setup->balance)
		error = fill_balance(object, setup, id);
	if (!error)
		error = put(object, "pools", &id, &pool);
	free(table);
	return error;
}

/* The corpus, followed by the message that the setup names. */
static int fill_corpus(struct bpf_object *object, const struct subject_setup *setup)
{
	struct {
		uint32_t length;
		uint8_t frame[1532];
	} message;
	struct frame frame;

	for (uint32_t i = 0; i <= CORPUS_MESSAGES; i++) {
		int error;

		if (i < CORPUS_MESSAGES)
			message_build_corpus(i, &frame);
		else
			message_build(setup->copied, &frame);
		message.length = frame.length;
		memcpy(message.frame, frame.data, frame.length);
		error = put(object, "corpus", &i, &message);
		if (error)
			return error;
	}
	return 0;
}

/* Frames arrive on the interface of the backends, or on that of a test run. */
static int fill_own_macs(struct bpf_object *object, const struct subject_setup *setup)
{
	const uint32_t interfaces[] = {1, or_default(setup->ifindex, 1)};
	int error = 0;

	for (size_t i = 0; i < 2 && !error; i++) {
		struct interface_mac mac = {.own = {.ifindex = interfaces[i], .mac = own_mac}, .mtu = 9000};
		uint32_t at = INTERFACE_MAC_INDEX(interfaces[i]);

		error = put(object, "own_macs", &mac.own, &mac.mtu);
		if (!error && bpf_object__find_map_by_name(object, "interface_macs"))
			error = put(object, "interface_macs", &at, &mac);
	}
	return error;
}

static int fill_observers(struct bpf_object *object, const struct subject_setup *setup)
{
	struct observer observer = {.wants = OBSERVER_RECORDS};

	if (setup->observer == OBSERVER_OTHER_SOURCE)
		observer.sources[0] = (struct observer_prefix){.address = {{1}}, .mask = {{~0, ~0, ~0, ~0}}};
	if (setup->observer == OBSERVER_COUNTS)
		observer.wants = OBSERVER_SOURCES;
	if (setup->observer == OBSERVER_OTHER_CALL)
		observer.values[OBSERVER_CALL_ID][0] = 1;
	return put(object, "observers", &(uint32_t){0}, &observer);
}

/* --- the guard */

/* A list with the prefix of the usual source, or with a million others. */
static int fill_lists(struct bpf_object *object, const struct subject_setup *setup)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);
	int trie = bpf_map_create(
		BPF_MAP_TYPE_LPM_TRIE, "bench_lists", sizeof(struct guard_prefix), sizeof(uint32_t), 1 << 21, &options);
	struct guard_prefix prefix = {.address.word = {0, 0, htonl(0xffff), 0}};
	uint32_t list = GUARD_LIST_FIRST, count = setup->guard == GUARDED_MILLION ? 1000000 : 1;
	int error = trie < 0 ? trie : 0;

	prefix.bits = GUARD_PREFIX_BITS(count > 1 ? 128 : 96); /* all of IPv4, or single addresses */
	for (uint32_t i = 0; i < count && !error; i++) {
		prefix.address.word[3] = count > 1 ? htonl(0x14000000 + i * 101) : 0;
		error = bpf_map_update_elem(trie, &prefix, &list, BPF_ANY);
	}
	if (!error)
		error = put(object, "guard_prefixes", &(uint32_t){0}, &trie);
	if (trie >= 0)
		close(trie);
	return error;
}

static int fill_classes(struct bpf_object *object, const struct subject_setup *setup)
{
	struct guard_class class = {.enforced = setup->guard == GUARDED_OBSERVE ? 0 : ~0u};
	uint32_t unlisted = GUARD_CLASS, listed = GUARD_CLASS + GUARD_LIST_FIRST;
	int error;

	for (int i = 0; i < GUARD_BUCKETS; i++)
		class.limits[i] = setup->guard == GUARDED_LIMIT     ? guard_limit_of(1, 1)
				  : setup->guard == GUARDED_OBSERVE ? guard_limit_of(100, 1000)
								    : (struct guard_limit){1, GUARD_WINDOW_MAX};
	error = put(object, "guard_classes", &unlisted, &class);
	class = (struct guard_class){.action = setup->guard == GUARDED_TRUST ? GUARD_TRUST : GUARD_DENY,
		.list = GUARD_LIST_FIRST,
		.enforced = ~0u};
	return error ? error : put(object, "guard_classes", &listed, &class);
}

static int fill_guard(struct bpf_object *object, const struct subject_setup *setup)
{
	struct guard_text scanner = {.bits = 8 * 10, .text = "sipvicious"}, emergency = {.bits = 8 * 4, .text = "112"};
	struct guard guard = {
		.hash_key = {hash_key[0], hash_key[1]},
		.flags = GUARD_FLAG_LIMITS | GUARD_FLAG_EMERGENCY |
			 (setup->guard == GUARDED_SCANNERS ? GUARD_FLAG_SCANNERS : 0),
		.enforced = ~0u,
		.generation = 1,
		.first_class = GUARD_CLASS,
		.emergency_starts = guard_start('1', '1'),
		.ipv4_mask = ~0ULL,
		.ipv6_mask = {~0ULL},
	};
	uint32_t id = GUARD;
	int error = fill_classes(object, setup);

	if (!error &&
		(setup->guard == GUARDED_DENY || setup->guard == GUARDED_TRUST || setup->guard == GUARDED_MILLION))
		error = fill_lists(object, setup);
	if (!error)
		error = put(object, "guard_scanners", &scanner, &(uint32_t){1});
	if (!error)
		error = put(object, "guard_emergency", &emergency, &(uint32_t){1});
	return error ? error : put(object, "guards", &id, &guard);
}

/* The way back from each backend. */
static int fill_nat(struct bpf_object *object, const struct subject_setup *setup)
{
	struct nat_vip vip = {.vip = {.word = {0, 0, htonl(0xffff), htonl(0xc000020a)}},
		.flags = setup->counters ? NAT_COUNTS | NAT_MESSAGES : 0};
	struct interface_mac mac = {.mtu = 9000};
	int error = network_enter(&mac.own.ifindex);

	if (!error)
		error = put(object, "interface_macs", &(uint32_t){INTERFACE_MAC_INDEX(mac.own.ifindex)}, &mac);
	if (!error)
		error = put(object, "nat_settings", &(uint32_t){0}, &(struct nat_settings){.flags = NAT_ACTIVE});
	for (uint32_t id = 1; id <= backends_of(setup) && !error; id++) {
		struct nat_source source = {.address = {.word = {0, 0, htonl(0xffff), htonl(0x0a000000 + id)}},
			.port = htons(5060),
			.protocol = IPPROTO_UDP};

		vip.backend = id;
		error = put(object, "nat_sources", &source, &vip);
	}
	return error;
}

static int fill(struct bpf_object *object, const struct subject_setup *setup)
{
	int error = 0;

	if (!bpf_object__find_map_by_name(object, "services"))
		return 0;
	if (bpf_object__find_map_by_name(object, "own_macs")) /* an older build may lack this map */
		error = fill_own_macs(object, setup);
	if (!error)
		error = fill_services(object, setup);
	if (!error)
		error = fill_backends(object, setup);
	for (uint32_t id = 0; id < pools_of(setup) && !error; id++)
		error = fill_pool(object, setup, id);
	if (!error && bpf_object__find_map_by_name(object, "port_ranges"))
		error = fill_ranges(object, setup);
	if (!error && setup->hints)
		error = fill_hints(object, setup);
	if (!error && setup->forward == FORWARD_NAT)
		error = fill_nat(object, setup);
	if (!error && setup->messages)
		error = fill_corpus(object, setup);
	if (!error && setup->observer)
		error = fill_observers(object, setup);
	if (!error && setup->guard)
		error = fill_guard(object, setup);
	return error;
}

static void read_info(struct subject *subject)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(subject->program, &info, &size))
		return;
	subject->verified = info.verified_insns;
	subject->jited = info.jited_prog_len;
}

/* Loads only the requested program. */
static int select_program(struct bpf_object *object, const char *name)
{
	struct bpf_program *program;
	bool found = false;

	bpf_object__for_each_program(program, object)
	{
		bool wanted = !strcmp(bpf_program__name(program), name);

		bpf_program__set_autoload(program, wanted);
		found |= wanted;
	}
	return found ? 0 : -ENOENT;
}

int subject_load(struct subject *subject, const struct subject_setup *setup, const char *build)
{
	char path[512];
	int error;

	snprintf(path, sizeof(path), "%s/%s.bpf.o", build, setup->object);
	*subject = (struct subject){.object = bpf_object__open_file(path, NULL)};
	if (!subject->object) {
		fprintf(stderr, "cannot open %s: %s\n", path, strerror(errno));
		return -errno;
	}
	error = select_program(subject->object, setup->program);
	if (!error)
		error = set_constants(subject->object, setup);
	set_sizes(subject->object, setup);
	if (!error)
		error = bpf_object__load(subject->object);
	if (!error)
		error = fill(subject->object, setup);
	if (error) {
		fprintf(stderr, "cannot load %s of %s: %s\n", setup->program, path, strerror(-error));
		subject_unload(subject);
		return error;
	}
	subject->program = bpf_program__fd(bpf_object__find_program_by_name(subject->object, setup->program));
	read_info(subject);
	return 0;
}

void subject_unload(struct subject *subject)
{
	bpf_object__close(subject->object);
	*subject = (struct subject){};
}

uint64_t subject_verdict(const struct subject *subject, enum verdict verdict)
{
	struct bpf_map *map = bpf_object__find_map_by_name(subject->object, "verdicts");
	size_t count = map ? bpf_map__value_size(map) / sizeof(uint64_t) : 0; /* a different build may have fewer */
	int cpus = libbpf_num_possible_cpus();
	uint64_t *counters, sum = 0;

	if (cpus < 1 || verdict >= count)
		return 0;
	counters = calloc(cpus * count, sizeof(*counters));
	if (!bpf_map_lookup_elem(bpf_map__fd(map), &(uint32_t){0}, counters)) {
		for (int cpu = 0; cpu < cpus; cpu++)
			sum += counters[cpu * count + verdict];
	}
	free(counters);
	return sum;
}

/* /proc shows the memory of each map of this process. */
static uint64_t map_memory(int map)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", map);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	}
	if (file)
		fclose(file);
	return bytes;
}

uint64_t subject_memory(const struct subject *subject)
{
	struct bpf_map *map;
	uint64_t sum = 0;

	bpf_object__for_each_map(map, subject->object) sum += map_memory(bpf_map__fd(map));
	return sum;
}
