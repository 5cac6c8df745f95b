// SPDX-License-Identifier: GPL-2.0
/* The old maps may have a previous ABI version. Therefore this file finds the members of their structs by name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "bpf/abi_calls.h"
#include "carry.h"
#include "core/base/memory.h"
#include "ctl/maps/clock.h"
#include "ctl/maps/old_map.h"
#include "output.h"

#define AT_ONCE 4096

/* Calls that the first run writes with one system call. Single writes of millions of calls take longer than the daemon
 * waits for the loader (SWITCH_MSEC in ctl/daemon/active_maps.c). */
struct batch {
	struct tracked_key keys[AT_ONCE];
	struct tracked_call calls[AT_ONCE];
	uint32_t count;
};

struct carry {
	bool *pools;     /* [pool_count]: the pool exists; same id in the old and the new maps */
	bool *migrating; /* [pool_count]: these pools, if they migrate and the slots are the same in both maps */
	bool *backends;  /* [backend_count]: the backend exists; same id in the old and the new maps */
	uint32_t pool_count, backend_count;
	uint32_t slots;                              /* of the new maps */
	bool same_slots;                             /* as in the old maps */
	struct old_map calls, transactions, counted; /* fd < 0: the map does not exist, or is not needed */
	int new_calls, new_transactions, new_counted;
	struct batch *batch;
	struct backend_load *loads;       /* [backend_count] of the new maps; NULL: not readable */
	bool empty;                       /* the new maps contain no calls yet */
	uint32_t since;                   /* seconds of CLOCK_MONOTONIC: entries seen earlier have been copied */
	uint32_t copied, failed, present; /* tracked calls of this run; `present`: in the new map after the run */
	uint32_t counted_failed;          /* counted calls of this run that could not be copied */
};

static const struct old_member of_record[] = {
	OLD_MEMBER(backend_record, name),
	OLD_MEMBER(backend_record, pool),
	OLD_MEMBERS_END,
};

static const struct old_member of_call[] = {
	OLD_MEMBER(tracked_call, backend),
	OLD_MEMBER(tracked_call, seen),
	OLD_MEMBER(tracked_call, ended),
	OLD_MEMBER(tracked_call, began),
	OLD_MEMBER(tracked_call, dialogs),
	OLD_MEMBER(tracked_call, kind),
	OLD_MEMBER(tracked_call, hinted),
	OLD_MEMBER(tracked_call, placed),
	OLD_MEMBER(tracked_call, call_id),
	OLD_MEMBERS_END,
};

static const struct old_member of_transaction[] = {
	OLD_MEMBER(transaction, backend),
	OLD_MEMBER(transaction, seen),
	OLD_MEMBERS_END,
};

/* Returns an array that says for each element whether it is in use and equal in both maps. */
static bool *compare(
	const struct pins *pins, const char *name, const struct old_member *members, size_t size, uint32_t *count)
{
	uint32_t before_count, after_count;
	char *before = old_map_array(pins_get(pins, PINS_TOP, name), NULL, members, size, &before_count, NULL);
	char *after = old_map_array(pins_get(pins, PINS_NEXT, name), NULL, members, size, &after_count, NULL);
	bool *same;

	*count = before && after ? (before_count < after_count ? before_count : after_count) : 0;
	same = allocate(*count + 1, sizeof(*same));
	for (uint32_t i = 0; i < *count; i++)
		same[i] = before[i * size + members[0].at] && !memcmp(before + i * size, after + i * size, size);
	free(before);
	free(after);
	return same;
}

static uint32_t slots_of(const struct pins *pins, enum pins_place place)
{
	uint32_t count, slots;
	struct contract *contract =
		old_map_array(pins_get(pins, place, "contract"), NULL, old_contract, sizeof(*contract), &count, NULL);

	slots = contract ? contract->slots : 0;
	free(contract);
	return slots;
}

/* Sets carry->migrating. Returns true if any pool migrates. */
static bool is_any_migrating(const struct pins *pins, struct carry *carry)
{
	uint32_t count;
	struct pool *pools =
		old_map_array(pins_get(pins, PINS_TOP, "pools"), NULL, old_pool, sizeof(*pools), &count, NULL);
	bool any = false;

	carry->migrating = allocate(carry->pool_count + 1, sizeof(*carry->migrating));
	for (uint32_t i = 0; i < carry->pool_count; i++) {
		carry->migrating[i] = carry->pools[i] && pools && i < count && pools[i].migrating;
		any |= carry->migrating[i];
	}
	free(pools);
	return any;
}

static int get_tracked_calls(const struct pins *pins)
{
	int fd = pins_get(pins, PINS_TOP, "tracked_calls");

	return fd == -ENOENT ? pins_get(pins, PINS_TOP, "notes") : fd; /* before ABI 5 */
}

static void open_tracked(const struct pins *pins, struct carry *carry)
{
	carry->new_calls = pins_get(pins, PINS_NEXT, "tracked_calls");
	if (old_map_open(&carry->calls, get_tracked_calls(pins), NULL))
		output_warning("the tracked calls of slots that are migrating cannot be read: some may move");
}

/* Also a pool that does not migrate needs its transactions: with `balance:`, they keep the retransmission of an INVITE
 * at the owner of its slot. */
static void open_transactions(const struct pins *pins, struct carry *carry)
{
	carry->new_transactions = pins_get(pins, PINS_NEXT, "transactions");
	old_map_open(&carry->transactions, pins_get(pins, PINS_TOP, "transactions"), NULL); /* since ABI 4 */
}

static size_t loads_size(const struct carry *carry)
{
	return carry->backend_count * sizeof(*carry->loads);
}

/* Without these numbers, the daemon adds them up with its first reading of the map. */
static void open_loads(const struct pins *pins, struct carry *carry)
{
	int fd = pins_get(pins, PINS_NEXT, "backend_loads");
	void *loads = mmap(NULL, loads_size(carry), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	carry->loads = loads == MAP_FAILED ? NULL : loads;
	if (fd >= 0)
		close(fd);
}

/* Maps before ABI 7 have no counted calls. */
static void open_counted(const struct pins *pins, struct carry *carry)
{
	int fd = pins_get(pins, PINS_TOP, "counted_calls");

	if (fd < 0)
		return;
	carry->new_counted = pins_get(pins, PINS_NEXT, "counted_calls");
	if (carry->new_counted < 0) { /* a loader that was killed has moved it already */
		close(fd);
		return;
	}
	open_loads(pins, carry);
	if (old_map_open(&carry->counted, fd, NULL))
		output_warning("the counted calls cannot be read: calls that `balance` has placed may move");
}

struct carry *carry_begin(const struct pins *pins, bool empty)
{
	struct carry *carry = allocate(1, sizeof(*carry));

	carry->calls.fd = carry->transactions.fd = carry->counted.fd = -1;
	carry->new_calls = carry->new_transactions = carry->new_counted = -1;
	carry->empty = empty;
	carry->batch = allocate(1, sizeof(*carry->batch));
	carry->pools = compare(pins, "pool_names", old_name, sizeof(struct name), &carry->pool_count);
	carry->backends =
		compare(pins, "backend_records", of_record, sizeof(struct backend_record), &carry->backend_count);
	carry->slots = slots_of(pins, PINS_NEXT);
	carry->same_slots = slots_of(pins, PINS_TOP) == carry->slots;
	if (is_any_migrating(pins, carry) && carry->same_slots)
		open_tracked(pins, carry);
	open_transactions(pins, carry);
	open_counted(pins, carry);
	return carry;
}

static void close_map(struct old_map *map, int new)
{
	old_map_close(map);
	if (new >= 0)
		close(new);
}

void carry_end(struct carry *carry)
{
	close_map(&carry->calls, carry->new_calls);
	close_map(&carry->transactions, carry->new_transactions);
	close_map(&carry->counted, carry->new_counted);
	if (carry->loads)
		munmap(carry->loads, loads_size(carry));
	free(carry->batch);
	free(carry->migrating);
	free(carry->pools);
	free(carry->backends);
	free(carry);
}

static bool is_kept(
	const struct carry *carry, const bool *pools, const struct tracked_key *key, uint32_t backend, uint32_t seen)
{
	return key->pool < carry->pool_count && pools[key->pool] && backend < carry->backend_count &&
	       carry->backends[backend] && seen >= carry->since;
}

/* Maps of ABI 3 contain neither the kind nor the dialogs of a call. A call from such a map counts as
 * established until it has been idle for a long time. */
static void complete(struct tracked_call *call)
{
	if (call->kind != CALL_IS_NONE)
		return;
	call->kind = CALL_IS_INVITE;
	call->began = call->seen;
	call->dialogs.overflow = call->ended ? 0 : CALL_MORE_DIALOGS;
}

/* Is the entry in the new map newer? Times have a resolution of a second: of two entries of the same second, the one
 * that has ended is newer. */
static bool is_newer(const struct tracked_call *there, const struct tracked_call *call)
{
	return there->seen > call->seen || (there->seen == call->seen && there->ended && !call->ended);
}

/* Records the result for a call. `before`: the older entry in the new map; NULL: there was none. */
typedef void note_call(
	struct carry *carry, const struct tracked_call *before, const struct tracked_call *call, bool written);

static void note_tracked(
	struct carry *carry, const struct tracked_call *before, const struct tracked_call *call, bool written)
{
	(void)before, (void)call;
	*(written ? &carry->copied : &carry->failed) += 1;
}

/* Adds a live call to the numbers of its backend, or subtracts it. */
static void add_load(const struct carry *carry, const struct tracked_call *call, int32_t calls)
{
	struct backend_load *load;

	if (!carry->loads || call->ended || call->backend >= carry->backend_count)
		return;
	load = &carry->loads[call->backend];
	__atomic_fetch_add(call->placed ? &load->placed : &load->sampled, calls, __ATOMIC_RELAXED);
}

static void note_counted(
	struct carry *carry, const struct tracked_call *before, const struct tracked_call *call, bool written)
{
	if (!written) {
		carry->counted_failed++;
		return;
	}
	if (before)
		add_load(carry, before, -1);
	add_load(carry, call, 1);
}

/* The kernel stops at the first call that does not fit, and `count` is then the number of calls before it. The later
 * calls would not fit either: no entry leaves the new map during the first run. */
static void write_batch(struct carry *carry, int map, note_call *note)
{
	struct batch *batch = carry->batch;
	uint32_t count = batch->count;

	if (count && bpf_map_update_batch(map, batch->keys, batch->calls, &count, NULL) && count == batch->count)
		count = 0; /* an error before the first call leaves `count` unchanged */
	for (uint32_t i = 0; i < batch->count; i++)
		note(carry, NULL, &batch->calls[i], i < count);
	batch->count = 0;
}

/* A map that is no longer empty may already contain a newer entry. The copy does not replace such an entry. */
static void put(
	struct carry *carry, int map, const struct tracked_key *key, const struct tracked_call *call, note_call *note)
{
	struct batch *batch = carry->batch;
	struct tracked_call there;
	bool exists;

	if (carry->empty) {
		batch->keys[batch->count] = *key;
		batch->calls[batch->count++] = *call;
		if (batch->count == AT_ONCE)
			write_batch(carry, map, note);
		return;
	}
	exists = !bpf_map_lookup_elem(map, key, &there);
	if (!exists || !is_newer(&there, call))
		note(carry, exists ? &there : NULL, call, !bpf_map_update_elem(map, key, call, BPF_ANY));
}

static void put_call(struct carry *carry, const struct tracked_key *key, const char *value)
{
	struct tracked_call call = {0};

	old_map_copy(&carry->calls, value, of_call, (char *)&call);
	complete(&call);
	if (is_kept(carry, carry->migrating, key, call.backend, call.seen))
		put(carry, carry->new_calls, key, &call, note_tracked);
}

/* A transaction that cannot be copied does not count as failed: even in normal operation, the map forgets
 * transactions. */
static void put_transaction(struct carry *carry, const struct tracked_key *key, const char *value)
{
	struct tracked_key new_key = {.hash = key->hash, .pool = key->pool, .slot = key->hash & (carry->slots - 1)};
	struct transaction transaction = {0}, newer;

	if (carry->same_slots)
		new_key.slot = key->slot; /* the hash of a TCP connection does not contain its slot */
	old_map_copy(&carry->transactions, value, of_transaction, (char *)&transaction);
	if (is_kept(carry, carry->pools, key, transaction.backend, transaction.seen) &&
		(bpf_map_lookup_elem(carry->new_transactions, &new_key, &newer) || newer.seen <= transaction.seen))
		bpf_map_update_elem(carry->new_transactions, &new_key, &transaction, BPF_ANY);
}

/* The number of slots may differ. */
static void put_counted(struct carry *carry, const struct tracked_key *key, const char *value)
{
	struct tracked_key new_key = {.hash = key->hash, .pool = key->pool, .slot = key->hash & (carry->slots - 1)};
	struct tracked_call call = {0};

	old_map_copy(&carry->counted, value, of_call, (char *)&call);
	if (is_kept(carry, carry->pools, key, call.backend, call.seen))
		put(carry, carry->new_counted, &new_key, &call, note_counted);
}

typedef void visit_entry(struct carry *carry, const struct tracked_key *key, const char *value);

/* Calls `visit` for every entry of a map of tracked calls or transactions. */
static void visit_all(struct carry *carry, int map, size_t value_size, visit_entry *visit)
{
	struct tracked_key *keys = allocate(AT_ONCE, sizeof(*keys));
	char *values = allocate(AT_ONCE, value_size);
	uint32_t batch, *from = NULL;
	int error;

	do {
		uint32_t count = AT_ONCE;

		error = bpf_map_lookup_batch(map, from, &batch, keys, values, &count, NULL);
		if (error && error != -ENOENT) {
			output_warning("cannot read all calls: %s; some may move", output_errno(error));
			break;
		}
		from = &batch;
		for (uint32_t i = 0; i < count; i++)
			visit(carry, &keys[i], values + i * value_size);
	} while (!error);
	free(keys);
	free(values);
}

static void copy(struct carry *carry, const struct old_map *map, visit_entry *put)
{
	if (map->type && map->info.key_size == sizeof(struct tracked_key))
		visit_all(carry, map->fd, map->info.value_size, put);
}

static void count_present(struct carry *carry, const struct tracked_key *key, const char *value)
{
	(void)key, (void)value;
	carry->present++;
}

/* The number of tracked calls that are missing in the new map. A map that is too small forgets calls without an error.
 * After the first run, the new map contains only copied calls, because no packet uses the map yet. */
static uint32_t count_missing(struct carry *carry)
{
	if (!carry->empty || carry->new_calls < 0)
		return carry->failed;
	visit_all(carry, carry->new_calls, sizeof(struct tracked_call), count_present);
	return carry->failed + carry->copied - carry->present;
}

void carry_run(struct carry *carry)
{
	uint32_t now = clock_seconds(), missing;

	carry->copied = carry->failed = carry->present = carry->counted_failed = 0;
	copy(carry, &carry->calls, put_call);
	write_batch(carry, carry->new_calls, note_tracked);
	copy(carry, &carry->transactions, put_transaction);
	copy(carry, &carry->counted, put_counted);
	write_batch(carry, carry->new_counted, note_counted);
	if (carry->counted_failed)
		output_warning("%u counted calls do not fit into the new map: calls that `balance` has placed may move "
			       "(see `limits: counted_calls`)",
			carry->counted_failed);
	missing = count_missing(carry);
	if (missing)
		output_warning("%u of %u tracked calls do not fit into the new map and may move (see `limits: "
			       "tracked_calls`)",
			missing, carry->copied + carry->failed);
	carry->empty = false;
	carry->since = now;
}
