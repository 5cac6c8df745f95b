// SPDX-License-Identifier: GPL-2.0
/* Collects the evidence about the backends of a pool and applies the decisions of outage.h: see farm.h. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "farm.h"
#include "core/health/health.h"
#include "core/base/memory.h"

/* ms for a round of ARP or neighbour discovery: three requests, one a second. Two rounds without a response are
 * enough. */
#define NEIGHBOUR_ROUND 3000
#define NEIGHBOUR_DETECTION (2 * NEIGHBOUR_ROUND)

/* ms after which the first request of a round counts as unanswered. */
#define NEIGHBOUR_TIMEOUT 900

uint32_t farm_detection_time(const struct farm_pool *pool)
{
	const struct config_probe *probe = &pool->config->probe;

	return probe->type == PROBE_NONE ? NEIGHBOUR_DETECTION : health_detection(probe);
}

/* --- Evidence */

static bool has_joined(const struct farm_backend *backend)
{
	return backend->record.overrides & OVERRIDE_JOINED;
}

static bool has_only_neighbour(const struct farm_pool *pool, const struct farm_backend *backend)
{
	return pool->config->probe.type == PROBE_NONE && !has_joined(backend);
}

/* Is a whole round of requests, started after the first failure, known to be unanswered? The route may also have failed
 * without any request. */
static bool has_failed_again(const struct neighbour_replies *neighbour)
{
	return neighbour->failed >= neighbour->began;
}

/* Returns the time after which a missing neighbour is enough evidence by itself. If there are probes, they should
 * detect the fault first. If the balancer cannot send probes, the missing neighbour is enough evidence after the
 * detection time of the probes. */
static uint64_t neighbour_decides_at(const struct farm_pool *pool, const struct farm_backend *backend)
{
	bool at_once = has_only_neighbour(pool, backend) ? has_failed_again(&backend->neighbour)
							 : pool->config->probe.type == PROBE_NONE;

	return backend->unreachable_since + (at_once ? 0 : farm_detection_time(pool));
}

/* The kernel detects a missing neighbour late, and confirms a present neighbour only on request. If there is other
 * evidence, a missing neighbour therefore counts as a failure, but a present one does not count as a success. */
static struct evidence missing_neighbour(const struct farm_pool *pool, const struct farm_backend *backend, uint64_t now)
{
	return (struct evidence){
		.known = backend->unreachable_since,
		.failing = backend->unreachable_since,
		.enough = backend->unreachable_since && now >= neighbour_decides_at(pool, backend),
		.recovered = !backend->unreachable_since,
		.began = backend->unreachable_since,
		.failed = now,
		.detection = farm_detection_time(pool),
		.again = farm_detection_time(pool),
	};
}

/* Returns when the first request of the running round counts as unanswered; UINT64_MAX: no round is running. */
static uint64_t neighbour_fails_at(const struct farm_backend *backend)
{
	return backend->neighbour.asked ? backend->neighbour.asked + NEIGHBOUR_TIMEOUT : UINT64_MAX;
}

/* The evidence if there is no other. A neighbour that has not answered the first request of a round fails: it may
 * answer a later one only because a network fault has ended. */
static struct evidence only_neighbour(const struct farm_pool *pool, const struct farm_backend *backend, uint64_t now)
{
	const struct neighbour_replies *neighbour = &backend->neighbour;
	struct evidence evidence = missing_neighbour(pool, backend, now);

	evidence.known |= backend->route.state == ROUTE_READY;
	evidence.answered = neighbour->answered;
	evidence.again = NEIGHBOUR_ROUND;
	if (neighbour->began)
		evidence.began = neighbour->began;
	else if (!evidence.failing)
		evidence.began = neighbour->asked;
	if (neighbour->failed)
		evidence.failed = neighbour->failed;
	evidence.failing |= neighbour->began || now >= neighbour_fails_at(backend);
	return evidence;
}

static struct evidence neighbour_evidence(
	const struct farm_pool *pool, const struct farm_backend *backend, uint64_t now)
{
	return has_only_neighbour(pool, backend) ? only_neighbour(pool, backend, now)
						 : missing_neighbour(pool, backend, now);
}

/* node_timeout is at least twice the heartbeat interval. */
static struct evidence heartbeat_evidence(const struct farm *farm, const struct farm_backend *backend, uint64_t now)
{
	uint32_t timeout = farm->config->join.node_timeout;
	uint64_t heard = now > backend->silent_ms ? now - backend->silent_ms : 1;

	return (struct evidence){
		.known = has_joined(backend),
		.failing = backend->silent || backend->silent_ms >= timeout / 2,
		.enough = backend->silent,
		.recovered = !backend->silent,
		.answered = heard,
		.began = heard + timeout / 2,
		.failed = now,
		.detection = timeout,
		.again = timeout / 2,
	};
}

static struct evidence evidence_of(
	const struct farm *farm, const struct farm_pool *pool, const struct farm_backend *backend, uint64_t now)
{
	const struct evidence neighbour = neighbour_evidence(pool, backend, now);
	const struct evidence heartbeats = heartbeat_evidence(farm, backend, now);
	struct evidence evidence = backend->probed;

	evidence_add(&evidence, &heartbeats);
	evidence_add(&evidence, &neighbour);
	return evidence;
}

/* --- Decision */

static void prepare(const struct farm *farm, const struct farm_pool *pool, struct farm_backend *backend, uint64_t now)
{
	if (!farm_backend_is_lost(farm, backend))
		backend->unreachable_since = 0;
	else if (!backend->unreachable_since)
		backend->unreachable_since = now;
	backend->outage.evidence = evidence_of(farm, pool, backend, now);
	backend->outage.excluded = !farm_backend_exists(backend) || backend->record.admin == ADMIN_MAINT;
}

/* --- The group of balancers */

void farm_set_agreed(struct farm_backend *backend, enum group_verdict agreed, struct group_tally tally)
{
	backend->agreed = agreed;
	backend->tally = tally;
}

uint64_t farm_pool_name_key(const char *name)
{
	return group_hash(GROUP_HASH_BEGIN, name, strlen(name) + 1);
}

uint64_t farm_pool_key(const struct farm_pool *pool)
{
	return farm_pool_name_key(pool->config->name);
}

struct group_key farm_record_key(const struct backend_record *record)
{
	uint64_t pool = farm_pool_name_key(record->pool);
	uint64_t hash = group_hash(pool, record->name, strlen(record->name) + 1);

	return (struct group_key){pool, group_hash(hash, &record->address, sizeof(record->address))};
}

struct group_key farm_group_key(const struct farm_backend *backend)
{
	return farm_record_key(&backend->record);
}

enum group_vote farm_vote(const struct farm_pool *pool, const struct farm_backend *backend)
{
	if (!farm_backend_exists(backend) || !backend->outage.evidence.known || backend->probe_trouble[0])
		return GROUP_VOTE_UNKNOWN;
	if (backend->outage.down)
		return GROUP_VOTE_DOWN;
	if (pool->outage.view == OUTAGE_BLIND)
		return GROUP_VOTE_UNKNOWN;
	if (pool->config->probe.type != PROBE_NONE && backend->own_health != HEALTH_UP)
		return GROUP_VOTE_UNKNOWN;
	if (!farm_backend_is_observed(pool, backend))
		return GROUP_VOTE_UP;
	if (farm_backend_fails_here(backend))
		return GROUP_VOTE_FAILS;
	return backend->passive_works ? GROUP_VOTE_WORKS : GROUP_VOTE_UP;
}

/* Writes "fails at lb1, lb2". */
static void list_failing(const struct group *group, const struct group_key *key, char *out, size_t size)
{
	const struct group_member *member;
	size_t length = 0;

	for (size_t i = 0; (member = group_member_at(group, i)) && length < size; i++)
		if (group_member_vote(group, i, key) == GROUP_VOTE_FAILS)
			length += snprintf(
				out + length, size - length, "%s%s", length ? ", " : "fails at ", member->hello.node);
}

void farm_report_group(struct farm_backend *backend, const struct group *group, uint64_t now)
{
	const struct group_key key = farm_group_key(backend);
	enum group_verdict verdict = GROUP_OWN, passive = GROUP_OWN;
	char fails_at[sizeof(backend->fails_at)] = "";
	struct group_tally tally = {0};

	if (group) {
		verdict = group_verdict(group, &key, now, &tally);
		passive = group_passive_verdict(group, &tally, now);
	}
	if (tally.fails)
		list_failing(group, &key, fails_at, sizeof(fails_at));
	farm_set_agreed(backend, verdict, tally);
	farm_set_agreed_passive(backend, passive, fails_at);
}

void farm_give_votes(const struct farm *farm, struct group *group, uint64_t now)
{
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++) {
			const struct farm_backend *backend = &farm->pools[i].backends[j];
			const struct group_key key = farm_group_key(backend);

			group_vote(group, &key, farm_vote(&farm->pools[i], backend));
		}
	group_end_votes(group);
	group_tick(group, now);
}

static void explain_agreed(struct farm_backend *backend)
{
	const struct group_tally *tally = &backend->tally;
	size_t votes = tally->up + tally->down;

	*backend->agreed_reason = '\0';
	if (backend->dead == backend->outage.down || backend->agreed == GROUP_OWN)
		return;
	if (backend->agreed == GROUP_KEEP || backend->agreed == GROUP_NO_VOTES)
		snprintf(backend->agreed_reason, sizeof(backend->agreed_reason),
			"%s for this balancer; the last decision of its group stays",
			backend->outage.down ? "down" : "up");
	else if (backend->dead)
		snprintf(backend->agreed_reason, sizeof(backend->agreed_reason),
			"down for %zu of %zu balancers of the group, up for this one", tally->down, votes);
	else
		snprintf(backend->agreed_reason, sizeof(backend->agreed_reason),
			"up for %zu of %zu balancers of the group, down for this one: %s", tally->up, votes,
			backend->probe_reason);
}

/* A backend about which no decision exists yet needs one, also while the group does not decide. If the group decides,
 * the vote of this balancer must reach all members before it has an effect. */
static bool keeps_decision(const struct farm_pool *pool, const struct farm_backend *backend)
{
	bool decided = pool->config->probe.type == PROBE_NONE || backend->record.health != HEALTH_UNKNOWN;

	return backend->agreed == GROUP_NO_VOTES || (backend->agreed == GROUP_KEEP && decided);
}

static void apply_agreed(const struct farm_pool *pool, struct farm_backend *backend)
{
	if (backend->agreed == GROUP_UP || backend->agreed == GROUP_DOWN) {
		backend->dead = backend->agreed == GROUP_DOWN;
		backend->record.health = backend->dead ? HEALTH_DOWN : HEALTH_UP;
	} else if (!keeps_decision(pool, backend)) {
		backend->dead = backend->outage.down;
		if (backend->own_health != HEALTH_UNKNOWN)
			backend->record.health = backend->own_health;
	}
	explain_agreed(backend);
}

/* While the outage is undecided, the backend keeps its last known health. */
static void conclude(const struct farm_pool *pool, struct farm_backend *backend)
{
	if (backend->probed.known && (backend->outage.down || backend->probe_health != HEALTH_DOWN))
		backend->own_health = backend->probe_health;
	apply_agreed(pool, backend);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Returns when the evidence from the neighbour changes even if nothing is received; UINT64_MAX: never. */
static uint64_t neighbour_changes_at(const struct farm_pool *pool, const struct farm_backend *backend)
{
	const struct evidence *evidence = &backend->outage.evidence;

	if (backend->unreachable_since)
		return evidence->enough ? UINT64_MAX : neighbour_decides_at(pool, backend);
	return evidence->failing || !has_only_neighbour(pool, backend) ? UINT64_MAX : neighbour_fails_at(backend);
}

void farm_decide_outage(const struct farm *farm, struct farm_pool *pool, uint64_t listening, uint64_t now)
{
	const struct outage_rules rules = {.may_all_be_dead = !pool->config->min_alive, .listening = listening};
	struct outage_member *members = allocate(pool->count, sizeof(*members));

	for (size_t i = 0; i < pool->count; i++) {
		prepare(farm, pool, &pool->backends[i], now);
		members[i] = pool->backends[i].outage;
	}
	pool->next = outage_decide(&pool->outage, members, pool->count, &rules, now);
	for (size_t i = 0; i < pool->count; i++) {
		struct farm_backend *backend = &pool->backends[i];

		backend->outage = members[i];
		conclude(pool, backend);
		pool->next = sooner(pool->next, neighbour_changes_at(pool, backend));
	}
	farm_conclude_passive(pool);
	free(members);
}

uint64_t farm_next_decision(const struct farm_pool *pool)
{
	return sooner(pool->next, farm_fail_open_end(pool));
}

/* --- From one farm to the next */

static void take_over_backend(struct farm_backend *backend, const struct farm_backend *before)
{
	if (!address_equal(&before->record.address, &backend->record.address) ||
		strcmp(before->record.pool, backend->record.pool))
		return;
	backend->probe_health = before->probe_health;
	backend->own_health = before->own_health;
	backend->agreed = before->agreed;
	backend->tally = before->tally;
	backend->agreed_passive = before->agreed_passive;
	memcpy(backend->fails_at, before->fails_at, sizeof(backend->fails_at));
	backend->passive_works = before->passive_works;
	backend->dead = before->dead;
	backend->probed = before->probed;
	backend->silent = before->silent;
	backend->silent_ms = before->silent_ms;
	backend->unreachable_since = before->unreachable_since;
	backend->neighbour = before->neighbour;
	backend->outage = before->outage;
	memcpy(backend->passive_reason, before->passive_reason, sizeof(backend->passive_reason));
}

/* Returns an array of 65536 elements, which the caller must free. A backend keeps its id from farm to farm. */
static const struct farm_backend **backends_by_id(const struct farm *farm)
{
	const struct farm_backend **backends = allocate(UINT16_MAX + 1, sizeof(*backends));

	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++)
			backends[farm->pools[i].backends[j].id] = &farm->pools[i].backends[j];
	return backends;
}

static void take_over_pool(struct farm_pool *pool, const struct farm_pool *before)
{
	pool->unprobed = before->unprobed;
	pool->fail_open = before->fail_open;
	pool->enough_since = before->enough_since;
	pool->outage = before->outage;
	pool->next = before->next;
}

void farm_take_over(struct farm *farm, const struct farm *before)
{
	const struct farm_backend **backends = backends_by_id(before);

	farm->is_blind = before->is_blind;
	farm->joining_until = before->joining_until;
	for (size_t i = 0; i < farm->config->pool_count; i++) {
		struct farm_pool *pool = &farm->pools[i];
		const struct farm_pool *old = farm_find_pool(before, pool->config->name);

		if (old)
			take_over_pool(pool, old);
		for (size_t j = 0; j < pool->count; j++)
			if (backends[pool->backends[j].id])
				take_over_backend(&pool->backends[j], backends[pool->backends[j].id]);
	}
	free(backends);
}

/* --- Text */

static bool is_failing(const struct farm_backend *backend)
{
	return farm_backend_exists(backend) && !backend->outage.excluded && backend->outage.evidence.failing;
}

/* Writes " (px1: connection refused)" for the first backend whose probe fails, and returns whether all failing backends
 * respond: then the network works, and their probes have a fault in common, for example an expired certificate. */
static bool explain_failures(const struct farm_pool *pool, char *why, size_t size)
{
	bool all_respond = true;

	*why = '\0';
	for (size_t i = 0; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];

		if (!is_failing(backend))
			continue;
		all_respond &= backend->probe_responded;
		if (!*why && *backend->probe_reason)
			snprintf(why, size, " (%s: %s)", backend->record.name, backend->probe_reason);
	}
	return all_respond && *why;
}

const char *farm_outage_text(const struct farm_pool *pool, uint64_t now, char text[FARM_OUTAGE_SIZE])
{
	const struct outage *outage = &pool->outage;
	uint64_t left = outage->decision > now ? outage->decision - now : 0;
	char why[NAME_SIZE + sizeof(pool->backends->probe_reason) + 8];
	bool all_respond;
	int length;

	*text = '\0';
	if (outage->view == OUTAGE_NONE)
		return text;
	all_respond = explain_failures(pool, why, sizeof(why));
	if (all_respond)
		length = snprintf(text, FARM_OUTAGE_SIZE,
			"%zu of %zu backends respond, but fail their probes%s: ", outage->silent, outage->members, why);
	else
		length = snprintf(text, FARM_OUTAGE_SIZE,
			"%zu of %zu backends stopped answering within %u.%u s%s: ", outage->silent, outage->members,
			outage->spread / 1000, outage->spread % 1000 / 100, why);
	if (outage->view == OUTAGE_BLIND)
		snprintf(text + length, FARM_OUTAGE_SIZE - length, "%sall keep their slots until one %s",
			all_respond ? "" : "a network fault is suspected; ", all_respond ? "passes" : "answers");
	else
		snprintf(text + length, FARM_OUTAGE_SIZE - length,
			"they keep their slots for up to %" PRIu64 " s, until their state is decided",
			(left + 999) / 1000);
	return text;
}
