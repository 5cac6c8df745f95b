// SPDX-License-Identifier: GPL-2.0
/* Measures the steps of the control plane: building the table of a pool, changing one backend, publishing the table
 * to the kernel. Also measures the memory of the maps. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include "core/table/table.h"
#include "measure.h"
#include "subject.h"

#define ROUNDS 11

static const char usage[] = "usage: control [--json] [BUILD]      BUILD: where the programs are (default: build)\n";

static const uint32_t sizes[] = {10, 100, 1000, 10000};
static const uint64_t hash_key[2] = {0x5d1f0a3c77e90b42, 0x8d02c6f1199ab3e4};

struct farm {
	struct table_member members[10000];
	char names[10000][NAME_SIZE];
};

static void fill_farm(struct farm *farm)
{
	for (int i = 0; i < 10000; i++) {
		snprintf(farm->names[i], NAME_SIZE, "px%d", i);
		farm->members[i] = (struct table_member){.name = farm->names[i], .id = 1 + i, .weight = 1};
	}
}

struct times {
	uint32_t backends;
	struct samples build, leave, come, weight, publish;
};

/* ms of processor time since `start`. */
static double since(uint64_t start)
{
	return (measure_cpu_ns() - start) / 1e6;
}

static int change(struct samples *samples, struct table *table, const struct table_member *members, size_t count)
{
	uint64_t start = measure_cpu_ns();
	int error = table_set_members(table, members, count);

	samples_add(samples, since(start));
	return error;
}

/* Writes the inactive table, then its index: the two writes of each change. */
static int publish(struct samples *samples, const struct subject *subject, const struct table *table, uint32_t number)
{
	int tables = bpf_object__find_map_fd_by_name(subject->object, "tables");
	int pools = bpf_object__find_map_fd_by_name(subject->object, "pools");
	struct pool pool = {.table = number};
	uint64_t start = measure_cpu_ns();

	if (bpf_map_update_elem(tables, &number, table_slots(table), BPF_ANY) ||
		bpf_map_update_elem(pools, &(uint32_t){0}, &pool, BPF_ANY))
		return -1;
	samples_add(samples, since(start));
	return 0;
}

static int one_round(struct times *times, struct farm *farm, const struct subject *subject)
{
	struct table *table = table_new(DEFAULT_SLOTS, hash_key);
	uint32_t count = times->backends;
	int error = change(&times->build, table, farm->members, count);

	if (!error)
		error = change(&times->leave, table, farm->members, count - 1);
	if (!error)
		error = change(&times->come, table, farm->members, count);
	farm->members[count / 2].weight = 2;
	if (!error)
		error = change(&times->weight, table, farm->members, count);
	farm->members[count / 2].weight = 1;
	for (uint32_t i = 0; i < 4 && !error; i++)
		error = publish(&times->publish, subject, table, i & 1);
	table_free(table);
	return error;
}

static double middle(struct samples *samples)
{
	return samples_quantile(samples, 0.5);
}

static void print(struct times *times, const struct subject *subject)
{
	struct times *thousand = &times[2];
	double total = middle(&thousand->leave) + middle(&thousand->publish);

	printf("ms of processor time, %d slots\n  %-10s %10s %10s %10s %10s %10s\n", DEFAULT_SLOTS, "backends", "build",
		"one leaves", "it returns", "weight x 2", "publish");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		printf("  %-10u %10.2f %10.2f %10.2f %10.2f %10.3f\n", times[i].backends, middle(&times[i].build),
			middle(&times[i].leave), middle(&times[i].come), middle(&times[i].weight),
			middle(&times[i].publish));
	printf("  all maps with the default limits: %.1f MiB\n", subject_memory(subject) / 1048576.0);
	printf("  %-6s one of 1,000 backends changed and published: %.2f ms, at most 5\n",
		total <= 5 ? "met" : "MISSED", total);
}

static void print_json(struct times *times, const struct subject *subject)
{
	printf("{\"slots\": %d, \"map_bytes\": %llu, \"tables\": [", DEFAULT_SLOTS,
		(unsigned long long)subject_memory(subject));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		printf("%s\n  {\"backends\": %u, \"build_ms\": %.3f, \"leave_ms\": %.3f, \"return_ms\": %.3f, "
		       "\"weight_ms\": %.3f, \"publish_ms\": %.4f}",
			i ? "," : "", times[i].backends, middle(&times[i].build), middle(&times[i].leave),
			middle(&times[i].come), middle(&times[i].weight), middle(&times[i].publish));
	printf("\n]}\n");
}

int main(int argc, char **argv)
{
	static struct times times[sizeof(sizes) / sizeof(*sizes)];
	static struct farm farm;
	bool json = argc > 1 && !strcmp(argv[1], "--json");
	const char *build = argc > 1 + json ? argv[1 + json] : "build";
	struct subject_setup setup = {.object = "bpf/balancer",
		.program = "balancer",
		.backends = DEFAULT_BACKENDS - 1,
		.pools = DEFAULT_POOLS};
	struct subject subject;

	if (*build == '-' || argc > 2 + json) {
		fputs(usage, strcmp(build, "--help") ? stderr : stdout);
		return strcmp(build, "--help") ? 2 : 0;
	}
	fill_farm(&farm);
	if (subject_load(&subject, &setup, build))
		return 1;
	if (measure_pin(1))
		measure_pin(0);
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			times[i].backends = sizes[i];
			if (one_round(&times[i], &farm, &subject)) {
				fprintf(stderr, "%u backends: cannot build or publish a table\n", sizes[i]);
				return 1;
			}
		}
	}
	if (json)
		print_json(times, &subject);
	else
		print(times, &subject);
	subject_unload(&subject);
	return 0;
}
