// SPDX-License-Identifier: GPL-2.0
/* The maps of counted calls: reads and deletes calls, changes their numbers, and writes how pools choose the backends
 * of new calls. Only the kernel adds entries to `counted_calls`. See maps.h. */

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "bpf/guard_source.h"
#include "clock.h"
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
static int next_calls(
	const struct maps *maps, enum map map, uint64_t *cursor, struct tracked_key *keys, struct tracked_call *calls)
{
	uint32_t from = *cursor, next = 0, count = COUNTED_BATCH;
	int error = bpf_map_lookup_batch(maps->fd[map], *cursor ? &from : NULL, &next, keys, calls, &count, NULL);

	*cursor = error ? 0 : next;
	return error && error != -ENOENT ? error : (int)count;
}

int maps_next_counted_calls(
	const struct maps *maps, uint64_t *cursor, struct tracked_key *keys, struct tracked_call *calls)
{
	return next_calls(maps, MAP_COUNTED_CALLS, cursor, keys, calls);
}

int maps_next_tracked_calls(
	const struct maps *maps, uint64_t *cursor, struct tracked_key *keys, struct tracked_call *calls)
{
	return next_calls(maps, MAP_TRACKED_CALLS, cursor, keys, calls);
}

uint32_t maps_placed(const struct maps *maps, uint32_t pool, uint64_t hash, uint32_t slot)
{
	const struct tracked_key key = {.hash = hash, .pool = pool, .slot = slot};
	struct tracked_call call;

	if (bpf_map_lookup_elem(maps->fd[MAP_COUNTED_CALLS], &key, &call) || !call.placed ||
		call.backend > maps->contract.backends)
		return 0;
	return call.backend;
}

/* The kernel may have updated the entry since it was read. Therefore the decision is repeated with the deleted content,
 * and the call is put back unless it is over, or the kernel has already made a new entry. */
void maps_settle_counted_call(
	const struct maps *maps, const struct tracked_key *key, maps_counted_fate *fate_of, const void *data)
{
	int fd = maps->fd[MAP_COUNTED_CALLS];
	enum counted_fate fate;
	struct tracked_call call;
	bool was_live;

	if (bpf_map_lookup_and_delete_elem(fd, key, &call))
		return;
	was_live = !call.ended;
	fate = fate_of(&call, data);
	if (fate == COUNTED_SILENT)
		call.ended = clock_seconds();
	if (fate != COUNTED_OVER && !bpf_map_update_elem(fd, key, &call, BPF_NOEXIST) && fate == COUNTED_STAYS)
		return;
	if (was_live && call.backend <= maps->contract.backends)
		maps_add_load(maps, call.backend, -!call.placed, -!!call.placed);
}

/* --- ids of backends that now belong to other backends */

static enum counted_fate fate_of_reassigned(const struct tracked_call *call, const void *reassigned)
{
	/* the caller has checked that the id is valid */
	return ((const bool *)reassigned)[call->backend] ? COUNTED_OVER : COUNTED_STAYS;
}

int maps_visit_counted_calls(const struct maps *maps, maps_visit_tracked_call *visit, void *data)
{
	struct tracked_key *keys = allocate(COUNTED_BATCH, sizeof(*keys));
	struct tracked_call *calls = allocate(COUNTED_BATCH, sizeof(*calls));
	uint64_t cursor = 0;
	int count;

	do {
		count = maps_next_counted_calls(maps, &cursor, keys, calls);
		for (int i = 0; i < count; i++)
			visit(&keys[i], &calls[i], data);
	} while (count >= 0 && cursor);
	free(keys);
	free(calls);
	return count < 0 ? count : 0;
}

struct forgetting {
	const struct maps *maps;
	const bool *reassigned;
};

static void forget_call(const struct tracked_key *key, const struct tracked_call *call, void *data)
{
	const struct forgetting *forgetting = data;

	if (call->backend <= forgetting->maps->contract.backends && forgetting->reassigned[call->backend])
		maps_settle_counted_call(forgetting->maps, key, fate_of_reassigned, forgetting->reassigned);
}

/* Removes the ids from the sequences of new calls. The daemon writes new sequences afterwards. */
static int forget_new_calls(const struct maps *maps, const bool *reassigned)
{
	struct new_calls new_calls;
	int error = 0;

	for (uint32_t index = 0; index < 2 * maps->contract.pools && !error; index++) {
		bool any = false;

		error = bpf_map_lookup_elem(maps->fd[MAP_NEW_CALLS], &index, &new_calls);
		for (int i = 0; i < NEW_CALLS && !error; i++)
			if (new_calls.backend[i] <= maps->contract.backends && reassigned[new_calls.backend[i]]) {
				new_calls.backend[i] = 0;
				any = true;
			}
		if (any)
			error = bpf_map_update_elem(maps->fd[MAP_NEW_CALLS], &index, &new_calls, BPF_ANY);
	}
	return error;
}

/* Reading all calls may take long, so this happens only for ids that had a backend before. A silent call has an entry,
 * but does not count in backend_loads. */
int maps_forget_counted(const struct maps *maps, const bool *reassigned)
{
	bool any = false;
	int error;

	for (uint32_t id = 1; id <= maps->contract.backends; id++) {
		any |= reassigned[id];
		if (reassigned[id]) {
			maps_set_full(maps, id, false);
			maps_set_limits(maps, id, 0, 0);
		}
	}
	error = forget_new_calls(maps, reassigned);
	if (!error)
		error = maps_forget_setups(maps, reassigned);
	if (error || !any)
		return error;
	return maps_visit_counted_calls(maps, forget_call, &(struct forgetting){maps, reassigned});
}

/* --- the choice of the backends of new calls */

void maps_set_full(const struct maps *maps, uint32_t backend, bool full)
{
	__atomic_store_n(&maps->loads[backend].full, full, __ATOMIC_RELAXED);
}

#define SECOND UINT64_C(1000000000) /* ns */
#define RATE_WINDOW (SECOND / 4)

void maps_set_limits(const struct maps *maps, uint32_t backend, uint32_t calls, uint32_t rate)
{
	struct surge *surge = &maps->loads[backend].rate;

	__atomic_store_n(&maps->loads[backend].max_calls, calls, __ATOMIC_RELAXED);
	__atomic_store_n(&surge->window, RATE_WINDOW, __ATOMIC_RELAXED);
	__atomic_store_n(&surge->interval, rate ? SECOND / rate : 0, __ATOMIC_RELAXED);
}

bool maps_is_over_rate(const struct maps *maps, uint32_t backend)
{
	const struct surge *surge = &maps->loads[backend].rate;

	return surge->interval && guard_surge_is_over(surge, clock_usec() * 1000);
}

int maps_balance(const struct maps *maps, uint32_t pool, struct balance *out)
{
	return bpf_map_lookup_elem(maps->fd[MAP_BALANCES], &pool, out);
}

int maps_put_balance(const struct maps *maps, uint32_t pool, const struct balance *balance)
{
	return bpf_map_update_elem(maps->fd[MAP_BALANCES], &pool, balance, BPF_ANY);
}

int maps_put_new_calls(
	const struct maps *maps, uint32_t pool, struct balance *balance, const struct new_calls *new_calls)
{
	struct balance next = {.flags = balance->flags, .new_calls = 2 * pool + (balance->new_calls == 2 * pool)};
	int error = bpf_map_update_elem(maps->fd[MAP_NEW_CALLS], &next.new_calls, new_calls, BPF_ANY);

	if (!error)
		error = maps_put_balance(maps, pool, &next);
	if (!error)
		*balance = next;
	return error;
}

int maps_balance_counters(const struct maps *maps, uint32_t pool, struct balance_counters *out)
{
	return maps_sum_counters(maps, MAP_BALANCE_COUNTERS, pool, out, sizeof(*out));
}
