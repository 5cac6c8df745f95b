// SPDX-License-Identifier: GPL-2.0
/* See call_balance.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "call_balance.h"
#include "core/base/memory.h"
#include "core/farm/call_estimate.h"
#include "core/farm/farm_balance.h"
#include "core/farm/owners.h"
#include "ctl/daemon/join/join_listener.h"
#include "ctl/maps/clock.h"
#include "log.h"

#define BUSY_USEC 100000  /* while a pool has `balance` */
#define IDLE_USEC 1000000 /* otherwise */
#define WARNING_SECONDS 60

/* How long the program remembers a transaction, in seconds: 8 s, and a part of a second at both ends. */
#define PREPARATION_SECONDS 9

/* The state of a pool, by its id. */
struct pool_balance {
	bool is_known; /* `written` is the content of the map */
	struct balance written;
	struct balance_decision decision; /* the sequence in the maps */
	struct balance_rules rules;       /* the input of the decision, */
	struct balance_member *members;   /* and the rest of it */
	size_t count;
	struct balance_counters counters;
	uint32_t overload_time, untabled_time; /* when the counter last increased, seconds of CLOCK_MONOTONIC */
};

struct call_balance {
	sd_event_source *timer;
	bool queued;
	uint32_t maps; /* id of the maps to which all this belongs */
	uint32_t pool_count, limit;
	struct pool_balance *pools;
	uint8_t *full;       /* by backend id: flags of enum balance_full */
	uint32_t *over_time; /* by backend id: when it was last over its max_rate, as clock_seconds(); 0: never */
	int error;           /* the last error that was logged; 0: none */
};

static void forget(struct call_balance *balance)
{
	for (uint32_t i = 0; i < balance->pool_count; i++)
		free(balance->pools[i].members);
	free(balance->pools);
	free(balance->full);
	free(balance->over_time);
	balance->pools = NULL;
	balance->full = NULL;
	balance->over_time = NULL;
	balance->pool_count = 0;
}

static void follow_maps(struct call_balance *balance, const struct maps *maps)
{
	const struct contract *contract = maps_contract(maps);

	if (balance->maps == maps_id(maps))
		return;
	forget(balance);
	balance->maps = maps_id(maps);
	balance->pool_count = contract->pools;
	balance->limit = contract->backends;
	balance->pools = allocate(contract->pools, sizeof(*balance->pools));
	balance->full = allocate(contract->backends + 1, sizeof(*balance->full));
	balance->over_time = allocate(contract->backends + 1, sizeof(*balance->over_time));
}

/* --- one pool */

/* Is the backend in the maps already? Its id may still belong to a different backend there. */
static bool is_in_maps(const struct image *running, const struct farm_backend *backend)
{
	const struct backend_record *record = &running->records[backend->id];

	return running->backends[backend->id].alive && !strcmp(record->name, backend->record.name) &&
	       !strcmp(record->pool, backend->record.pool);
}

int call_balance_load(const struct daemon *daemon, const struct farm_backend *backend)
{
	const struct backend_record *record = &backend->record;
	int heartbeat = join_listener_load(daemon->join_listener, backend);
	int probe = probes_load(daemon->probes, record->pool, record->name, &record->address);

	return heartbeat > probe ? heartbeat : probe;
}

static struct balance_member member_of(const struct call_balance *balance, const struct daemon *daemon,
	const struct farm_pool *pool, const struct farm_backend *backend)
{
	const struct maps_load load = maps_load(daemon->maps, backend->id);
	const struct config_backend *config = farm_backend_config(pool, backend);
	int reported = pool->config->load_limit ? call_balance_load(daemon, backend) : -1;

	return (struct balance_member){
		.id = backend->id,
		.weight = farm_backend_weight(backend),
		.calls = call_estimate(load.sampled, load.placed, true).calls,
		.max_calls = config_backend_max_calls(pool->config, config),
		.load = reported > 0 ? reported : 0,
		.full = balance->full[backend->id],
		.over_rate = maps_is_over_rate(daemon->maps, backend->id),
	};
}

/* The members of the table, in the order of their ids. */
static struct balance_member *collect(
	const struct call_balance *balance, const struct daemon *daemon, const struct farm_pool *pool, size_t *count)
{
	const struct farm_backend **list = allocate(pool->count, sizeof(const struct farm_backend *));
	struct balance_member *members = allocate(pool->count, sizeof(*members));
	size_t found = owners_members(pool, list);

	*count = 0;
	for (size_t i = 0; i < found; i++)
		if (is_in_maps(daemon->running, list[i]))
			members[(*count)++] = member_of(balance, daemon, pool, list[i]);
	free(list);
	return members;
}

static uint32_t flags_of(const struct farm_pool *pool, const struct balance_decision *decision)
{
	const struct config_pool *config = pool->config;
	uint32_t flags = config->refuse_overload ? BALANCE_REFUSES : 0;
	bool spills = decision->spills || config->load_limit || farm_limits_rate(pool);

	if (config->balance == BALANCE_LEAST_CALLS || config->balance == BALANCE_ROUND_ROBIN)
		return flags | BALANCE_BY_TURN;
	if (farm_limits_calls(pool))
		return flags | BALANCE_MAY_SPILL | BALANCE_COUNTS;
	return flags | (spills ? BALANCE_MAY_SPILL : 0);
}

static int write_balance(const struct maps *maps, uint32_t id, struct pool_balance *state, uint32_t flags,
	const struct balance_decision *decision)
{
	bool changed = memcmp(&state->decision.new_calls, &decision->new_calls, sizeof(decision->new_calls));
	struct balance next = {.flags = flags, .new_calls = state->written.new_calls};
	int error = 0;

	if (changed || !state->is_known)
		error = maps_put_new_calls(maps, id, &next, &decision->new_calls);
	else if (flags != state->written.flags)
		error = maps_put_balance(maps, id, &next);
	if (error)
		return error;
	state->written = next;
	state->decision = *decision;
	state->is_known = true;
	return 0;
}

/* Sets the limits of all backends: those that are no members may still receive new calls by the table. */
static void update_limits(struct call_balance *balance, const struct daemon *daemon, const struct farm_pool *pool)
{
	for (size_t i = 0; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];
		const struct config_backend *config;

		if (!is_in_maps(daemon->running, backend))
			continue;
		config = farm_backend_config(pool, backend);
		maps_set_limits(daemon->maps, backend->id, config_backend_max_calls(pool->config, config),
			config_backend_max_rate(pool->config, config));
		if (maps_is_over_rate(daemon->maps, backend->id))
			balance->over_time[backend->id] = clock_seconds();
	}
}

/* Sets `full` of each member. All other backends of the pool accept what the table gives them. */
static void write_full(struct call_balance *balance, const struct daemon *daemon, const struct farm_pool *pool,
	const struct balance_member *members, size_t count)
{
	for (size_t i = 0; i < pool->count; i++)
		balance->full[pool->backends[i].id] = 0;
	for (size_t i = 0; i < count; i++)
		balance->full[members[i].id] = members[i].full;
	for (size_t i = 0; i < pool->count; i++)
		if (is_in_maps(daemon->running, &pool->backends[i]))
			maps_set_full(daemon->maps, pool->backends[i].id, balance->full[pool->backends[i].id] != 0);
}

/* A reload may change the rules while no member changes. */
static bool is_unchanged(const struct pool_balance *state, const struct balance_rules *rules,
	const struct balance_member *members, size_t count)
{
	return state->is_known && rules->balance == state->rules.balance && rules->bound == state->rules.bound &&
	       rules->load_limit == state->rules.load_limit && count == state->count &&
	       (!count || !memcmp(members, state->members, count * sizeof(*members)));
}

static int update_balanced(struct call_balance *balance, const struct daemon *daemon, const struct farm_pool *pool,
	struct pool_balance *state)
{
	const struct balance_rules rules = {
		.balance = pool->config->balance, .bound = pool->config->bound, .load_limit = pool->config->load_limit};
	struct balance_decision decision = state->decision;
	size_t count;
	struct balance_member *members = collect(balance, daemon, pool, &count);
	int error;

	if (!is_unchanged(state, &rules, members, count)) {
		state->rules = rules;
		free(state->members);
		state->members = allocate(count, sizeof(*members));
		memcpy(state->members, members, count * sizeof(*members));
		state->count = count;
		balance_decide(members, count, &rules, &decision);
		write_full(balance, daemon, pool, members, count);
	}
	error = write_balance(daemon->maps, pool->id, state, flags_of(pool, &decision), &decision);
	free(members);
	return error;
}

/* The owners of the slots receive all new calls. */
static int update_hash(struct call_balance *balance, const struct daemon *daemon, const struct farm_pool *pool,
	struct pool_balance *state)
{
	struct balance none = {.new_calls = state->written.new_calls};
	int error = 0;

	if (state->written.flags) {
		error = maps_put_balance(daemon->maps, pool->id, &none);
		write_full(balance, daemon, pool, NULL, 0);
		update_limits(balance, daemon, pool);
	}
	if (!error)
		state->written = none;
	state->is_known = false;
	return error;
}

/* When a pool begins to place calls, the program at first only remembers the transactions of new calls. Otherwise it
 * would treat the retransmission of an earlier INVITE as a new call. */
static int prepare(const struct maps *maps, const struct farm_pool *pool, struct pool_balance *state)
{
	static const struct new_calls none;
	struct balance next = {.flags = BALANCE_MAY_SPILL | BALANCE_PREPARES, .new_calls = state->written.new_calls};

	state->is_known = false;
	return state->written.flags ? 0 : maps_put_new_calls(maps, pool->id, &next, &none);
}

/* A pool that places some calls already remembers transactions, and needs no preparation. */
static bool is_in_preparation(
	const struct daemon *daemon, const struct farm_pool *pool, const struct pool_balance *state)
{
	uint32_t since = daemon->running->pools[pool->id].balanced_since;

	return since && clock_seconds() < since + PREPARATION_SECONDS &&
	       (!state->written.flags || state->written.flags & BALANCE_PREPARES);
}

static void count_calls(const struct maps *maps, uint32_t id, struct pool_balance *state)
{
	struct balance_counters counters;

	if (maps_balance_counters(maps, id, &counters))
		return;
	if (counters.overload > state->counters.overload)
		state->overload_time = clock_seconds();
	if (counters.untabled > state->counters.untabled)
		state->untabled_time = clock_seconds();
	state->counters = counters;
}

static int update_pool(struct call_balance *balance, const struct daemon *daemon, const struct farm_pool *pool)
{
	struct pool_balance *state = &balance->pools[pool->id];

	if (!state->is_known && maps_balance(daemon->maps, pool->id, &state->written))
		return -EIO;
	if (!farm_places_calls(pool))
		return update_hash(balance, daemon, pool, state);
	if (is_in_preparation(daemon, pool, state))
		return prepare(daemon->maps, pool, state);
	count_calls(daemon->maps, pool->id, state);
	update_limits(balance, daemon, pool);
	return update_balanced(balance, daemon, pool, state);
}

/* --- all pools */

static bool is_needed(const struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->farm->config->pool_count; i++)
		if (farm_places_calls(&daemon->farm->pools[i]))
			return true;
	return false;
}

int call_balance_update(struct call_balance *balance, struct daemon *daemon)
{
	int error = 0;

	follow_maps(balance, daemon->maps);
	for (size_t i = 0; i < daemon->farm->config->pool_count && !error; i++) {
		if (daemon->running->pool_names[daemon->farm->pools[i].id].name[0])
			error = update_pool(balance, daemon, &daemon->farm->pools[i]);
		worker_yield(daemon->worker);
	}
	if (error && error != balance->error)
		log_error("cannot write which backends receive new calls: %s", strerror(-error));
	balance->error = error;
	return error;
}

void call_balance_invalidate(struct call_balance *balance)
{
	for (uint32_t i = 0; i < balance->pool_count; i++)
		balance->pools[i].is_known = false;
}

static void update_job(void *data)
{
	struct daemon *daemon = data;

	daemon->call_balance->queued = false;
	call_balance_update(daemon->call_balance, daemon);
}

static int on_timer(sd_event_source *source, uint64_t now, void *data)
{
	struct daemon *daemon = data;

	(void)now;
	if (is_needed(daemon) && !daemon->call_balance->queued) {
		daemon->call_balance->queued = true;
		worker_add_urgent(daemon->worker, update_job, NULL, daemon);
	}
	sd_event_source_set_time_relative(source, is_needed(daemon) ? BUSY_USEC : IDLE_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int call_balance_new(struct call_balance **out, struct daemon *daemon)
{
	*out = allocate(1, sizeof(**out));
	return sd_event_add_time_relative(
		daemon->event, &(*out)->timer, CLOCK_MONOTONIC, BUSY_USEC, 0, on_timer, daemon);
}

void call_balance_free(struct call_balance *balance)
{
	if (!balance)
		return;
	sd_event_source_disable_unref(balance->timer);
	forget(balance);
	free(balance);
}

/* --- for operators */

static bool is_over_rate(const struct call_balance *balance, uint16_t id)
{
	return balance->over_time && id <= balance->limit && balance->over_time[id] &&
	       clock_seconds() - balance->over_time[id] <= 1;
}

const char *call_balance_reason(const struct daemon *daemon, const struct farm_pool *pool,
	const struct farm_backend *backend, char text[CALL_BALANCE_TEXT_SIZE])
{
	const struct call_balance *balance = daemon->call_balance;
	uint8_t full = balance->full && backend->id <= balance->limit ? balance->full[backend->id] : 0;

	*text = '\0';
	if (full & FULL_MAX_CALLS)
		snprintf(text, CALL_BALANCE_TEXT_SIZE, "full (max_calls %u)",
			config_backend_max_calls(pool->config, farm_backend_config(pool, backend)));
	else if (full & FULL_LOAD)
		snprintf(text, CALL_BALANCE_TEXT_SIZE, "full (load %d, load_limit %u)",
			call_balance_load(daemon, backend), pool->config->load_limit);
	else if (full & FULL_BOUND)
		snprintf(text, CALL_BALANCE_TEXT_SIZE, "full (bound %u)", pool->config->bound);
	else if (is_over_rate(balance, backend->id))
		snprintf(text, CALL_BALANCE_TEXT_SIZE, "full (max_rate %u)",
			config_backend_max_rate(pool->config, farm_backend_config(pool, backend)));
	return text;
}

static bool is_recent(uint32_t time)
{
	return time && clock_seconds() - time < WARNING_SECONDS;
}

void call_balance_warnings(const struct daemon *daemon, void (*warn)(void *data, const char *text), void *data)
{
	const struct call_balance *balance = daemon->call_balance;
	char text[256];

	for (size_t i = 0; i < daemon->farm->config->pool_count && balance->pools; i++) {
		const struct farm_pool *pool = &daemon->farm->pools[i];
		const struct pool_balance *state = &balance->pools[pool->id];

		if (is_recent(state->overload_time)) {
			snprintf(text, sizeof(text), "pool %s: all backends are full: new calls are %s (overload)",
				pool->config->name,
				pool->config->refuse_overload ? "refused with 503" : "distributed by the hash");
			warn(data, text);
		}
		if (is_recent(state->untabled_time)) {
			snprintf(text, sizeof(text),
				"pool %s: the map of counted calls is full: new calls are distributed by the hash. "
				"Raise `limits: counted_calls`",
				pool->config->name);
			warn(data, text);
		}
	}
}
