// SPDX-License-Identifier: GPL-2.0
/* Writes placed calls with a dialog into the map counted_calls, dealt out to the backends 1 to BACKENDS, as if the
 * program had placed them. Prints the number of calls that have found room.
 *
 * usage: fill-calls PIN-DIRECTORY COUNT BACKENDS */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include "bpf/abi_calls.h"
#include "ctl/maps/clock.h"

#define BATCH 4096

static struct tracked_key keys[BATCH];
static struct tracked_call calls[BATCH];

static int open_pin(const char *directory, const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = bpf_obj_get(path);
	if (fd < 0) {
		fprintf(stderr, "fill-calls: cannot open %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return fd;
}

/* A different hash for each number (splitmix64). */
static uint64_t hash_of(uint64_t number)
{
	uint64_t x = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static void make(uint32_t at, uint64_t number, uint32_t slots, uint32_t backends)
{
	uint64_t hash = hash_of(number);
	uint32_t now = clock_seconds();

	keys[at] = (struct tracked_key){.hash = hash, .slot = hash & (slots - 1)};
	calls[at] = (struct tracked_call){.backend = 1 + number % backends,
		.seen = now,
		.began = now,
		.dialogs.known[0] = 1,
		.kind = CALL_IS_INVITE,
		.placed = 1};
}

int main(int argc, char **argv)
{
	uint64_t count = argc == 4 ? strtoull(argv[2], NULL, 10) : 0, written = 0;
	uint32_t backends = argc == 4 ? atoi(argv[3]) : 0, size;
	struct contract contract;
	int map;

	if (!count || !backends) {
		fputs("usage: fill-calls PIN-DIRECTORY COUNT BACKENDS\n", stderr);
		return 2;
	}
	map = open_pin(argv[1], "counted_calls");
	if (bpf_map_lookup_elem(open_pin(argv[1], "contract"), &(uint32_t){0}, &contract)) {
		fprintf(stderr, "fill-calls: cannot read the contract: %s\n", strerror(errno));
		return 1;
	}
	do {
		size = count - written < BATCH ? count - written : BATCH;
		for (uint32_t i = 0; i < size; i++)
			make(i, written + i, contract.slots, backends);
		if (bpf_map_update_batch(map, keys, calls, &size, NULL) && errno != E2BIG) {
			fprintf(stderr, "fill-calls: cannot write: %s\n", strerror(errno));
			return 1;
		}
		written += size;
	} while (written < count && size == BATCH);
	printf("%llu\n", (unsigned long long)written);
	return 0;
}
