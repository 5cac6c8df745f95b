// SPDX-License-Identifier: GPL-2.0
/* Routes, health and states of the backends of a farm: see farm.h. */

#include <arpa/inet.h>
#include <string.h>
#include "bpf/tunnel.h"
#include "farm.h"

/* Value of record.returned while the backend is not available. When the backend returns, its slow start begins. */
#define AWAY UINT32_MAX

/* --- Setting routes and health */

void farm_set_route(struct farm_backend *backend, const struct route *route)
{
	struct route known = backend->route;

	if (route->state == ROUTE_UNKNOWN)
		return;
	backend->route = *route;
	if (!mac_is_zero(&backend->record.mac)) {
		backend->route.next_hop = backend->record.mac;
		if (route->state == ROUTE_PENDING || (route->state == ROUTE_FAILED && route->ifindex))
			backend->route.state = ROUTE_READY;
	}
	if (!mac_is_zero(&backend->route.next_hop))
		return;
	/* No new result yet: the known MAC address stays in use, also while the pool fails open. */
	known.state = route->state;
	memcpy(known.reason, route->reason, sizeof(known.reason));
	backend->route = known;
}

/* Is the interface listed in the file? It then has our XDP program, because clients' packets arrive on it. */
static bool is_ours(const struct farm *farm, const char *interface)
{
	for (size_t i = 0; i < farm->config->interface_count; i++)
		if (!strcmp(farm->config->interfaces[i], interface))
			return true;
	return false;
}

/* The reason why the backend is unreachable although its next hop is known; NULL if it is reachable. */
static const char *obstacle(const struct farm *farm, const struct farm_backend *backend)
{
	const struct route *route = &backend->route;

	if (backend->forward == FORWARD_DSR && route->gateway)
		return "is behind a router: direct server return needs a common network (forward: ipip or gue)";
	if (route->virtual_link && !is_ours(farm, route->interface))
		return "is reached through a VLAN, bridge or other virtual device, and XDP cannot send to it: use a "
		       "route "
		       "through the physical port";
	return NULL;
}

bool farm_backend_is_lost(const struct farm *farm, const struct farm_backend *backend)
{
	return backend->route.state == ROUTE_FAILED && !mac_is_zero(&backend->route.next_hop) &&
	       !obstacle(farm, backend);
}

/* Has the backend stopped responding, but keeps its slots? The decision is pending, or the group says that it is up. */
static bool is_held(const struct farm_backend *backend)
{
	return !backend->dead && (backend->outage.held || backend->outage.down);
}

static enum backend_state backend_state(
	const struct farm *farm, const struct farm_pool *pool, const struct farm_backend *backend)
{
	const struct route *route = &backend->route;

	if (backend->record.admin == ADMIN_MAINT)
		return STATE_MAINT;
	if ((route->state == ROUTE_FAILED && (!backend->unreachable_since || backend->dead)) || obstacle(farm, backend))
		return STATE_UNREACHABLE;
	if (mac_is_zero(&route->next_hop))
		return STATE_PENDING;
	if (backend->dead && backend->agreed != GROUP_OWN)
		return STATE_DOWN;
	if (backend->silent && !is_held(backend))
		return STATE_DOWN;
	if (pool->config->probe.type != PROBE_NONE && backend->record.health != HEALTH_UP)
		return backend->record.health == HEALTH_DOWN ? STATE_DOWN : STATE_UNKNOWN;
	if (backend->passive_down)
		return STATE_DOWN;
	if (is_held(backend))
		return STATE_SUSPECTED;
	return backend->record.weight ? STATE_UP : STATE_IDLE;
}

void farm_set_health(
	struct farm_backend *backend, enum health health, const struct latency *latency, const char *reason)
{
	backend->record.health = backend->own_health = health;
	backend->record.latency = *latency;
	snprintf(backend->probe_reason, sizeof(backend->probe_reason), "%s", reason);
}

void farm_set_trouble(struct farm_backend *backend, const char *trouble)
{
	snprintf(backend->probe_trouble, sizeof(backend->probe_trouble), "%s", trouble);
}

void farm_set_probed(struct farm_backend *backend, enum health found, const struct evidence *evidence,
	const struct latency *latency, const char *reason)
{
	backend->probe_health = found;
	backend->probed = *evidence;
	backend->record.latency = *latency;
	snprintf(backend->probe_reason, sizeof(backend->probe_reason), "%s", reason);
}

bool farm_assume_usable(struct farm_backend *backend, const struct image *running)
{
	static const struct route there = {.state = ROUTE_READY, .next_hop = {{2, 0, 0, 0, 0, 0}}, .mtu = 1500};
	const struct backend_record *known = &running->records[backend->id], *record = &backend->record;
	bool same_name = !strcmp(known->pool, record->pool) && !strcmp(known->name, record->name);
	bool is_known = same_name &&
			(address_equal(&known->address, &record->address) || running->backends[backend->id].forward);
	bool assumed = false;

	if (is_known || !farm_backend_exists(backend))
		return false;
	if (backend->route.state != ROUTE_FAILED && mac_is_zero(&backend->route.next_hop)) {
		farm_set_route(backend, &there);
		assumed = true;
	}
	if (record->health == HEALTH_UNKNOWN) {
		backend->record.health = HEALTH_UP;
		assumed = true;
	}
	return assumed;
}

/* --- Slow start */

/* A suspected backend counts as up until its state is decided. */
static bool is_up(const struct backend_record *record)
{
	return record->state == STATE_UP || record->state == STATE_SUSPECTED;
}

/* The step at the time `now`, in seconds. If `returned` is in the future, the clock was set back: the slow
 * start ends. */
static unsigned int current_step(const struct farm_pool *pool, const struct backend_record *record, uint32_t now)
{
	uint64_t elapsed = now - record->returned;
	uint64_t step = pool->config->slow_start && now >= record->returned
				? elapsed * 1000 * FARM_SLOW_START_STEPS / pool->config->slow_start
				: FARM_SLOW_START_STEPS;

	return step < FARM_SLOW_START_STEPS ? step + 1 : FARM_SLOW_START_STEPS;
}

/* While a pool fails open, dead backends count with their whole weight. A backend that returns must not get a
 * smaller weight than the dead backends. */
static void update_slow_start(const struct farm_pool *pool, struct farm_backend *backend, uint32_t now)
{
	struct backend_record *record = &backend->record;

	if (record->state == STATE_MAINT || record->state == STATE_DOWN || record->state == STATE_UNREACHABLE)
		record->returned = AWAY;
	else if (record->state == STATE_UP && record->returned == AWAY)
		record->returned = pool->config->slow_start && !pool->fail_open ? now : 0;
	backend->slow_start_step = FARM_SLOW_START_STEPS;
	if (!is_up(record) || !record->returned)
		return;
	backend->slow_start_step = current_step(pool, record, now);
	if (backend->slow_start_step == FARM_SLOW_START_STEPS)
		record->returned = 0;
}

uint32_t farm_next_slow_start_step(const struct farm *farm)
{
	uint32_t next = 0;

	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			const struct farm_backend *backend = &farm->pools[i].backends[j];
			uint64_t step = (uint64_t)farm->pools[i].config->slow_start * backend->slow_start_step;
			uint32_t at = backend->record.returned +
				      (step + 1000 * FARM_SLOW_START_STEPS - 1) / (1000 * FARM_SLOW_START_STEPS);

			if (backend->record.state == STATE_UP && backend->slow_start_step < FARM_SLOW_START_STEPS &&
				(!next || at < next))
				next = at;
		}
	return next;
}

uint16_t farm_backend_weight(const struct farm_backend *backend)
{
	return backend->record.weight * backend->slow_start_step * (10 / FARM_SLOW_START_STEPS);
}

/* --- States */

bool farm_update_state(
	const struct farm *farm, const struct farm_pool *pool, struct farm_backend *backend, uint32_t now)
{
	enum backend_state state = backend_state(farm, pool, backend);
	bool changed = farm_backend_exists(backend) && (!backend->record.since || backend->record.state != state);

	if (changed) {
		backend->record.state = state;
		backend->record.since = now;
	}
	update_slow_start(pool, backend, now);
	return changed;
}

bool farm_backend_is_enabled(const struct farm_backend *backend)
{
	return farm_backend_exists(backend) && backend->record.admin == ADMIN_READY && backend->record.weight &&
	       !(backend->record.overrides & OVERRIDE_LEAVING);
}

bool farm_backend_is_failing(const struct farm_pool *pool, const struct farm_backend *backend)
{
	const struct backend_record *record = &backend->record;
	bool dead = backend->dead || (backend->silent && !is_held(backend)) ||
		    (pool->config->probe.type != PROBE_NONE && record->health != HEALTH_UP);

	return farm_backend_exists(backend) && record->state == STATE_DOWN && backend->passive_down && !dead;
}

/* Is the missing response the only problem of the backend? The balancer can then still send packets to it. */
static bool is_doubted(const struct farm_backend *backend)
{
	return backend->record.state == STATE_DOWN ||
	       (backend->record.state == STATE_UNREACHABLE && backend->unreachable_since);
}

bool farm_backend_takes_new_calls(const struct farm_pool *pool, const struct farm_backend *backend)
{
	bool unprobed = backend->record.state == STATE_UNKNOWN;

	return farm_backend_is_enabled(backend) && (is_up(&backend->record) || (unprobed && pool->unprobed) ||
							   (pool->fail_open && (unprobed || is_doubted(backend))));
}

bool farm_backend_is_alive(const struct farm_pool *pool, const struct farm_backend *backend)
{
	enum backend_state state = backend->record.state;

	return farm_backend_exists(backend) &&
	       (is_up(&backend->record) || state == STATE_IDLE || state == STATE_UNKNOWN ||
		       farm_backend_is_failing(pool, backend) || (pool->fail_open && is_doubted(backend)));
}

/* The enabled backends, counted by state. */
struct tally {
	size_t up, down, unknown, pending;
};

/* Counts the backends of one priority; 0: of all priorities. */
static struct tally tally(const struct farm_pool *pool, unsigned int priority)
{
	struct tally tally = {0};

	for (size_t i = 0; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];

		if (!farm_backend_is_enabled(backend) || (priority && backend->priority != priority))
			continue;
		tally.up += is_up(&backend->record);
		tally.down += is_doubted(backend);
		tally.unknown += backend->record.state == STATE_UNKNOWN;
		tally.pending += backend->record.state == STATE_PENDING;
	}
	return tally;
}

/* At the first start, backends get their routes and first probe results one after the other. No backend loses slots
 * to a different backend before every backend has a result. */
static void update_unprobed(struct farm_pool *pool)
{
	struct tally of = tally(pool, 0);

	pool->unprobed = (!of.up && !of.down) || (pool->unprobed && (of.unknown || of.pending));
}

uint64_t farm_fail_open_end(const struct farm_pool *pool)
{
	return pool->fail_open && pool->enough_since ? pool->enough_since + 2 * farm_detection_time(pool)
						     : OUTAGE_NEVER;
}

/* Backends without a probe result count neither as up nor as down. */
static bool is_enough(const struct farm_pool *pool, struct tally of)
{
	size_t up = of.up + (pool->unprobed ? of.unknown : 0);

	return up * 100 >= (up + of.down) * pool->config->min_alive;
}

static bool is_enabled_and_up(const struct farm_pool *pool, const struct farm_backend *backend)
{
	(void)pool;
	return farm_backend_is_enabled(backend) && is_up(&backend->record);
}

/* The lowest priority number above `above` with a usable backend; 0 if there is none. */
static unsigned int next_priority(const struct farm_pool *pool, unsigned int above,
	bool (*is_usable)(const struct farm_pool *pool, const struct farm_backend *backend))
{
	unsigned int lowest = 0;

	for (size_t i = 0; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];

		if (backend->priority > above && (!lowest || backend->priority < lowest) && is_usable(pool, backend))
			lowest = backend->priority;
	}
	return lowest;
}

/* The lowest priority number with usable backends, enough of which are up. If no priority has enough of them: the
 * lowest one with a usable backend; 0 if there is none. */
static unsigned int sufficient_priority(const struct farm_pool *pool,
	bool (*is_usable)(const struct farm_pool *pool, const struct farm_backend *backend))
{
	unsigned int lowest = next_priority(pool, 0, is_usable), priority = lowest;

	while (priority && !is_enough(pool, tally(pool, priority)))
		priority = next_priority(pool, priority, is_usable);
	return priority ? priority : lowest;
}

unsigned int farm_priority_in_charge(const struct farm_pool *pool)
{
	return pool->fail_open ? next_priority(pool, 0, farm_backend_takes_new_calls)
			       : sufficient_priority(pool, farm_backend_takes_new_calls);
}

/* After an outage, backends do not all respond again at the same moment. The first backends must not get the slots of
 * the others, which still have their calls. The pool therefore fails open until all respond, or for some time. */
bool farm_update_fail_open(struct farm_pool *pool, uint64_t now)
{
	struct tally of = tally(pool, sufficient_priority(pool, is_enabled_and_up));
	bool enough, open;

	update_unprobed(pool);
	enough = is_enough(pool, of);
	if (!enough || !pool->fail_open)
		pool->enough_since = 0;
	else if (!pool->enough_since)
		pool->enough_since = now;
	open = !enough || (pool->fail_open && of.down && now < farm_fail_open_end(pool));
	if (open == pool->fail_open)
		return false;
	pool->fail_open = open;
	return true;
}

bool farm_pool_takes_new_calls(const struct farm_pool *pool)
{
	struct tally of = tally(pool, 0);

	return of.up || (pool->unprobed && of.unknown);
}

const char *farm_state_name(enum backend_state state)
{
	static const char *const names[] = {
		[STATE_PENDING] = "pending",
		[STATE_UP] = "up",
		[STATE_UNREACHABLE] = "unreachable",
		[STATE_MAINT] = "maint",
		[STATE_IDLE] = "idle",
		[STATE_DOWN] = "down",
		[STATE_UNKNOWN] = "unknown",
		[STATE_SUSPECTED] = "suspected",
	};

	return names[state];
}

const char *farm_admin_name(const struct backend_record *record)
{
	bool leaves = record->admin != ADMIN_MAINT && (record->overrides & OVERRIDE_LEAVING);

	return leaves ? "leaving" : config_admin_name(record->admin);
}

const char *farm_reason(const struct farm *farm, const struct farm_pool *pool, const struct farm_backend *backend)
{
	const struct route *route = &backend->route;

	switch (backend_state(farm, pool, backend)) {
	case STATE_PENDING:
		return route->reason[0] ? route->reason : "waiting for its MAC address";
	case STATE_UNREACHABLE:
		return route->state == ROUTE_FAILED ? route->reason : obstacle(farm, backend);
	case STATE_SUSPECTED:
		if (backend->agreed_reason[0])
			return backend->agreed_reason;
		if (route->state == ROUTE_FAILED)
			return route->reason;
		/* fall through */
	case STATE_DOWN:
		if (farm_backend_is_failing(pool, backend))
			return farm_passive_reason(backend);
		if (backend->agreed_reason[0])
			return backend->agreed_reason;
		if (backend->silent)
			return backend->refused ? "its heartbeats are refused: the clocks differ"
						: "sends no heartbeats";
		if (backend->probe_trouble[0])
			return backend->probe_trouble;
		return backend->probe_reason[0] ? backend->probe_reason : "failed its probes";
	case STATE_UNKNOWN:
		if (backend->probe_trouble[0])
			return backend->probe_trouble;
		return backend->probe_reason[0] ? backend->probe_reason : "waiting for its first probe";
	case STATE_IDLE:
		return "weight 0";
	case STATE_UP:
		return backend->probe_trouble;
	default:
		return "";
	}
}

/* The port that the entry of the backend contains. */
static __be16 entry_port(const struct farm_pool *pool, const struct farm_backend *backend)
{
	if (backend->forward == FORWARD_GUE)
		return htons(pool->config->gue_port);
	return backend->forward == FORWARD_NAT ? htons(backend->port) : 0;
}

/* Sets the outer source of the tunnel to a backend. */
static void put_source(const struct farm_pool *pool, const struct farm_backend *backend, struct backend *entry)
{
	const struct prefix_key *prefix = &pool->config->outer_source;
	bool fits = address_is_mapped_ipv4(&prefix->address) == address_is_mapped_ipv4(&entry->address);
	uint32_t bits = PREFIX_BITS - prefix->bits;

	if (!is_tunnel(backend->forward))
		return;
	entry->source = backend->route.source;
	if (backend->forward != FORWARD_IPIP || !prefix->bits || !fits)
		return;
	entry->source = prefix->address;
	entry->source_bits = bits < 32 ? bits : 32;
}

struct backend farm_backend_entry(const struct farm_pool *pool, const struct farm_backend *backend)
{
	const struct route *route = &backend->route;
	struct backend entry;

	if (!farm_backend_exists(backend) || mac_is_zero(&route->next_hop))
		return (struct backend){0};
	entry = (struct backend){
		.address = backend->record.address,
		.next_hop = route->next_hop,
		.interface_mac = route->interface_mac,
		.ifindex = route->ifindex,
		.mtu = route->mtu,
		.forward = backend->forward,
		.alive = farm_backend_is_alive(pool, backend),
		.port = entry_port(pool, backend),
	};
	put_source(pool, backend, &entry);
	return entry;
}
