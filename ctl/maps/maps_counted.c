// SPDX-License-Identifier: GPL-2.0
/* The maps `counted_calls` and `backend_loads`: reads the calls, deletes those that are over, and keeps the numbers
 * of calls of each backend right. Only the kernel adds entries. See maps.h. */

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "core/base/memory.h"
#include "maps_private.h"

/* --- backend_loads */

static size_t loads_size(const struct maps *maps)
{
	size_t page = sysconf(_SC_PAGESIZE), size = (maps->contract.backends + 1) * sizeof(*maps->loads);

	return (size + page - 1) / page * page;
}

int maps_open_loads(struct maps *maps)
{
	void *loads = mmap(NULL, loads_size(maps), PROT_READ | PROT_WRITE, MAP_SHARED, maps->fd[MAP_BACKEND_LOADS], 0);

	if (loads == MAP_FAILED)
		return -errno;
	maps->loads = loads;
	return 0;
}

void maps_close_loads(struct maps *maps)
{
	if (maps->loads)
		munmap(maps->loads, loads_size(maps));
}

/* A correction and an update by the kernel at the same time may leave a number below zero for a moment. */
static uint32_t read_number(const __u32 *number)
{
	int32_t value = __atomic_load_n(number, __ATOMIC_RELAXED);

	return value > 0 ? value : 0;
}

struct maps_load maps_load(const struct maps *maps, uint32_t backend)
{
	const struct backend_load *load = &maps->loads[backend];

	return (struct maps_load){read_number(&load->sampled), read_number(&load->placed)};
}

void maps_add_load(const struct maps *maps, uint32_t backend, int32_t sampled, int32_t placed)
{
	struct backend_load *load = &maps->loads[backend];

	__atomic_fetch_add(&load->sampled, sampled, __ATOMIC_RELAXED);
	__atomic_fetch_add(&load->placed, placed, __ATOMIC_RELAXED);
}

/* --- counted_calls */

/* The position of a batch in a hash map is the number of a bucket, above 0 after the first part. */
int maps_next_counted_calls(
	const struct maps *maps, uint64_t *cursor, struct tracked_key *keys, struct tracked_call *calls)
{
	uint32_t from = *cursor, next = 0, count = COUNTED_BATCH;
	int error = bpf_map_lookup_batch(
		maps->fd[MAP_COUNTED_CALLS], *cursor ? &from : NULL, &next, keys, calls, &count, NULL);

	*cursor = error ? 0 : next;
	return error && error != -ENOENT ? error : (int)count;
}

/* The kernel may have updated the entry since it was read. Therefore the decision is repeated with the deleted content,
 * and a call that is live again is put back, unless the kernel has already made a new entry. */
void maps_delete_counted_call(
	const struct maps *maps, const struct tracked_key *key, maps_is_over *is_over, const void *data)
{
	int fd = maps->fd[MAP_COUNTED_CALLS];
	struct tracked_call call;

	if (bpf_map_lookup_and_delete_elem(fd, key, &call))
		return;
	if (!is_over(&call, data) && !bpf_map_update_elem(fd, key, &call, BPF_NOEXIST))
		return;
	if (!call.ended && call.backend <= maps->contract.backends)
		maps_add_load(maps, call.backend, -!call.placed, -!!call.placed);
}

/* --- ids of backends that now belong to other backends */

static bool is_reassigned(const struct tracked_call *call, const void *reassigned)
{
	return ((const bool *)reassigned)[call->backend]; /* the caller has checked that the id is valid */
}

static int forget_calls(const struct maps *maps, const bool *reassigned)
{
	struct tracked_key *keys = allocate(COUNTED_BATCH, sizeof(*keys));
	struct tracked_call *calls = allocate(COUNTED_BATCH, sizeof(*calls));
	uint64_t cursor = 0;
	int count;

	do {
		count = maps_next_counted_calls(maps, &cursor, keys, calls);
		for (int i = 0; i < count; i++)
			if (calls[i].backend <= maps->contract.backends && reassigned[calls[i].backend])
				maps_delete_counted_call(maps, &keys[i], is_reassigned, reassigned);
	} while (count >= 0 && cursor);
	free(keys);
	free(calls);
	return count < 0 ? count : 0;
}

/* Reading all calls may take long, so this happens only if a call may have one of the ids. */
int maps_forget_counted(const struct maps *maps, const bool *reassigned)
{
	bool any = false;

	for (uint32_t id = 1; id <= maps->contract.backends; id++)
		any |= reassigned[id] && (maps_load(maps, id).sampled || maps_load(maps, id).placed);
	return any ? forget_calls(maps, reassigned) : 0;
}

int maps_balance_counters(const struct maps *maps, uint32_t pool, struct balance_counters *out)
{
	return maps_sum_counters(maps, MAP_BALANCE_COUNTERS, pool, out, sizeof(*out));
}
