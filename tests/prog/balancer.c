// SPDX-License-Identifier: GPL-2.0
/* See balancer.h. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include "balancer.h"
#include "../../bpf/hash.h"

const uint64_t test_hash_key[2] = {0x5d1f0a3c77e90b42, 0x8d02c6f1199ab3e4};

static void must(int error, const char *what)
{
	if (!error)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	abort();
}

static struct address address_of(const char *text)
{
	struct address address = {.word = {0, 0, htonl(0xffff), 0}};

	if (inet_pton(AF_INET, text, &address.word[3]) != 1)
		must(inet_pton(AF_INET6, text, &address) != 1, text);
	return address;
}

struct backend balancer_backend(const struct balancer_setup *setup, uint32_t id)
{
	struct backend backend = {
		.address = address_of(setup->ipv6_way ? "fd00::" : "10.0.0.0"),
		.source = address_of(setup->ipv6_way ? "fd00::ffff" : "10.0.0.254"),
		.next_hop = {{0x02, 0, 0, 1, id >> 8, id}},
		.interface_mac = {{0x02, 0, 0, 0, 0, 0x01}},
		.ifindex = setup->ifindex ? setup->ifindex : TEST_IFINDEX,
		.mtu = setup->mtu ? setup->mtu : 1500,
		.forward = setup->forward ? setup->forward : FORWARD_DSR,
	};

	backend.address.word[3] = htonl(ntohl(backend.address.word[3]) + id);
	return backend;
}

static void fill_services(struct balancer_bpf *skel)
{
	struct service service = {.hash_key = {test_hash_key[0], test_hash_key[1]}};
	struct service_key key = {.protocol = IPPROTO_UDP, .port = htons(5060)};

	key.vip = address_of("192.0.2.10");
	must(bpf_map_update_elem(bpf_map__fd(skel->maps.services), &key, &service, BPF_ANY), "services");
	key.vip = address_of("2001:db8::10");
	must(bpf_map_update_elem(bpf_map__fd(skel->maps.services), &key, &service, BPF_ANY), "services");
}

static void fill_table(struct balancer_bpf *skel, uint32_t slots, uint32_t backends)
{
	uint16_t *table = calloc(slots, sizeof(*table));
	struct pool pool = {.table = 0};
	uint32_t zero = 0;

	for (uint32_t slot = 0; slot < slots && backends; slot++)
		table[slot] = 1 + slot % backends;
	must(bpf_map_update_elem(bpf_map__fd(skel->maps.tables), &zero, table, BPF_ANY), "tables");
	must(bpf_map_update_elem(bpf_map__fd(skel->maps.pools), &zero, &pool, BPF_ANY), "pools");
	free(table);
}

struct balancer_bpf *balancer_load(const struct balancer_setup *setup)
{
	struct balancer_bpf *skel = balancer_bpf__open();
	uint32_t slots = setup->slots ? setup->slots : 4096;
	uint32_t backends = setup->backends ? setup->backends : 4;

	must(!skel, "open");
	skel->rodata->slot_mask = slots - 1;
	bpf_map__set_value_size(skel->maps.tables, slots * sizeof(uint16_t));
	bpf_map__set_max_entries(skel->maps.backends, backends + 1);
	bpf_map__set_max_entries(skel->maps.backend_traffic, backends + 1);
	must(balancer_bpf__load(skel), "load");
	for (uint32_t id = 1; id <= backends; id++) {
		struct backend backend = balancer_backend(setup, id);

		must(bpf_map_update_elem(bpf_map__fd(skel->maps.backends), &id, &backend, BPF_ANY), "backends");
	}
	fill_table(skel, slots, backends);
	fill_services(skel);
	return skel;
}

uint32_t balancer_run(struct balancer_bpf *skel, struct frame *frame)
{
	struct frame out;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->data, .data_size_in = frame->length,
		.data_out = out.data, .data_size_out = sizeof(out.data));

	must(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.balancer), &opts), "BPF_PROG_TEST_RUN");
	memcpy(frame->data, out.data, opts.data_size_out);
	frame->length = opts.data_size_out;
	return opts.retval;
}

uint64_t balancer_verdict(struct balancer_bpf *skel, enum verdict verdict)
{
	int cpus = libbpf_num_possible_cpus();
	struct verdict_counters counters[cpus];
	uint64_t total = 0;
	uint32_t zero = 0;

	must(bpf_map_lookup_elem(bpf_map__fd(skel->maps.verdicts), &zero, counters), "verdicts");
	for (int cpu = 0; cpu < cpus; cpu++)
		total += ((uint64_t *)&counters[cpu])[verdict];
	return total;
}
