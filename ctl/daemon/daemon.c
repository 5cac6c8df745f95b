// SPDX-License-Identifier: GPL-2.0
/* See daemon.h. */

#include <errno.h>
#include <string.h>
#include <time.h>
#include "core/base/memory.h"
#include "active_maps.h"
#include "call_balance.h"
#include "ctl/daemon/control/commands.h"
#include "ctl/daemon/capture/capture_sender.h"
#include "counted_calls.h"
#include "tracked_calls.h"
#include "ctl/maps/clock.h"
#include "daemon.h"
#include "ctl/daemon/trace/trace.h"
#include "drain.h"
#include "ctl/daemon/join/join_listener.h"
#include "backend_state.h"
#include "listening_clock.h"
#include "log.h"
#include "floods.h"
#include "passive.h"
#include "ctl/daemon/group/group_phases.h"
#include "ctl/daemon/group/group_changes.h"
#include "ctl/daemon/group/group_watch.h"
#include "ctl/daemon/group/transfer_watch.h"
#include "ctl/daemon/guard/guard_blocks.h"
#include "ctl/daemon/guard/guard_lists.h"
#include "ctl/daemon/guard/guard_watch.h"
#include "setups.h"
#include "sources.h"
#include "ctl/daemon/neighbour/own_macs.h"
#include "ctl/daemon/observe/observe.h"
#include "privileges.h"
#include "ctl/daemon/probe/probes.h"

#define TICK_USEC 1000000
#define TICK_ACCURACY_USEC 10000
#define FAST_TICK_USEC 50000         /* while the loader switches to new maps */
#define NEIGHBOUR_TIMEOUT_SECONDS 10 /* after a start: how long to wait for missing MAC addresses */
#define SAVE_LATENCY_TICKS 10        /* the maps receive new probe latencies every 10 ticks */
#define UNINTERRUPTED_MSEC 250       /* minimum run time of a plan before a change may stop it */

/* --- from farm to maps */

/* The steps of a plan that were executed. */
struct progress {
	size_t steps;
	int error; /* -errno of the step after these, if that step failed; 0: no step failed */
};

/* Runs without the lock, because only the worker changes the data that this function reads. The maps are consistent
 * between any two steps, so the plan can stop there when a more urgent change arrives. It runs for at least
 * UNINTERRUPTED_MSEC, so that a constant stream of changes does not prevent all progress. */
static struct progress carry_out(const struct daemon *daemon, const struct plan *plan)
{
	const uint64_t began = clock_msec();
	struct progress progress = {0};

	for (; progress.steps < plan->count; progress.steps++) {
		if (atomic_load(&daemon->changed) && clock_msec() - began > UNINTERRUPTED_MSEC)
			break;
		progress.error = maps_apply(daemon->maps, &plan->steps[progress.steps]);
		if (progress.error)
			break;
	}
	return progress;
}

static void raise_nat_generation(struct daemon *daemon)
{
	int error = maps_raise_nat_generation(daemon->maps);

	if (error)
		log_error(
			"cannot write the map nat_generation: %s; packets of 'forward: nat' may use the previous route "
			"for up to a second",
			strerror(-error));
}

/* Callback: the kernel's routes or neighbours have changed. */
static void on_rerouted(void *data)
{
	struct daemon *daemon = data;

	if (daemon->running->nat.flags & NAT_ACTIVE)
		raise_nat_generation(daemon);
}

static void apply_steps_to_image(struct daemon *daemon, const struct plan *plan, const struct progress *progress)
{
	const struct plan_step *step = plan->steps;

	for (; step < plan->steps + progress->steps; step++) {
		daemon->renames += plan_step_renames(step, daemon->running);
		plan_step_apply(step, daemon->running);
		if (step->kind == PLAN_COUNTED_CALLS)
			call_balance_invalidate(daemon->call_balance);
		/* Packets do not use new maps while the daemon fills them, so these steps are not logged. */
		if (step->text && !daemon->using_next_maps)
			log_event(LOG_INFO, LOG_FIELDS({"event", "step"}), "%s", step->text);
		worker_yield(daemon->worker);
	}
	if (progress->error)
		log_error("cannot change the maps: %s (step %zu of %zu%s%s); trying again every second",
			strerror(-progress->error), progress->steps + 1, plan->count, step->text ? ": " : "",
			step->text ? step->text : "");
}

/* Must the daemon still wait for MAC addresses after its start? Until they are known, slots have no owners, and
 * the maps must not be marked as filled. */
static bool awaits_neighbours(const struct daemon *daemon)
{
	bool pending = false;

	for (size_t i = 0; i < daemon->farm->config->pool_count; i++)
		for (size_t j = 0; j < daemon->farm->pools[i].count; j++)
			pending |= daemon->farm->pools[i].backends[j].record.state == STATE_PENDING;
	return pending && (uint64_t)time(NULL) < daemon->started + NEIGHBOUR_TIMEOUT_SECONDS;
}

/* Computes one plan for the time `now`, carries it out, and advances `now`. 0 or -errno; 1 if a change
 * stopped the plan early. */
static int reconcile_once(struct daemon *daemon, uint64_t *now)
{
	const uint64_t start = *now;
	struct farm *farm;
	struct image *desired;
	struct plan *plan;
	struct progress progress;
	bool phases_ended;
	int result;

	atomic_store(&daemon->changed, false);
	backend_state_update(daemon);
	worker_yield(daemon->worker);
	if (!daemon->using_next_maps)
		probes_follow_farm(daemon->probes, daemon->farm);
	worker_yield(daemon->worker);
	counted_calls_report(daemon, daemon->farm);
	farm = farm_trial_copy(daemon->farm);
	transfer_watch_adopt(daemon->transfer_watch);
	phases_ended = group_phases_read(daemon->group_phases, daemon);
	worker_unlock(daemon->worker);
	if (image_is_migrating(daemon->running) && (phases_ended || desired_next(daemon->desired) <= start))
		tracked_calls_hold_slots(daemon);
	desired = desired_image(daemon->desired, farm, daemon->running, start);
	plan = plan_new(daemon->running, desired);
	progress = carry_out(daemon, plan);
	*now = clock_msec();
	desired_postpone(daemon->desired, start, *now);
	group_phases_send(daemon->group_phases, daemon, farm, *now);
	farm_trial_free(farm);
	worker_lock(daemon->worker);
	raise_nat_generation(daemon);
	for (size_t i = 0; i < plan->disruptions.count; i++)
		log_warning("%s", plan->disruptions.list[i]);
	apply_steps_to_image(daemon, plan, &progress);
	image_take_wanted(daemon->running, desired);
	result = progress.steps == plan->count ? 0 : progress.error ? progress.error : 1;
	plan_free(plan);
	image_free(desired);
	return result;
}

int daemon_reconcile(struct daemon *daemon)
{
	int macs = own_macs_reconcile(daemon), error;
	uint64_t now = clock_msec();

	do
		error = reconcile_once(daemon, &now);
	while (error > 0);
	if (!error)
		error = macs;
	if (!error)
		error = call_balance_update(daemon->call_balance, daemon);
	if (!error)
		group_watch_reconciled(daemon->group_watch);
	if (!error && !awaits_neighbours(daemon) && !group_watch_is_joining(daemon->group_watch) &&
		guard_lists_are_ready(daemon) && guard_blocks_are_synced(daemon))
		error = maps_set_filled(daemon->maps);
	daemon->unreconciled = error != 0;
	return error;
}

static void reconcile_job(void *data)
{
	struct daemon *daemon = data;

	daemon->reconcile_queued = false;
	daemon_reconcile(daemon);
}

void daemon_on_changed(void *data)
{
	struct daemon *daemon = data;

	atomic_store(&daemon->changed, true);
	if (!daemon->reconcile_queued)
		worker_add_urgent(daemon->worker, reconcile_job, NULL, daemon);
	daemon->reconcile_queued = true;
}

void daemon_on_probed(void *data)
{
	if (backend_state_update(data))
		daemon_on_changed(data);
}

/* The outer sources of all pools. */
static void set_tunnel_sources(struct daemon *daemon)
{
	const struct config *config = daemon->farm->config;
	struct prefix_key *prefixes = allocate(config->pool_count, sizeof(*prefixes));
	size_t count = 0;

	for (size_t i = 0; i < config->pool_count; i++)
		if (config->pools[i].outer_source.bits)
			prefixes[count++] = config->pools[i].outer_source;
	neighbours_set_sources(daemon->neighbours, prefixes, count);
	free(prefixes);
}

void daemon_watch_neighbours(struct daemon *daemon)
{
	const struct farm *farm = daemon->farm;
	struct address *addresses = NULL;
	size_t count = 0;
	int error;

	for (size_t i = 0; i < farm->config->pool_count; i++) {
		addresses = reallocate(addresses, count + farm->pools[i].count, sizeof(*addresses));
		for (size_t j = 0; j < farm->pools[i].count; j++)
			if (farm_backend_exists(&farm->pools[i].backends[j]))
				addresses[count++] = farm->pools[i].backends[j].record.address;
	}
	set_tunnel_sources(daemon);
	error = neighbours_watch(daemon->neighbours, addresses, count);
	if (error)
		log_error("cannot watch the routes to the backends: %s", strerror(-error));
	free(addresses);
}

/* --- starting and stopping */

static void joined_job(void *data)
{
	daemon_watch_neighbours(data);
}

static void on_joined(void *data)
{
	struct daemon *daemon = data;

	worker_add_urgent(daemon->worker, joined_job, NULL, daemon);
	group_watch_config_changed(daemon->group_watch);
	daemon_on_changed(daemon);
}

/* Is the next step of a migration, of a pending health decision or of a slow start due? */
static bool is_due(const struct daemon *daemon)
{
	uint32_t slow_start = farm_next_slow_start_step(daemon->farm);
	uint64_t now = clock_msec();

	return desired_next(daemon->desired) <= now || backend_state_next(daemon) <= listening_clock_now() ||
	       (slow_start && slow_start <= time(NULL));
}

/* The time until the next tick, us: one second, or less if a health decision is due earlier. */
static uint64_t next_tick(const struct daemon *daemon)
{
	uint64_t now = listening_clock_now(), next = backend_state_next(daemon);

	if (daemon->using_next_maps)
		return FAST_TICK_USEC;
	if (next >= now + TICK_USEC / 1000)
		return TICK_USEC;
	return next > now ? (next - now) * 1000 : FAST_TICK_USEC;
}

static void log_socket_error(const struct daemon *daemon, const char *failed, int error, const char *next)
{
	const char *path = daemon->socket_path, *slash = strrchr(path, '/');

	if (error == -EAGAIN)
		log_error("%s %s: another process has locked the directory %.*s ('lsof' names it; with mode 0711 "
			  "other users cannot lock the directory)%s",
			failed, path, slash ? (int)(slash - path) + 1 : 1, slash ? path : ".", next);
	else
		log_error("%s %s: %s%s%s", failed, path, strerror(-error),
			error == -EADDRINUSE ? " (another sipxdpd listens there)" : "", next);
}

static void check_control_socket(struct daemon *daemon)
{
	int error = control_check_socket(daemon->control);

	if (error > 0)
		log_warning("listening on %s again: the socket file was removed", daemon->socket_path);
	else if (error && error != daemon->control_error)
		log_socket_error(
			daemon, "cannot create the removed control socket", error, "; trying again every second");
	daemon->control_error = error < 0 ? error : 0;
}

static void tick_job(void *data)
{
	struct daemon *daemon = data;

	daemon->tick_queued = false;
	active_maps_update(daemon);
	counted_calls_sweep(daemon->counted_calls, daemon);
	setups_sweep(daemon);
	/* After a switch to new maps, the image is empty until the next plan. */
	if (!daemon->using_next_maps && !daemon->unreconciled && drain_remove_empty(daemon->drain, daemon)) {
		daemon_watch_neighbours(daemon);
		daemon->unreconciled = true;
	}
	floods_sample(daemon->floods, daemon);
	passive_watch_sample(daemon->passive_watch, daemon);
	guard_watch_sample(daemon->guard_watch, daemon);
	observe_sample(daemon->observe);
	/* Reconciling also writes the probe latencies to the maps, from which the next daemon reads them. */
	if (daemon->unreconciled || is_due(daemon) || ++daemon->ticks % SAVE_LATENCY_TICKS == 0)
		daemon_reconcile(daemon);
	guard_lists_update(daemon);
	group_watch_update_lines(daemon->group_watch);
}

/* The interval to the next tick begins now, even if this tick was late. */
static int on_tick(sd_event_source *source, uint64_t now, void *data)
{
	struct daemon *daemon = data;

	(void)now;
	log_flush();
	check_control_socket(daemon);
	observe_update(daemon->observe);
	observers_update(daemon->observers);
	sources_update(daemon->sources, daemon);
	traces_update(daemon->traces);
	capture_sender_update(daemon->capture_sender);
	group_watch_update(daemon->group_watch);
	guard_blocks_update(daemon);
	if (join_listener_check_silence(daemon->join_listener))
		on_joined(daemon);
	if (backend_state_next(daemon) <= listening_clock_now())
		daemon_on_probed(daemon);
	if (!daemon->tick_queued)
		worker_add_urgent(daemon->worker, tick_job, NULL, daemon);
	daemon->tick_queued = true;
	sd_event_source_set_time_relative(source, next_tick(daemon));
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int start_control(struct daemon *daemon, control_answer *answer)
{
	int error = control_new(&daemon->control, daemon->event, daemon->socket_path, answer, daemon);

	if (error)
		log_socket_error(daemon, "cannot listen on", error, "");
	else
		control_set_worker(daemon->control, daemon->worker);
	return error;
}

/* Call this before the first thread starts, because each thread keeps its own capabilities. */
static int drop_privileges(struct daemon *daemon)
{
	int error = probe_namespace_start(&daemon->probe_namespace);

	if (error) {
		log_error("cannot start the process that opens the sockets of probes: %s", strerror(-error));
		return error;
	}
	error = privileges_drop();
	if (error)
		log_error("cannot drop privileges: %s", strerror(-error));
	return error;
}

int daemon_start(struct daemon *daemon)
{
	int error;

	daemon->desired = desired_new();
	daemon->calls = tracked_calls_new();
	daemon->counted_calls = counted_calls_new();
	daemon->drain = drain_new();
	daemon->floods = floods_new();
	daemon->passive_watch = passive_watch_new();
	daemon->group_watch = group_watch_new(daemon);
	daemon->group_phases = group_phases_new();
	daemon->group_changes = group_changes_new(daemon);
	daemon->transfer_watch = transfer_watch_new(daemon);
	daemon->guard_watch = guard_watch_new();
	daemon->guard_lists = guard_lists_new();
	daemon->guard_blocks = guard_blocks_new();
	daemon->sources = sources_new();
	daemon->observe = observe_new(daemon);
	daemon->traces = traces_new(daemon);
	daemon->capture_sender = capture_sender_new(daemon);
	error = drop_privileges(daemon);
	if (!error)
		error = active_maps_open(daemon);
	if (!error) {
		guard_lists_start(daemon);
		guard_blocks_start(daemon);
	}
	if (!error)
		daemon->observers = observers_new(daemon->event, daemon->pin_directory);
	if (!error)
		error = listening_clock_start(daemon->event);
	daemon->listening_since = listening_clock_now();
	daemon->started = time(NULL); /* set after active_maps_open(), which may wait for hours */
	if (!error) {
		error = worker_new(&daemon->worker, daemon->event);
		if (error)
			log_error("cannot start the worker thread: %s", strerror(-error));
	}
	if (!error) {
		error = neighbours_new(&daemon->neighbours, daemon->event, daemon_on_changed, on_rerouted, daemon);
		if (error)
			log_error("cannot read routes and neighbours from the kernel: %s", strerror(-error));
	}
	if (!error) {
		error = join_listener_new(&daemon->join_listener, daemon, on_joined, daemon);
		if (error)
			log_error("cannot accept servers that join: %s", strerror(-error));
	}
	if (!error) {
		error = call_balance_new(&daemon->call_balance, daemon);
		if (error)
			log_error("cannot start the timer of the balance: %s", strerror(-error));
	}
	if (!error)
		error = start_control(daemon, commands_run);
	if (!error)
		error = sd_event_add_time_relative(
			daemon->event, NULL, CLOCK_MONOTONIC, FAST_TICK_USEC, TICK_ACCURACY_USEC, on_tick, daemon);
	if (error < 0)
		return error;
	join_listener_reconfigure(daemon->join_listener);
	observe_update(daemon->observe);
	capture_sender_update(daemon->capture_sender);
	group_watch_update(daemon->group_watch);
	daemon_watch_neighbours(daemon);
	daemon_on_changed(daemon); /* the daemon retries a failed step every second */
	return 0;
}

void daemon_stop(struct daemon *daemon)
{
	worker_free(daemon->worker);
	daemon->worker = NULL;
	/* Writes servers that the daemon has accepted but not yet written to the maps. If there is no control socket,
	 * the start has failed, and there is nothing to write. */
	if (daemon->control && atomic_load(&daemon->changed))
		daemon_reconcile(daemon);
	control_free(daemon->control);
	join_listener_free(daemon->join_listener);
	observe_free(daemon->observe);
	traces_free(daemon->traces);
	sources_free(daemon->sources, daemon);
	capture_sender_free(daemon->capture_sender);
	observers_free(daemon->observers);
	probes_free(daemon->probes);
	probe_namespace_end(daemon->probe_namespace);
	punt_handler_free(daemon->punt_handler);
	refuse_free(daemon->refuser);
	neighbours_free(daemon->neighbours);
	desired_free(daemon->desired);
	drain_free(daemon->drain);
	floods_free(daemon->floods);
	passive_watch_free(daemon->passive_watch);
	group_changes_free(daemon->group_changes);
	group_watch_free(daemon->group_watch);
	group_phases_free(daemon->group_phases);
	transfer_watch_free(daemon->transfer_watch);
	guard_watch_free(daemon->guard_watch);
	guard_lists_free(daemon->guard_lists);
	guard_blocks_free(daemon->guard_blocks);
	tracked_calls_free(daemon->calls);
	counted_calls_free(daemon->counted_calls);
	call_balance_free(daemon->call_balance);
	farm_free(daemon->farm);
	image_free(daemon->running);
	maps_close(daemon->maps);
}
