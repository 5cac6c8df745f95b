// SPDX-License-Identifier: GPL-2.0
/* Reads the configuration file, and replaces or previews the farm. See daemon.h. */

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <time.h>
#include "ctl/daemon/group/group_watch.h"
#include "ctl/daemon/guard/guard_blocks.h"
#include "ctl/daemon/guard/guard_lists.h"
#include "ctl/daemon/join/join_listener.h"
#include "ctl/daemon/observe/observe.h"
#include "ctl/daemon/probe/certificates.h"
#include "ctl/maps/clock.h"
#include "backend_state.h"
#include "daemon.h"
#include "drain.h"
#include "listening_clock.h"
#include "log.h"

#define RECONCILE_ATTEMPTS 3 /* maximum number of attempts before a reload while changes continue to arrive */
#define FILE_SIZE_MAX (16 << 20)

/* --- the file */

struct config *daemon_read_config(const char *path, enum file_kind kind, struct faults *faults)
{
	struct config *config = NULL;
	char error[FILE_ERROR_SIZE], *text;
	size_t length;

	if (file_read(path, kind, FILE_SIZE_MAX + 1, &text, &length, error)) {
		faults_add(faults, (struct position){0}, "%s", error);
		return NULL;
	}
	config = config_parse(text, length, faults);
	free(text);
	return config;
}

void daemon_log_faults(const struct daemon *daemon, const struct faults *faults)
{
	char text[FAULT_TEXT_SIZE];

	for (size_t i = 0; i < faults->listed; i++)
		log_error("%s", fault_format(&faults->list[i], daemon->config_path, text));
}

/* --- reload and plan */

void daemon_replace_farm(struct daemon *daemon, struct farm *farm)
{
	farm_take_over(farm, daemon->farm);
	farm_free(daemon->farm);
	daemon->farm = farm;
	desired_reconfigured(daemon->desired);
	join_listener_reconfigure(daemon->join_listener);
	observe_update(daemon->observe);
	group_watch_config_changed(daemon->group_watch);
	daemon_watch_neighbours(daemon);
}

/* An interface that does not exist makes the health checks fail, and the loader cannot attach to it. */
static void warn_of_interfaces(const struct config *config, struct messages *warnings)
{
	for (size_t i = 0; i < config->interface_count; i++)
		if (!if_nametoindex(config->interfaces[i]) && errno == ENODEV)
			messages_add(warnings, "interface %s does not exist: health checks fail (see 'ip link')",
				config->interfaces[i]);
}

/* Computes the effects of a change to `farm`. Modifies `farm`. */
static void predict(struct daemon *daemon, struct farm *farm, struct effects *effects)
{
	const bool new_file = farm->config != daemon->farm->config;
	bool *has_calls = new_file ? drain_has_calls(daemon) : NULL;
	const struct preview_now now = {.ms = clock_msec(),
		.epoch = time(NULL),
		.listening = daemon->listening_since,
		.listened = listening_clock_now(),
		.has_calls = has_calls};

	farm_take_over(farm, daemon->farm);
	backend_state_report(daemon, farm);
	join_listener_mark_silent(daemon->join_listener, farm);
	worker_unlock(daemon->worker);
	preview(effects, daemon->desired, daemon->farm->config, farm, daemon->running, now);
	if (new_file)
		warn_of_interfaces(farm->config, &effects->warnings);
	worker_lock(daemon->worker);
	free(has_calls);
}

static void predict_copy(struct daemon *daemon, const struct farm *farm, struct effects *effects)
{
	struct farm *trial = farm_trial_copy(farm);

	predict(daemon, trial, effects);
	farm_trial_free(trial);
}

int daemon_change(struct daemon *daemon, struct effects *effects)
{
	predict_copy(daemon, daemon->farm, effects);
	group_watch_config_changed(daemon->group_watch);
	daemon_watch_neighbours(daemon);
	return daemon_reconcile(daemon);
}

static void log_refusal(const struct daemon *daemon, const struct effects *effects)
{
	for (size_t i = 0; i < effects->disruptions.count; i++)
		log_error("%s", effects->disruptions.list[i]);
	log_error("not reloaded: %s would move established calls; the running configuration stays in use "
		  "('sipxdp-ctl reload --move-calls' reloads anyway)",
		daemon->config_path);
}

/* Builds a farm from `config` and the running state. Pending changes are reconciled first, so that the running state
 * includes them. Only this thread changes the running state, so it can be read without the lock. NULL if `config` is
 * NULL or contains errors. */
static struct farm *build_farm(struct daemon *daemon, struct config *config, struct faults *faults)
{
	struct farm *farm = NULL;

	for (int i = 0; i < RECONCILE_ATTEMPTS && atomic_load(&daemon->changed); i++)
		daemon_reconcile(daemon);
	worker_unlock(daemon->worker);
	if (config)
		farm = farm_new(config, daemon->running, FARM_RELOAD, faults);
	worker_lock(daemon->worker);
	return farm;
}

/* If servers have joined or left during the computation, builds the farm again, because the new farm must contain every
 * accepted server. From the second attempt on, the worker keeps the lock, so that further servers must wait. */
static struct farm *rebuild_farm(struct daemon *daemon, struct farm *farm, struct faults *faults)
{
	for (int times = 0; farm && atomic_load(&daemon->changed); times++) {
		struct config *config = config_copy(farm->config);

		farm_free(farm);
		worker_keep_lock(daemon->worker, times > 0);
		farm = build_farm(daemon, config, faults);
	}
	worker_keep_lock(daemon->worker, false);
	return farm;
}

/* Reads FILE and the lists of its guard. NULL if they contain faults. */
static struct config *read_all(struct daemon *daemon, struct guard_files **files, struct faults *faults)
{
	struct config *config;

	worker_unlock(daemon->worker);
	config = certificates_check(daemon_read_config(daemon->config_path, FILE_REGULAR, faults), faults);
	worker_lock(daemon->worker);
	*files = config ? guard_lists_read(daemon, config, faults) : NULL;
	if (!config || !(*files)->faulty)
		return config;
	guard_lists_note_faults(daemon, faults);
	guard_files_free(*files);
	*files = NULL;
	config_free(config);
	return NULL;
}

/* Replaces the farm, and then the lists of the guard. Takes ownership of both. */
static int apply(struct daemon *daemon, struct farm *farm, struct guard_files *files)
{
	int error;

	farm->lists_pending = daemon->farm->lists_pending;
	daemon_replace_farm(daemon, farm);
	guard_lists_take(daemon, files);
	guard_blocks_widen(daemon);
	worker_yield(daemon->worker);
	log_event(LOG_INFO, LOG_FIELDS({"event", "reload"}), "reloaded %s", daemon->config_path);
	error = daemon_reconcile(daemon);
	guard_blocks_sync(daemon);
	if (!error)
		error = guard_lists_update(daemon);
	return !error && daemon->unreconciled ? daemon_reconcile(daemon) : error;
}

static int reload(struct daemon *daemon, bool move_calls, struct faults *faults, struct effects *effects)
{
	struct guard_files *files;
	struct config *config;
	struct farm *farm;
	int error = 0;

	config = read_all(daemon, &files, faults);
	farm = build_farm(daemon, config, faults);
	if (!farm) {
		daemon_log_faults(daemon, faults);
		log_error("not reloaded: %s has faults; the running configuration stays in use", daemon->config_path);
		error = -EINVAL;
	} else {
		predict_copy(daemon, farm, effects);
	}
	if (farm && effects->disruptions.count && !move_calls) {
		log_refusal(daemon, effects);
		farm_free(farm);
		error = -EPERM;
	}
	if (!error) {
		farm = rebuild_farm(daemon, farm, faults);
		error = farm ? 0 : -EINVAL;
	}
	if (!error)
		return apply(daemon, farm, files);
	guard_files_free(files);
	return error;
}

int daemon_reload(struct daemon *daemon, bool move_calls, struct faults *faults, struct effects *effects)
{
	int error;

	daemon->reloading = true;
	error = reload(daemon, move_calls, faults, effects);
	daemon->reloading = false;
	return error;
}

struct config *daemon_check_file(struct daemon *daemon, struct faults *faults, struct effects *effects)
{
	struct guard_files *files;
	struct config *config = read_all(daemon, &files, faults), *copy = NULL;
	struct farm *farm;

	if (config) {
		copy = config_copy(config);
		guard_files_free(files);
	}
	farm = build_farm(daemon, config, faults);
	if (!farm) {
		config_free(copy);
		return NULL;
	}
	predict(daemon, farm, effects);
	farm_free(farm);
	return copy;
}

int daemon_plan(struct daemon *daemon, const char *text, size_t length, struct faults *faults, struct effects *effects)
{
	struct config *config;
	struct farm *farm;

	worker_unlock(daemon->worker);
	config = certificates_check(config_parse(text, length, faults), faults);
	config = guard_files_check(config, faults);
	worker_lock(daemon->worker);
	farm = build_farm(daemon, config, faults);
	if (!farm)
		return -EINVAL;
	predict(daemon, farm, effects);
	farm_free(farm);
	return 0;
}
