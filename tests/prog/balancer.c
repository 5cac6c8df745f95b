// SPDX-License-Identifier: GPL-2.0
/* See balancer.h. */

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include "bpf/sip_host.h"
#include "balancer.h"
#include "shared.h"

#define HINT_GROUP 1
#include "bpf/hash.h"
#include "bpf/packet.h"

const uint64_t test_hash_key[2] = {0x5d1f0a3c77e90b42, 0x8d02c6f1199ab3e4};

struct address balancer_address(const char *text)
{
	struct address address = {.word = {0, 0, htonl(0xffff), 0}};

	if (inet_pton(AF_INET, text, &address.word[3]) != 1)
		run_must(inet_pton(AF_INET6, text, &address) != 1, text);
	return address;
}

static uint32_t backends_of(const struct balancer_setup *setup)
{
	return setup->backends ? setup->backends : 4;
}

static uint32_t slots_of(const struct balancer_setup *setup)
{
	return setup->slots ? setup->slots : 4096;
}

struct backend balancer_backend(const struct balancer_setup *setup, uint32_t id)
{
	struct backend backend = {
		.address = balancer_address(setup->ipv6_backends ? "fd00::" : "10.0.0.0"),
		.source = balancer_address(setup->ipv6_backends ? "fd00::ffff" : "10.0.255.254"),
		.next_hop = {{0x02, 0, 0, 1, id >> 8, id}},
		.interface_mac = {{0x02, 0, 0, 0, 0, 0x01}},
		.ifindex = setup->ifindex ? setup->ifindex : TEST_IFINDEX,
		.mtu = setup->mtu ? setup->mtu : 1500,
		.forward = setup->forward ? setup->forward : FORWARD_DSR,
		.alive = !setup->dead,
		.source_bits = setup->source_bits,
		.port = htons(setup->forward == FORWARD_GUE ? TEST_GUE_PORT : setup->port),
	};

	backend.address.word[3] = htonl(ntohl(backend.address.word[3]) + id);
	if (setup->unreachable)
		backend.forward = FORWARD_NONE;
	return backend;
}

static int ignore(void *context, void *record, size_t size)
{
	(void)context;
	(void)record;
	(void)size;
	return 0;
}

void balancer_drain(struct balancer_bpf *skel)
{
	struct bpf_map *const maps[] = {skel->maps.punt_fragments, skel->maps.punt_oversize, skel->maps.punt_probes,
		skel->maps.punt_refusals, skel->maps.punt_nat};

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(maps[i]), ignore, NULL, NULL);

		run_must(!ring, "ring buffer");
		ring_buffer__consume(ring);
		ring_buffer__free(ring);
	}
}

uint32_t balancer_receiver(const struct frame *frame)
{
	return frame->data[4] << 8 | frame->data[5];
}

static uint16_t owner(const struct balancer_setup *setup, uint32_t pool, uint32_t slot)
{
	uint32_t nth = slot % backends_of(setup);

	if (setup->nobody)
		return 0;
	return pool == 0 ? 1 + nth : backends_of(setup) - nth;
}

uint32_t balancer_owner(const struct balancer_setup *setup, uint32_t pool, uint64_t hash)
{
	return owner(setup, pool, hash % slots_of(setup));
}

uint64_t balancer_hash(const char *call_id, size_t length)
{
	const __u64 key[2] = {test_hash_key[0], test_hash_key[1]};
	struct hash hash = hash_start(key);
	size_t at = 0;

	/* If the length is a multiple of 8, an empty last word is hashed, too: the scanner detects the end only there.
	 */
	do {
		uint64_t word = 0;

		for (int i = 0; i < 8 && at + i < length; i++)
			word |= (uint64_t)(uint8_t)call_id[at + i] << (8 * i);
		hash_word(&hash, word);
		at += 8;
	} while (at <= length);
	return hash_finish(hash, key);
}

int balancer_services(struct balancer_bpf *skel, const struct service_key *key, union any_service_key *in_map)
{
	if (!address_is_mapped_ipv4(&key->vip)) {
		in_map->key = *key;
		return bpf_map__fd(skel->maps.services);
	}
	in_map->ipv4 = (struct service_key_ipv4){key->vip.word[3], key->port, key->protocol, 0};
	return bpf_map__fd(skel->maps.services_ipv4);
}

static void put_service(struct balancer_bpf *skel, const char *vip, struct service_key key, struct service service)
{
	union any_service_key in_map;

	service.hash_key[0] = test_hash_key[0];
	service.hash_key[1] = test_hash_key[1];
	service.hash_ipv4 = hash_start_ipv4(service.hash_key);
	key.vip = balancer_address(vip);
	run_must(bpf_map_update_elem(balancer_services(skel, &key, &in_map), &in_map, &service, BPF_ANY), "services");
}

static void put_vip(struct balancer_bpf *skel, const struct balancer_setup *setup, const char *text)
{
	struct address address = balancer_address(text);
	struct vip vip = {.flags = (setup->ping ? VIP_PING : 0) | (setup->no_ranges ? 0 : VIP_PORT_RANGES)};

	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.vips), &address, &vip, BPF_ANY), "vips");
}

/* Each row is a prefix of the bits of a port, as the LPM trie stores it. */
static void put_ranges(struct balancer_bpf *skel, const char *vip)
{
	static const struct {
		uint16_t port;
		uint8_t bits;
		struct port_range range;
	} rows[] = {
		{10000, 13, {.backend = 3, .service = SERVICE_SIP}}, /* 10000 to 10007 */
		{10008, 15, {.backend = 3, .service = SERVICE_SIP}},
		{10010, 16, {.backend = 2, .service = SERVICE_SIP}},
		{6000, 12, {.port = 0xce13}}, /* 6000 to 6015; 0xce13 is port 5070 in network byte order */
		{6016, 14, {.port = 0xce13}}, /* 6016 to 6019 */
		{6020, 15, {.port = 0xce13}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct port_range_key key = {.prefix = PORT_RANGE_KEY_BITS(rows[i].bits),
			.protocol = IPPROTO_UDP,
			.vip = balancer_address(vip),
			.port = htons(rows[i].port)};

		run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.port_ranges), &key, &rows[i].range, BPF_ANY),
			"port_ranges");
	}
}

static void fill_vips(struct balancer_bpf *skel, const struct balancer_setup *setup)
{
	static const char *const vips[] = {"192.0.2.10", "2001:db8::10", "192.0.2.20", "2001:db8::20"};

	for (size_t i = 0; i < sizeof(vips) / sizeof(vips[0]); i++) {
		put_vip(skel, setup, vips[i]);
		put_ranges(skel, vips[i]);
	}
}

static void fill_services(struct balancer_bpf *skel, const struct balancer_setup *setup)
{
	static const struct {
		const char *vips[2];
		uint16_t port;
		uint8_t protocol;
		enum affinity affinity;
	} rows[SERVICE_COUNT] = {
		[SERVICE_SIP] = {{"192.0.2.10", "2001:db8::10"}, 5060, IPPROTO_UDP, AFFINITY_CALL_ID},
		[SERVICE_ANY] = {{"192.0.2.20", "2001:db8::20"}, 0, IPPROTO_UDP, AFFINITY_CALL_ID},
		[SERVICE_ONE] = {{"192.0.2.20", "2001:db8::20"}, 5070, IPPROTO_UDP, AFFINITY_CALL_ID},
		[SERVICE_TCP] = {{"192.0.2.10", "2001:db8::10"}, 5061, IPPROTO_TCP, AFFINITY_FLOW},
		[SERVICE_NEAR] = {{"192.0.2.10", "2001:db8::10"}, 5062, IPPROTO_UDP, AFFINITY_SOURCE},
		[SERVICE_SPLIT] = {{"192.0.2.10", "2001:db8::10"}, 5063, IPPROTO_UDP, AFFINITY_CALL_ID},
		[SERVICE_USER] = {{"192.0.2.10", "2001:db8::10"}, 5064, IPPROTO_UDP, AFFINITY_FROM_USER},
	};

	for (enum test_service id = 0; id < (setup->no_users ? SERVICE_USER : SERVICE_COUNT); id++) {
		struct service_key key = {.port = htons(rows[id].port), .protocol = rows[id].protocol};
		struct service service = {.id = id, .affinity = rows[id].affinity};

		service.guard = setup->guard ? TEST_GUARD : 0;

		if (id != SERVICE_TCP && id != SERVICE_ONE)
			service.flags |= SERVICE_MESSAGES;

		for (int method = 0; method < METHOD_COUNT; method++)
			service.pool[method] = id == SERVICE_ANY;
		if (id == SERVICE_SPLIT) {
			service.flags |= SERVICE_METHODS;
			service.pool[METHOD_REGISTER] = service.pool[METHOD_OTHER] = 1;
		}
		if (id == SERVICE_USER) {
			service.flags |= SERVICE_ROUTE;
			service.hint_group = HINT_GROUP;
		}
		put_service(skel, rows[id].vips[0], key, service);
		put_service(skel, rows[id].vips[1], key, service);
	}
}

static void fill_probe_addresses(struct balancer_bpf *skel)
{
	static const char *const texts[] = {TEST_PROBE_ADDRESS, TEST_PROBE_ADDRESS6};

	for (int i = 0; i < 2; i++) {
		struct address address = balancer_address(texts[i]);

		run_must(
			bpf_map_update_elem(bpf_map__fd(skel->maps.probe_addresses), &address, &(uint32_t){1}, BPF_ANY),
			"probe_addresses");
	}
}

/* Pool 0 uses the first of its two tables, pool 1 the second. */
static void fill_pool(struct balancer_bpf *skel, const struct balancer_setup *setup, uint32_t id)
{
	uint32_t slots = slots_of(setup);
	uint16_t *table = calloc(slots, sizeof(*table));
	struct pool pool = {.table = 2 * id + id};

	for (uint32_t slot = 0; slot < slots; slot++)
		table[slot] = owner(setup, id, slot);
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.tables), &pool.table, table, BPF_ANY), "tables");
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.pools), &id, &pool, BPF_ANY), "pools");
	free(table);
}

/* The address of a backend is its hint. */
static void put_hint(struct balancer_bpf *skel, uint32_t id, const struct address *address)
{
	const __u64 key[2] = {test_hash_key[0], test_hash_key[1]};
	struct hint_key hint = {.host = sip_hash_address(address, key), .group = HINT_GROUP};

	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.hints), &hint, &id, BPF_ANY), "hints");
}

/* The interface has its own MAC address and that of a VRRP interface. */
static void fill_macs(struct balancer_bpf *skel, const struct balancer_setup *setup)
{
	static const struct interface_mac macs[] = {
		{{TEST_IFINDEX, {{0x02, 0, 0, 0, 0, 0x01}}, 0}, TEST_MTU},
		{{TEST_IFINDEX, {{0x00, 0, 0x5e, 0, 0x01, 0x0a}}, 0}, TEST_MTU},
	};
	static const struct interface_mac others = {
		{TEST_IFINDEX + INTERFACE_MACS, {{0x02, 0, 0, 0, 0x01, 0x01}}, 0}, TEST_MTU};
	const uint32_t at = INTERFACE_MAC_INDEX(TEST_IFINDEX);

	for (size_t i = 0; i < sizeof(macs) / sizeof(*macs); i++)
		run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.own_macs), &macs[i].own, &macs[i].mtu, BPF_ANY),
			"own_macs");
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.interface_macs), &at,
			 setup->shares_interface_mac ? &others : &macs[0], BPF_ANY),
		"interface_macs");
}

/* Pool 0 deals out its backends in reverse order; every third one is full. */
static void fill_balance(struct balancer_bpf *skel, const struct balancer_setup *setup)
{
	const struct balance balance = {.flags = setup->balance};
	const struct pool pool = {.balanced = 1};
	struct new_calls list = {0};
	uint32_t zero = 0;

	for (uint32_t i = 0; i < NEW_CALLS; i++)
		list.backend[i] = owner(setup, 1, i);
	for (uint32_t id = 1; id <= backends_of(setup); id++) {
		struct backend_load load = {.full = id % 3 == 0};

		run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.backend_loads), &id, &load, BPF_ANY),
			"backend_loads");
	}
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.new_calls), &zero, &list, BPF_ANY), "new_calls");
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.balances), &zero, &balance, BPF_ANY), "balances");
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.pools), &zero, &pool, BPF_ANY), "pools");
}

void balancer_fill(struct balancer_bpf *skel, const struct balancer_setup *setup)
{
	fill_macs(skel, setup);
	for (uint32_t id = 1; id <= backends_of(setup); id++) {
		struct backend backend = balancer_backend(setup, id);

		run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.backends), &id, &backend, BPF_ANY), "backends");
		put_hint(skel, id, &backend.address);
	}
	fill_pool(skel, setup, 0);
	fill_pool(skel, setup, 1);
	if (setup->balance)
		fill_balance(skel, setup);
	fill_services(skel, setup);
	guard_fill(skel, setup->guard);
	fill_vips(skel, setup);
	fill_probe_addresses(skel);
}

static void set_ring_sizes(struct balancer_bpf *skel)
{
	struct bpf_map *const rings[] = {skel->maps.punt_fragments, skel->maps.punt_oversize, skel->maps.punt_probes,
		skel->maps.punt_refusals, skel->maps.observed};

	for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++)
		bpf_map__set_max_entries(rings[i], TEST_RING_BYTES);
}

struct balancer_bpf *balancer_load(const struct balancer_setup *setup)
{
	struct balancer_bpf *skel = balancer_bpf__open();
	uint32_t backends = backends_of(setup);

	run_must(!skel, "open");
	skel->rodata->slot_mask = slots_of(setup) - 1;
	skel->rodata->no_fast_path = setup->no_fast_path;
	skel->rodata->guarded_sources = TEST_SOURCES;
	bpf_map__set_value_size(skel->maps.tables, slots_of(setup) * sizeof(uint16_t));
	bpf_map__set_value_size(skel->maps.previous_owners, slots_of(setup) * sizeof(uint16_t));
	bpf_map__set_max_entries(skel->maps.guard_sources, TEST_SOURCES);
	bpf_map__set_max_entries(skel->maps.hints, TEST_HINTS);
	bpf_map__set_max_entries(skel->maps.tracked_calls, TEST_CALLS);
	bpf_map__set_max_entries(skel->maps.transactions, TEST_CALLS);
	bpf_map__set_max_entries(skel->maps.counted_calls, TEST_CALLS);
	bpf_map__set_max_entries(skel->maps.backend_loads, backends + 1);
	bpf_map__set_max_entries(skel->maps.backends, backends + 1);
	bpf_map__set_max_entries(skel->maps.backend_records, backends + 1);
	bpf_map__set_max_entries(skel->maps.backend_traffic, backends + 1);
	bpf_map__set_max_entries(skel->maps.backend_surges, backends + 1);
	bpf_map__set_max_entries(skel->maps.backend_return, backends + 1);
	bpf_map__set_max_entries(skel->maps.passive_rules, backends + 1);
	bpf_map__set_max_entries(skel->maps.passive_states, backends + 1);
	bpf_map__set_max_entries(skel->maps.backend_setup_times, backends + 1);
	bpf_map__set_max_entries(skel->maps.unanswered_calls, backends + 1);
	bpf_map__set_max_entries(skel->maps.setups, TEST_CALLS);
	set_ring_sizes(skel);
	shared_load(skel->obj);
	balancer_fill(skel, setup);
	return skel;
}

void balancer_unload(struct balancer_bpf *skel)
{
	shared_release(skel->obj);
	balancer_bpf__destroy(skel);
}

uint32_t balancer_run(struct balancer_bpf *skel, struct frame *frame)
{
	int result = run_frame(shared_program(skel->obj), frame, &(struct run_options){});

	run_must(result < 0, "BPF_PROG_TEST_RUN");
	return result;
}

uint64_t balancer_verdict(struct balancer_bpf *skel, enum verdict verdict)
{
	uint64_t sums[VERDICT_COUNT];

	run_counters(bpf_map__fd(skel->maps.verdicts), 0, sums, VERDICT_COUNT);
	return sums[verdict];
}

struct traffic balancer_traffic(struct balancer_bpf *skel, uint32_t id)
{
	uint64_t sums[2];

	run_counters(bpf_map__fd(skel->maps.backend_traffic), id, sums, 2);
	return (struct traffic){.packets = sums[0], .bytes = sums[1]};
}

void balancer_count(struct balancer_bpf *skel, uint32_t backends, struct balancer_counts *counts)
{
	uint64_t sums[BACKEND_COUNTER_COUNT], *service;

	run_counters(bpf_map__fd(skel->maps.verdicts), 0, counts->verdicts, VERDICT_COUNT);
	for (uint32_t id = 0; id < SERVICE_COUNT; id++) {
		service = counts->service_messages[id];
		run_counters(bpf_map__fd(skel->maps.service_traffic), id, service, SERVICE_COUNTER_COUNT);
		counts->service[id] = (struct traffic){.packets = service[0], .bytes = service[1]};
	}
	memset(counts->backend_messages, 0, sizeof(counts->backend_messages));
	for (uint32_t id = 0; id <= backends; id++) {
		run_counters(bpf_map__fd(skel->maps.backend_traffic), id, sums, BACKEND_COUNTER_COUNT);
		for (int i = 0; i < BACKEND_COUNTER_COUNT; i++)
			counts->backend_messages[i] += sums[i];
	}
	counts->total = (struct traffic){counts->backend_messages[0], counts->backend_messages[1]};
}

const char *balancer_verdict_name(enum verdict verdict)
{
#define NAME(name, action, normal, text) [VERDICT_##name] = #name,
	static const char *const names[] = {BALANCER_VERDICTS(NAME)};
#undef NAME

	return verdict < VERDICT_COUNT ? names[verdict] : "none";
}

bool balancer_forwards(enum verdict verdict)
{
#define FORWARDS(name, action, normal, text) [VERDICT_##name] = ACTION_##action == ACTION_forwarded,
	static const bool forwards[] = {BALANCER_VERDICTS(FORWARDS)};
#undef FORWARDS

	return verdict < VERDICT_COUNT && forwards[verdict];
}
