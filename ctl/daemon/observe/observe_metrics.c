// SPDX-License-Identifier: GPL-2.0
/* /metrics: collects the numbers under the lock, and writes their text without it. */
#include <stdio.h>
#include <string.h>
#include "core/base/memory.h"
#include "core/guard/activity.h"
#include "core/observe/metrics.h"
#include "ctl/daemon/active_maps.h"
#include "ctl/daemon/call_balance.h"
#include "ctl/daemon/capture/capture_sender.h"
#include "ctl/daemon/control/report.h"
#include "ctl/daemon/join/join_listener.h"
#include "ctl/daemon/log.h"
#include "ctl/daemon/counted_calls.h"
#include "ctl/daemon/tracked_calls.h"
#include "observe_private.h"

static void collect_interfaces(const struct daemon *daemon, struct metrics *metrics)
{
	const struct config *config = daemon->farm->config;
	struct metrics_interface *interface;
	char path[ACTIVE_MAPS_PATH_SIZE];
	const char *pins = active_maps_directory(daemon, path);

	metrics->interfaces = allocate(config->interface_count, sizeof(*metrics->interfaces));
	for (size_t i = 0; i < config->interface_count; i++) {
		interface = &metrics->interfaces[metrics->interface_count++];
		snprintf(interface->name, sizeof(interface->name), "%s", config->interfaces[i]);
		interface->mode = maps_attach_mode(daemon->maps, pins, config->interfaces[i]);
	}
}

static void collect_guards(const struct daemon *daemon, struct metrics *metrics)
{
	size_t cpus = maps_cpus(daemon->maps);
	struct guard_counters *counters = allocate(GUARD_RULES * cpus, sizeof(*counters));

	metrics->guards = allocate(GUARDS, sizeof(*metrics->guards));
	for (uint32_t id = 1; id < GUARDS; id++) {
		struct metrics_guard *guard = &metrics->guards[metrics->guard_count];

		if (!daemon->running->guard_names[id].name[0] || maps_guard_counters(daemon->maps, id, counters))
			continue;
		memcpy(guard->name, daemon->running->guard_names[id].name, NAME_SIZE);
		for (uint32_t rule = 0; rule < GUARD_RULES; rule++)
			guard->rules[rule] = guard_counters_sum(counters + rule * cpus, cpus);
		maps_guard_exempt(daemon->maps, id, &guard->exempt);
		metrics->guard_count++;
		worker_yield(daemon->worker);
	}
	free(counters);
}

static void collect_services(const struct daemon *daemon, struct metrics *metrics)
{
	const struct farm *farm = daemon->farm;

	metrics->services = allocate(farm->config->service_count, sizeof(*metrics->services));
	for (size_t i = 0; i < farm->config->service_count; i++) {
		struct metrics_service *service = &metrics->services[metrics->service_count++];

		memcpy(service->name, farm->config->services[i].name, NAME_SIZE);
		maps_service_traffic(daemon->maps, farm->service_ids[i], &service->traffic);
		maps_service_return(daemon->maps, farm->service_ids[i], &service->returned);
		maps_service_setup_times(daemon->maps, farm->service_ids[i], &service->setup);
		worker_yield(daemon->worker);
	}
}

static void collect_probes(
	const struct daemon *daemon, const struct backend_record *record, struct metrics_backend *out)
{
	const struct health_state *state = probes_health(daemon->probes, record->pool, record->name, &record->address);
	struct latency latency = state ? health_latency(state) : record->latency;

	out->passed = state ? state->passed : 0;
	out->failed = state ? state->failed : 0;
	out->latency_last = latency.last;
	out->latency_mean = latency.mean;
	out->latency_p95 = latency.p95;
}

static void collect_backend(const struct daemon *daemon, const struct farm_pool *pool,
	const struct farm_backend *backend, const struct slot_counts *by_id, struct metrics *metrics)
{
	const struct backend_record *record = &backend->record;
	const struct slot_counts *slots = &by_id[backend->id];
	struct metrics_backend *out;
	const struct call_counts tracked = tracked_calls_of(daemon->calls, daemon, backend->id);
	const struct call_estimate calls = counted_calls_of(daemon, pool, backend);
	const int load = call_balance_load(daemon, backend);

	metrics->backends = array_grow(metrics->backends, metrics->backend_count, sizeof(*metrics->backends));
	out = &metrics->backends[metrics->backend_count++];
	*out = (struct metrics_backend){0};
	memcpy(out->pool, record->pool, NAME_SIZE);
	memcpy(out->name, record->name, NAME_SIZE);
	out->state = record->state;
	out->passive_down = backend->passive_down;
	out->weight = record->weight;
	out->share = (double)slots->owned / daemon->running->contract.slots;
	out->gaining = slots->gaining;
	out->losing = slots->losing;
	out->releasing = slots->releasing;
	out->calls = calls.calls;
	out->calls_error = calls.error;
	out->calls_known = calls.known;
	out->load = load < 0 ? 0 : load;
	out->load_known = load >= 0;
	out->tracked_calls = tracked.calls;
	out->connections = tracked.connections;
	collect_probes(daemon, record, out);
	maps_backend_traffic(daemon->maps, backend->id, &out->traffic);
	out->has_return = backend->forward == FORWARD_NAT;
	if (!out->has_return)
		return;
	maps_backend_return(daemon->maps, backend->id, &out->returned);
	maps_backend_setup_times(daemon->maps, backend->id, &out->setup);
	maps_unanswered_calls(daemon->maps, backend->id, &out->unanswered);
}

/* Releases the lock between backends. Only the worker replaces the farm, so the pool stays valid. A server that joins
 * or leaves during this function may be missing until the next scrape. */
static void collect_pool(const struct daemon *daemon, const struct farm_pool *pool, struct metrics *metrics)
{
	struct metrics_pool *out = &metrics->pools[metrics->pool_count++];
	struct slot_counts *slots = report_count_slots(daemon, pool->id);
	struct balance_counters counters;

	maps_balance_counters(daemon->maps, pool->id, &counters);
	out->placed = counters.placed;
	out->overload = counters.overload;
	out->uncounted = counters.untabled;
	memcpy(out->name, pool->config->name, NAME_SIZE);
	out->backends = report_backends(pool);
	out->serving = report_serving(daemon, pool);
	out->fail_open = pool->fail_open;
	out->failing = pool->tolerated;
	out->migrating = daemon->running->pools[pool->id].migrating;
	for (size_t i = 0; i < pool->count; i++) {
		if (farm_backend_exists(&pool->backends[i]))
			collect_backend(daemon, pool, &pool->backends[i], slots, metrics);
		worker_yield(daemon->worker);
	}
	free(slots);
}

static void collect_pools(const struct daemon *daemon, struct metrics *metrics)
{
	const struct farm *farm = daemon->farm;

	metrics->pools = allocate(farm->config->pool_count, sizeof(*metrics->pools));
	for (size_t i = 0; i < farm->config->pool_count; i++)
		collect_pool(daemon, &farm->pools[i], metrics);
}

static void collect_punts(const struct daemon *daemon, struct metrics *metrics)
{
	const struct punt_counts counts = punt_counts(daemon->punt_handler);
	const struct refuse_counts refused = refuse_counts(daemon->refuser);
	const struct metrics_result punts[] = {
		{"fragment_held", counts.held},
		{"fragment_sent", counts.sent},
		{"fragment_timed_out", counts.timed_out},
		{"fragment_displaced", counts.displaced},
		{"fragment_duplicate", counts.duplicates},
		{"fragment_late", counts.late_fragments},
		{"fragment_unsent", counts.unsent},
		{"oversize_late", counts.late_oversize},
		{"oversize_fragmented", counts.fragmented},
		{"oversize_answered", counts.answered},
		{"oversize_refused", counts.refused},
		{"nat_routed", counts.routed_nat},
		{"nat_unsent", counts.unsent_nat},
		{"nat_late", counts.late_nat},
		{"refusal_answered", refused.answered},
		{"refusal_late", refused.late},
		{"refusal_unusable", refused.unusable},
		{"refusal_too_large", refused.too_large},
		{"refusal_unsent", refused.unsent},
	};

	_Static_assert(sizeof(punts) <= sizeof(metrics->punts) - sizeof(punts[0]), "METRICS_PUNTS is too small");
	memcpy(metrics->punts, punts, sizeof(punts));
}

static void collect_capture(const struct daemon *daemon, struct metrics *metrics)
{
	const struct capture_sender_counts counts = capture_sender_counts(daemon->capture_sender);
	const struct metrics_result losses[] = {
		{"ring_full", counts.ring_full},
		{"incomplete", counts.incomplete},
		{"too_long", counts.too_long},
		{"unsent", counts.unsent},
		{"refused", counts.refused},
	};

	_Static_assert(sizeof(losses) <= sizeof(metrics->capture_losses) - sizeof(losses[0]),
		"METRICS_CAPTURE_LOSSES is too small");
	memcpy(metrics->capture_losses, losses, sizeof(losses));
	metrics->captured = counts.sent;
}

void observe_metrics(struct daemon *daemon, enum observe_format format, struct observe_page *page)
{
	struct metrics metrics = {
		.version = SIPXDP_VERSION,
		.started = daemon->started,
		.join_lost_datagrams = join_listener_lost(daemon->join_listener, JOIN_LOST_DATAGRAMS),
		.join_lost_connections = join_listener_lost(daemon->join_listener, JOIN_LOST_CONNECTIONS),
		.log_lines_lost = log_lost(),
		.longest_turn = worker_longest_turn(daemon->worker),
		.reconcile_pending = daemon->unreconciled || daemon->using_next_maps,
		.away = daemon->farm->away_since != 0,
		.counted_calls = counted_calls_entries(daemon->counted_calls),
		.counted_calls_limit = daemon->running->contract.counted_calls,
		.tracked_calls_limit = daemon->running->contract.tracked_calls,
	};

	maps_verdicts(daemon->maps, &metrics.verdicts);
	collect_punts(daemon, &metrics);
	collect_capture(daemon, &metrics);
	collect_interfaces(daemon, &metrics);
	collect_guards(daemon, &metrics);
	collect_services(daemon, &metrics);
	collect_pools(daemon, &metrics);
	worker_unlock(daemon->worker);
	page->type = format == OBSERVE_OPENMETRICS ? METRICS_TYPE_OPENMETRICS : METRICS_TYPE_PROMETHEUS;
	page->text = metrics_write(&metrics, format == OBSERVE_OPENMETRICS, &page->length);
	metrics_free(&metrics);
	worker_lock(daemon->worker);
}
