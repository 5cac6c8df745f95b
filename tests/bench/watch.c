// SPDX-License-Identifier: GPL-2.0
/* Watches the map pools for changes: prints a line "REALTIME MONOTONIC TABLE MIGRATING" (clocks in seconds) for the
 * current entry of pool 0, and for each change of it.
 *
 * usage: watch [MAP] */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "bpf/abi.h"

#define POLL_USEC 100

static void print(const struct pool *pool)
{
	struct timespec now, since_boot;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_MONOTONIC, &since_boot);
	printf("%lld.%06ld %lld.%06ld %u %u\n", (long long)now.tv_sec, now.tv_nsec / 1000, (long long)since_boot.tv_sec,
		since_boot.tv_nsec / 1000, pool->table, pool->migrating);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : PIN_DIR "/pools";
	struct pool before = {.table = -1}, pool;
	int map = bpf_obj_get(path);

	while (map >= 0 && !bpf_map_lookup_elem(map, &(__u32){0}, &pool)) {
		if (memcmp(&pool, &before, sizeof(pool)) != 0)
			print(&pool);
		before = pool;
		usleep(POLL_USEC);
	}
	fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
	return 1;
}
