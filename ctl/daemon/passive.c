// SPDX-License-Identifier: GPL-2.0
/* See passive.h. */
#include <stdlib.h>
#include <time.h>
#include "core/base/memory.h"
#include "ctl/daemon/group/group_watch.h"
#include "ctl/maps/clock.h"
#include "log.h"
#include "passive.h"

struct passive_watch {
	uint32_t maps;                              /* id of the maps that were sampled last; 0: none */
	struct passive_history *histories[1 << 16]; /* by backend id; NULL: not observed */
};

struct passive_watch *passive_watch_new(void)
{
	return allocate(1, sizeof(struct passive_watch));
}

static void forget(struct passive_watch *watch, uint16_t id)
{
	free(watch->histories[id]);
	watch->histories[id] = NULL;
}

static void forget_all(struct passive_watch *watch)
{
	for (uint32_t id = 0; id <= UINT16_MAX; id++)
		forget(watch, id);
}

void passive_watch_free(struct passive_watch *watch)
{
	if (watch)
		forget_all(watch);
	free(watch);
}

/* --- sampling */

/* A failed read gives zeros, and the history then begins anew. */
static struct passive_totals read_totals(const struct maps *maps, uint32_t id)
{
	struct passive_totals totals = {};
	struct backend_traffic sent;
	struct backend_return received;

	maps_passive_state(maps, id, &totals.state);
	maps_backend_traffic(maps, id, &sent);
	maps_backend_return(maps, id, &received);
	maps_unanswered_calls(maps, id, &totals.unanswered);
	totals.invites = sent.initial_invite;
	totals.responses = received.invite_1xx + received.invite_2xx + received.invite_3xx + received.invite_4xx +
			   received.invite_5xx + received.invite_6xx;
	return totals;
}

static struct passive_history *sample(struct passive_watch *watch, const struct daemon *daemon,
	const struct farm_pool *pool, const struct farm_backend *backend, uint64_t now)
{
	struct passive_history **history = &watch->histories[backend->id];
	struct passive_totals totals;

	if (!farm_backend_is_observed(pool, backend)) {
		forget(watch, backend->id);
		return NULL;
	}
	if (!*history)
		*history = allocate(1, sizeof(**history));
	totals = read_totals(daemon->maps, backend->id);
	passive_sample(*history, &totals, &pool->config->passive, now);
	return *history;
}

/* --- the log */

/* In a group, the decision is logged as a change of the backend's state. */
static void log_vote(const struct farm_backend *backend, uint32_t date)
{
	const struct backend_record *record = &backend->record;

	if (farm_backend_fails_here(backend))
		log_event(LOG_WARNING,
			LOG_FIELDS({"event", "passive_vote"}, {"pool", record->pool}, {"backend", record->name},
				{"cause", passive_cause_name(record->passive_cause)}),
			"backend %s/%s fails at this balancer: %s (passive health); it votes so in its group for %u s",
			record->pool, record->name, backend->passive_reason, record->passive_until - date);
	else
		log_event(LOG_INFO,
			LOG_FIELDS({"event", "passive_vote_end"}, {"pool", record->pool}, {"backend", record->name}),
			"backend %s/%s no longer fails at this balancer (passive health)", record->pool, record->name);
}

static void log_backend(const struct farm_backend *backend, bool failed, uint32_t date)
{
	const struct backend_record *record = &backend->record;
	char hold[16];

	if (farm_backend_fails_here(backend) == failed)
		return;
	if (backend->agreed_passive != GROUP_OWN) {
		log_vote(backend, date);
		return;
	}
	if (failed) {
		log_event(LOG_INFO,
			LOG_FIELDS({"event", "passive_return"}, {"pool", record->pool}, {"backend", record->name}),
			"backend %s/%s may take new calls again (passive health)", record->pool, record->name);
		return;
	}
	snprintf(hold, sizeof(hold), "%u", record->passive_until - date);
	log_event(LOG_WARNING,
		LOG_FIELDS({"event", "passive_down"}, {"pool", record->pool}, {"backend", record->name},
			{"cause", passive_cause_name(record->passive_cause)}, {"hold", hold}),
		"backend %s/%s: %s (passive health); its calls stay, and for at least %s s it takes no new ones",
		record->pool, record->name, backend->passive_reason, hold);
}

static void log_pool(const struct farm_pool *pool, size_t before)
{
	char text[FARM_PASSIVE_SIZE];

	if (!pool->tolerated == !before)
		return;
	if (pool->tolerated)
		log_event(LOG_WARNING, LOG_FIELDS({"event", "passive_tolerated"}, {"pool", pool->config->name}),
			"pool %s: %s", pool->config->name, farm_passive_text(pool, text));
	else
		log_event(LOG_INFO, LOG_FIELDS({"event", "passive_tolerated_end"}, {"pool", pool->config->name}),
			"pool %s: no backend in service fails any more (passive health)", pool->config->name);
}

/* --- the pools */

static bool decide(struct passive_watch *watch, struct daemon *daemon, struct farm_pool *pool, uint64_t now)
{
	struct passive_history **histories = allocate(pool->count, sizeof(struct passive_history *));
	bool *failed = allocate(pool->count, sizeof(*failed));
	size_t tolerated = pool->tolerated;
	uint32_t date = time(NULL);
	bool changed;

	for (size_t i = 0; i < pool->count; i++) {
		histories[i] = sample(watch, daemon, pool, &pool->backends[i], now);
		failed[i] = farm_backend_fails_here(&pool->backends[i]);
	}
	changed = farm_decide_passive(pool, histories, now, date);
	for (size_t i = 0; i < pool->count; i++)
		log_backend(&pool->backends[i], failed[i], date);
	log_pool(pool, tolerated);
	free(histories);
	free(failed);
	return changed;
}

void passive_watch_sample(struct passive_watch *watch, struct daemon *daemon)
{
	uint64_t now = clock_msec();
	bool changed = false, any = false;

	if (daemon->using_next_maps)
		return;
	if (watch->maps != maps_id(daemon->maps))
		forget_all(watch);
	watch->maps = maps_id(daemon->maps);
	for (size_t i = 0; i < daemon->farm->config->pool_count; i++) {
		if (!daemon->farm->pools[i].config->passive.is_set)
			continue;
		any = true;
		changed |= decide(watch, daemon, &daemon->farm->pools[i], now);
		worker_yield(daemon->worker);
	}
	if (any)
		group_watch_vote(daemon->group_watch, daemon->farm);
	if (changed)
		daemon_on_changed(daemon);
}
