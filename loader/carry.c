// SPDX-License-Identifier: GPL-2.0
/* The old maps may have a previous ABI version. Therefore this file finds the members of their structs by name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "carry.h"
#include "core/base/memory.h"
#include "ctl/maps/old_map.h"
#include "output.h"

#define AT_ONCE 4096

struct carry {
	bool *pools;    /* [pool_count]: the pool is migrating, and has the same id in both */
	bool *backends; /* [backend_count]: the backend exists, and has the same id in both */
	uint32_t pool_count, backend_count;
	struct old_map calls, transactions; /* fd < 0: the map does not exist */
	int new_calls, new_transactions;
	uint32_t since; /* seconds of CLOCK_MONOTONIC: entries seen earlier have been copied */
};

static const struct old_member of_pool[] = {
	OLD_MEMBER_WAS(pool, migrating, "in_motion"),
	OLD_MEMBERS_END,
};

static const struct old_member of_name[] = {
	OLD_MEMBER(name, name),
	OLD_MEMBERS_END,
};

static const struct old_member of_record[] = {
	OLD_MEMBER(backend_record, name),
	OLD_MEMBER(backend_record, pool),
	OLD_MEMBERS_END,
};

static const struct old_member of_contract[] = {
	OLD_MEMBER(contract, slots),
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
	OLD_MEMBER(tracked_call, call_id),
	OLD_MEMBERS_END,
};

static const struct old_member of_transaction[] = {
	OLD_MEMBER(transaction, backend),
	OLD_MEMBER(transaction, seen),
	OLD_MEMBERS_END,
};

static uint32_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void *read_array(const struct pins *pins, enum pins_place place, const char *name,
	const struct old_member *members, size_t size, uint32_t *count)
{
	int error;

	*count = 0;
	return old_map_array(pins_get(pins, place, name), members, size, count, &error);
}

/* Sets for each element whether it is in use and equal in both maps. */
static bool *compare(
	const struct pins *pins, const char *name, const struct old_member *members, size_t size, uint32_t *count)
{
	uint32_t before_count, after_count;
	char *before = read_array(pins, PINS_TOP, name, members, size, &before_count);
	char *after = read_array(pins, PINS_NEXT, name, members, size, &after_count);
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
	struct contract *contract = read_array(pins, place, "contract", of_contract, sizeof(*contract), &count);

	slots = contract ? contract->slots : 0;
	free(contract);
	return slots;
}

/* Restricts carry->pools to the pools that are migrating in the old maps. Returns whether any pool remains. */
static bool is_any_migrating(const struct pins *pins, struct carry *carry)
{
	uint32_t count;
	struct pool *pools = read_array(pins, PINS_TOP, "pools", of_pool, sizeof(*pools), &count);
	bool any = false;

	for (uint32_t i = 0; i < carry->pool_count; i++) {
		carry->pools[i] &= pools && i < count && pools[i].migrating;
		any |= carry->pools[i];
	}
	free(pools);
	return any;
}

static int get_tracked_calls(const struct pins *pins)
{
	int fd = pins_get(pins, PINS_TOP, "tracked_calls");

	return fd == -ENOENT ? pins_get(pins, PINS_TOP, "notes") : fd; /* before ABI 5 */
}

struct carry *carry_begin(const struct pins *pins)
{
	struct carry *carry = allocate(1, sizeof(*carry));

	carry->calls.fd = carry->transactions.fd = carry->new_calls = carry->new_transactions = -1;
	carry->pools = compare(pins, "pool_names", of_name, sizeof(struct name), &carry->pool_count);
	carry->backends =
		compare(pins, "backend_records", of_record, sizeof(struct backend_record), &carry->backend_count);
	if (slots_of(pins, PINS_TOP) == slots_of(pins, PINS_NEXT) && is_any_migrating(pins, carry)) {
		carry->new_calls = pins_get(pins, PINS_NEXT, "tracked_calls");
		carry->new_transactions = pins_get(pins, PINS_NEXT, "transactions");
		if (old_map_open(&carry->calls, get_tracked_calls(pins)))
			output_warning("the tracked calls of slots that are migrating cannot be read: some may move");
		old_map_open(&carry->transactions, pins_get(pins, PINS_TOP, "transactions")); /* since ABI 4 */
		return carry;
	}
	carry_end(carry);
	return NULL;
}

void carry_end(struct carry *carry)
{
	if (!carry)
		return;
	old_map_close(&carry->calls);
	old_map_close(&carry->transactions);
	if (carry->new_calls >= 0)
		close(carry->new_calls);
	if (carry->new_transactions >= 0)
		close(carry->new_transactions);
	free(carry->pools);
	free(carry->backends);
	free(carry);
}

static bool is_kept(const struct carry *carry, const struct tracked_key *key, uint32_t backend, uint32_t seen)
{
	return key->pool < carry->pool_count && carry->pools[key->pool] && backend < carry->backend_count &&
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
	call->dialogs.overflow = !call->ended;
}

/* After the first run, the new maps may already contain a newer entry. Such an entry is kept. */
static void put_call(const struct carry *carry, const struct tracked_key *key, const char *value)
{
	struct tracked_call call = {0}, newer;

	old_map_copy(&carry->calls, value, of_call, (char *)&call);
	complete(&call);
	if (is_kept(carry, key, call.backend, call.seen) &&
		(bpf_map_lookup_elem(carry->new_calls, key, &newer) || newer.seen <= call.seen))
		bpf_map_update_elem(carry->new_calls, key, &call, BPF_ANY);
}

static void put_transaction(const struct carry *carry, const struct tracked_key *key, const char *value)
{
	struct transaction transaction = {0}, newer;

	old_map_copy(&carry->transactions, value, of_transaction, (char *)&transaction);
	if (is_kept(carry, key, transaction.backend, transaction.seen) &&
		(bpf_map_lookup_elem(carry->new_transactions, key, &newer) || newer.seen <= transaction.seen))
		bpf_map_update_elem(carry->new_transactions, key, &transaction, BPF_ANY);
}

typedef void put_entry(const struct carry *carry, const struct tracked_key *key, const char *value);

static void copy(const struct carry *carry, const struct old_map *map, put_entry *put)
{
	struct tracked_key *keys = allocate(AT_ONCE, sizeof(*keys));
	char *values = allocate(AT_ONCE, map->info.value_size);
	uint32_t batch, *from = NULL;
	int error;

	do {
		uint32_t count = AT_ONCE;

		error = bpf_map_lookup_batch(map->fd, from, &batch, keys, values, &count, NULL);
		if (error && error != -ENOENT) {
			output_warning("cannot read all tracked calls: %s; some may move", output_errno(error));
			break;
		}
		from = &batch;
		for (uint32_t i = 0; i < count; i++)
			put(carry, &keys[i], values + i * map->info.value_size);
	} while (!error);
	free(keys);
	free(values);
}

void carry_run(struct carry *carry)
{
	uint32_t now = seconds();

	if (!carry)
		return;
	if (carry->calls.type && carry->calls.info.key_size == sizeof(struct tracked_key))
		copy(carry, &carry->calls, put_call);
	if (carry->transactions.type && carry->transactions.info.key_size == sizeof(struct tracked_key))
		copy(carry, &carry->transactions, put_transaction);
	carry->since = now;
}
