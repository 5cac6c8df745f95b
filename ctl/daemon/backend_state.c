// SPDX-License-Identifier: GPL-2.0
/* See backend_state.h. */

#include <time.h>
#include "backend_state.h"
#include "ctl/daemon/group/group_watch.h"
#include "listening_clock.h"
#include "log.h"
#include "ctl/daemon/probe/probes.h"

/* --- results */

static void take_results(const struct daemon *daemon, const struct farm_pool *pool, struct farm_backend *backend)
{
	const struct address *address = &backend->record.address;

	farm_set_route(backend, neighbours_route(daemon->neighbours, address));
	backend->neighbour = neighbours_replies(daemon->neighbours, address);
	probes_report(daemon->probes, pool, backend);
	group_watch_report(daemon->group_watch, backend);
}

void backend_state_report(const struct daemon *daemon, struct farm *farm)
{
	for (size_t i = 0; i < farm->config->pool_count; i++)
		for (size_t j = 0; j < farm->pools[i].count; j++)
			take_results(daemon, &farm->pools[i], &farm->pools[i].backends[j]);
}

/* Requests the results that a pending decision needs. A backend that begins to fail may have a new MAC address, so its
 * neighbour entry is resolved again. If the decision about other backends depends on a backend, the daemon probes that
 * backend at once. In a pool without probes, it resolves the backend's neighbour entry instead. */
static void request_results(struct daemon *daemon, const struct farm_pool *pool)
{
	bool neighbours_only = pool->config->probe.type == PROBE_NONE;

	for (size_t i = 0; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];
		bool failing = backend->outage.evidence.failing && !backend->outage.down;

		if (farm_backend_exists(backend) && (failing || (neighbours_only && pool->outage.silent)))
			neighbours_recheck(daemon->neighbours, &backend->record.address);
		if (backend->outage.wanted)
			probes_probe_now(daemon->probes, backend->record.pool, backend->record.name);
	}
}

/* --- changes */

static bool update_state(struct daemon *daemon, const struct farm_pool *pool, struct farm_backend *backend)
{
	const char *reason;

	if (!farm_update_state(daemon->farm, pool, backend, time(NULL)))
		return false;
	/* The previous probe may not have been sent, for a reason that is over: probe_trouble_log() logs such reasons.
	 */
	reason = backend->record.state == STATE_UP ? "" : farm_reason(daemon->farm, pool, backend);
	log_event(LOG_INFO,
		LOG_FIELDS({"event", "backend_state"}, {"pool", backend->record.pool},
			{"backend", backend->record.name}, {"state", farm_state_name(backend->record.state)}),
		"backend %s/%s is %s%s%s", backend->record.pool, backend->record.name,
		farm_state_name(backend->record.state), *reason ? ": " : "", reason);
	return true;
}

static bool update_open(struct farm_pool *pool, uint64_t now)
{
	if (!farm_update_fail_open(pool, now))
		return false;
	if (pool->fail_open)
		log_event(LOG_ERR, LOG_FIELDS({"event", "fail_open"}, {"pool", pool->config->name}),
			"pool %s FAIL OPEN: less than %u %% of its backends pass their probes (min_alive), so it "
			"ignores them",
			pool->config->name, pool->config->min_alive);
	else
		log_event(LOG_INFO, LOG_FIELDS({"event", "fail_open_end"}, {"pool", pool->config->name}),
			"pool %s: enough backends pass their probes; end of FAIL OPEN", pool->config->name);
	return true;
}

static void log_outage(const struct farm_pool *pool, const struct outage *before, uint64_t now)
{
	char text[FARM_OUTAGE_SIZE];

	if (pool->outage.view == before->view)
		return;
	if (pool->outage.view != OUTAGE_NONE)
		log_event(LOG_WARNING, LOG_FIELDS({"event", "outage"}, {"pool", pool->config->name}), "pool %s: %s",
			pool->config->name, farm_outage_text(pool, now, text));
	else if (!pool->outage.silent)
		log_event(LOG_INFO, LOG_FIELDS({"event", "outage_end"}, {"pool", pool->config->name}),
			"pool %s: all backends that are not down respond", pool->config->name);
}

static bool update_pool(struct daemon *daemon, struct farm_pool *pool, uint64_t now)
{
	struct outage before = pool->outage;
	bool changed = false;

	for (size_t i = 0; i < pool->count; i++)
		take_results(daemon, pool, &pool->backends[i]);
	farm_decide_outage(daemon->farm, pool, daemon->listening_since, now);
	log_outage(pool, &before, now);
	for (size_t i = 0; i < pool->count; i++) {
		changed |= update_state(daemon, pool, &pool->backends[i]);
		worker_yield(daemon->worker);
	}
	changed |= update_open(pool, now);
	request_results(daemon, pool);
	return changed;
}

bool backend_state_update(struct daemon *daemon)
{
	uint64_t now = listening_clock_now();
	bool changed = false, undecided = false;

	for (size_t i = 0; i < daemon->farm->config->pool_count; i++) {
		struct farm_pool *pool = &daemon->farm->pools[i];

		changed |= update_pool(daemon, pool, now);
		undecided |= pool->outage.silent;
	}
	probes_report_all(daemon->probes, undecided);
	group_watch_vote(daemon->group_watch, daemon->farm);
	return changed;
}

uint64_t backend_state_next(const struct daemon *daemon)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < daemon->farm->config->pool_count; i++) {
		uint64_t time = farm_next_decision(&daemon->farm->pools[i]);

		next = time < next ? time : next;
	}
	return next;
}
