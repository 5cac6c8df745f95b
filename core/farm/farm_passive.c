// SPDX-License-Identifier: GPL-2.0
/* Applies the decisions of core/health/passive.h to the backends of a pool: see farm.h. */

#include <stdio.h>
#include <string.h>
#include "core/base/memory.h"
#include "farm.h"

bool farm_backend_is_observed(const struct farm_pool *pool, const struct farm_backend *backend)
{
	return pool->config->passive.is_set && backend->forward == FORWARD_NAT && farm_backend_exists(backend);
}

struct passive_rule farm_passive_rule(const struct farm_pool *pool, const struct farm_backend *backend)
{
	struct passive_rule rule = {};

	for (unsigned int bit = 0; farm_backend_is_observed(pool, backend) && bit < PASSIVE_CODES; bit++)
		if (config_has_code(pool->config->passive.codes, PASSIVE_FIRST_CODE + bit))
			rule.codes[bit / 64] |= UINT64_C(1) << bit % 64;
	return rule;
}

void farm_passive_forget(struct farm_backend *backend)
{
	backend->record.passive_until = 0;
	backend->record.passive_count = 0;
	backend->record.passive_cause = PASSIVE_NONE;
	backend->passive_down = false;
	backend->passive_anew = true;
	*backend->passive_reason = '\0';
	if (backend->agreed_passive == GROUP_DOWN)
		backend->agreed_passive = GROUP_UP;
}

bool farm_backend_fails_here(const struct farm_backend *backend)
{
	return backend->record.passive_cause && backend->record.passive_cause != PASSIVE_GROUP;
}

/* --- Decision of this balancer */

/* Does the backend take new calls if the decisions of this balancer apply? */
static bool takes_calls(const struct farm_pool *pool, const struct farm_backend *backend)
{
	return farm_backend_takes_new_calls(pool, backend) && (pool->fail_open || !farm_backend_fails_here(backend));
}

/* The lowest priority number with a backend that takes new calls; 0: there is none. */
static unsigned int serving_priority(const struct farm_pool *pool)
{
	unsigned int lowest = 0;

	for (size_t i = 0; i < pool->count; i++)
		if (takes_calls(pool, &pool->backends[i]) && (!lowest || pool->backends[i].priority < lowest))
			lowest = pool->backends[i].priority;
	return lowest;
}

static enum passive_role role_of(
	const struct farm_pool *pool, const struct farm_backend *backend, unsigned int serving_priority)
{
	if (pool->fail_open || !farm_backend_is_enabled(backend))
		return PASSIVE_ABSENT;
	if (takes_calls(pool, backend))
		return backend->priority == serving_priority ? PASSIVE_SERVES : PASSIVE_STANDBY;
	return backend->priority == serving_priority ? PASSIVE_DOWN : PASSIVE_ABSENT;
}

/* Each failure shortly after the previous one doubles the time until the backend may return: its probes pass all the
 * time, so they do not show whether it works again. */
static void fail(
	const struct farm_pool *pool, struct farm_backend *backend, const struct passive_member *member, uint32_t date)
{
	const struct config_passive *config = &pool->config->passive;
	struct backend_record *record = &backend->record;

	if (date > record->passive_until + PASSIVE_QUIET)
		record->passive_count = 0;
	if (record->passive_count < UINT8_MAX)
		record->passive_count++;
	record->passive_cause = member->cause;
	record->passive_until = date + passive_hold(config, member->cause, record->passive_count);
	passive_text(member, config, backend->passive_reason);
	*member->history = (struct passive_history){0};
}

/* If the hold time is longer than any, the clock was set back. */
static bool may_return(const struct farm_pool *pool, const struct farm_backend *backend, uint32_t date)
{
	const struct backend_record *record = &backend->record;
	bool passes = backend->probe_health == HEALTH_UP && !backend->probed.failing;

	return (date >= record->passive_until || record->passive_until > date + PASSIVE_HOLD_MAX) &&
	       (passes || pool->config->probe.type == PROBE_NONE);
}

/* `needed`: no other backend takes new calls. */
static bool apply(const struct farm_pool *pool, struct farm_backend *backend, const struct passive_member *member,
	bool needed, uint32_t date)
{
	if (member->fails_alone) {
		fail(pool, backend, member, date);
		return true;
	}
	if (!farm_backend_fails_here(backend) || (!needed && !may_return(pool, backend, date)))
		return false;
	backend->record.passive_cause = PASSIVE_NONE;
	return true;
}

bool farm_decide_passive(struct farm_pool *pool, struct passive_history *const histories[], uint64_t now, uint32_t date)
{
	struct passive_member *members = allocate(pool->count, sizeof(*members));
	unsigned int priority = serving_priority(pool);
	bool changed = false;

	for (size_t i = 0; i < pool->count; i++) {
		if (pool->backends[i].passive_anew && histories[i])
			passive_begin_anew(histories[i], now);
		pool->backends[i].passive_anew = false;
		members[i] = (struct passive_member){
			.history = histories[i], .role = role_of(pool, &pool->backends[i], priority)};
	}
	passive_decide(members, pool->count, &pool->config->passive, pool->config->min_alive, now);
	pool->tolerated = 0;
	for (size_t i = 0; i < pool->count; i++) {
		const bool judged = members[i].role == PASSIVE_SERVES && members[i].history && !members[i].cause;

		pool->backends[i].passive_works =
			judged && passive_works(members[i].history, &pool->config->passive, now);
		pool->tolerated += passive_is_tolerated(&members[i], &pool->config->passive, now);
		changed |= apply(pool, &pool->backends[i], &members[i], !priority, date);
	}
	free(members);
	return changed;
}

/* --- Decision of the group */

void farm_set_agreed_passive(struct farm_backend *backend, enum group_verdict agreed, const char *fails_at)
{
	backend->agreed_passive = agreed;
	snprintf(backend->fails_at, sizeof(backend->fails_at), "%s", fails_at);
}

/* A restarted daemon finds the decision in the record. */
static void set_down(struct farm_backend *backend, bool down)
{
	struct backend_record *record = &backend->record;

	backend->passive_down = down;
	if (down && record->passive_cause == PASSIVE_NONE)
		record->passive_cause = PASSIVE_GROUP;
	if (!down && record->passive_cause == PASSIVE_GROUP)
		record->passive_cause = PASSIVE_NONE;
}

/* Does `min_alive` apply to a decision about the backend? It depends on nothing that is known only here. */
static bool is_candidate(const struct farm_backend *backend)
{
	bool agreed = backend->agreed_passive == GROUP_UP || backend->agreed_passive == GROUP_DOWN;
	bool probed = backend->agreed == GROUP_UP || backend->agreed == GROUP_DOWN;

	return agreed && probed && farm_backend_is_enabled(backend);
}

static void conclude(struct farm_backend *backend)
{
	if (backend->agreed_passive == GROUP_OWN)
		set_down(backend, farm_backend_fails_here(backend));
	else if (backend->agreed_passive == GROUP_KEEP)
		set_down(backend, backend->passive_down);
	else
		set_down(backend, backend->agreed_passive == GROUP_DOWN);
}

void farm_conclude_passive(struct farm_pool *pool)
{
	struct passive_candidate *list;
	size_t count = 0;
	bool any = false;

	for (size_t i = 0; i < pool->count; i++) {
		conclude(&pool->backends[i]);
		any |= pool->backends[i].agreed_passive == GROUP_DOWN;
	}
	if (!any)
		return;
	list = allocate(pool->count, sizeof(*list));
	for (size_t i = 0; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];

		if (is_candidate(backend))
			list[count++] = (struct passive_candidate){.index = i,
				.priority = backend->priority,
				.key = farm_group_key(backend).backend,
				.up = backend->agreed == GROUP_UP,
				.fails = backend->agreed_passive == GROUP_DOWN};
	}
	passive_agree(list, count, pool->config->min_alive);
	for (size_t i = 0; i < count; i++)
		set_down(&pool->backends[list[i].index], list[i].goes_down);
	free(list);
}

const char *farm_passive_reason(const struct farm_backend *backend)
{
	const char *reason = farm_backend_fails_here(backend) ? backend->passive_reason : backend->fails_at;

	return *reason ? reason : passive_cause_text(backend->record.passive_cause);
}

/* --- Text */

const char *farm_passive_text(const struct farm_pool *pool, char text[FARM_PASSIVE_SIZE])
{
	*text = '\0';
	if (pool->tolerated)
		snprintf(text, FARM_PASSIVE_SIZE,
			"the responses of %zu backends fail (passive health), and no other backends work better or "
			"may take their calls (min_alive): all stay in service",
			pool->tolerated);
	return text;
}
