// SPDX-License-Identifier: GPL-2.0
/* See active_maps.h. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <systemd/sd-daemon.h>
#include "ctl/maps/pin_directory.h"
#include "active_maps.h"
#include "ctl/maps/clock.h"
#include "ctl/daemon/group/group_watch.h"
#include "ctl/daemon/guard/guard_blocks.h"
#include "ctl/daemon/guard/guard_lists.h"
#include "old_abi.h"
#include "log.h"

#define WAIT_USEC 500000
#define SWITCH_MSEC 5000 /* maximum time that the loader needs to activate filled maps */

static const char *next_directory(const struct daemon *daemon, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/" PIN_NEXT, daemon->pin_directory);
	return path;
}

/* The daemon continues after a failure: the balancer then passes packets to the kernel instead, drops refused INVITEs,
 * and counts both. */
static void open_rings(struct daemon *daemon)
{
	int error;

	punt_handler_free(daemon->punt_handler);
	error = punt_handler_new(&daemon->punt_handler, daemon->event, daemon->pin_directory);
	if (error)
		log_error("cannot handle early fragments and packets that are too big: %s", strerror(-error));
	refuse_free(daemon->refuser);
	error = refuse_new(&daemon->refuser, daemon->event, daemon->pin_directory);
	if (error)
		log_error("cannot answer INVITEs that the guard refuses: %s", strerror(-error));
}

/* Needs the pinned maps, because probe responses also arrive through them. */
static int start_probes(struct probes **probes, struct daemon *daemon)
{
	int error = probes_new(
		probes, daemon->event, daemon->probe_namespace, daemon->pin_directory, daemon_on_probed, daemon);

	if (error)
		log_error("cannot probe backends: %s", strerror(-error));
	return error;
}

/* --- the lock */

static bool is_locked(const struct daemon *daemon, int directory)
{
	struct stat locked, found;

	return daemon->lock >= 0 && !fstat(daemon->lock, &locked) && !fstat(directory, &found) &&
	       locked.st_dev == found.st_dev && locked.st_ino == found.st_ino;
}

/* Locks the pin directory, so that one set of maps has one daemon. The kernel releases the lock when the process
 * exits. `detach` and `attach` create a new directory with the same name, which needs a new lock. 0 or -errno,
 * logged. */
static int lock_maps(struct daemon *daemon)
{
	char refusal[PIN_DIRECTORY_ERROR_SIZE];
	int fd, error = pin_directory_check(daemon->pin_directory, refusal);

	if (error) {
		log_error("%s", refusal);
		return error;
	}
	fd = open(daemon->pin_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error = -errno;
	if (fd < 0) {
		log_error("cannot open %s: %s (%s)", daemon->pin_directory, strerror(-error),
			error == -EACCES ? "run sipxdpd as root, or as user " PIN_DIRECTORY_USER
					   " after 'systemd-tmpfiles --create' and 'sipxdp-loader upgrade'"
					 : "run 'sipxdp-loader attach -c FILE' first");
		return error;
	}
	if (is_locked(daemon, fd)) {
		close(fd);
		return 0;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		log_error("cannot lock %s: another sipxdpd manages these maps", daemon->pin_directory);
		close(fd);
		return -EBUSY;
	}
	if (daemon->lock >= 0)
		close(daemon->lock);
	daemon->lock = fd;
	return 0;
}

const char *active_maps_directory(const struct daemon *daemon, char path[ACTIVE_MAPS_PATH_SIZE])
{
	if (daemon->using_next_maps || maps_are_pinned(daemon->maps, daemon->pin_directory))
		return daemon->pin_directory;
	snprintf(path, ACTIVE_MAPS_PATH_SIZE, "/proc/self/fd/%d", daemon->lock);
	return maps_are_pinned(daemon->maps, path) == 1 ? path : daemon->pin_directory;
}

bool active_maps_are_cut_off(const struct daemon *daemon)
{
	char path[ACTIVE_MAPS_PATH_SIZE];

	return active_maps_directory(daemon, path) == path;
}

/* --- opening one set of maps */

/* Opened maps, before the daemon uses them. */
struct candidate {
	struct maps *maps;
	struct image *running;   /* the content of the maps */
	struct image *inherited; /* state of the previous maps, to be written to empty maps; NULL: none */
	struct farm *farm;
};

/* Opens the next maps if the loader waits for the daemon to fill them. 0 or -errno; -EEXIST: they are filled or given
 * up already. */
static int open_next(const struct daemon *daemon, struct maps **maps)
{
	char text[MAPS_ERROR_SIZE], path[PATH_MAX];
	int error = maps_open(maps, next_directory(daemon, path), text);

	if (error || maps_contract(*maps)->filled == CONTRACT_EMPTY)
		return error;
	maps_close(*maps);
	return -EEXIST;
}

/* Must be called before the daemon uses the pinned maps: the loader must not activate next maps that do not receive
 * the changes of the daemon. The loader removes the contract of the pinned maps, then reads `filled` of the next maps,
 * and only then updates the links. This function writes `filled` and then looks for the contract. If both do this at
 * the same time, at least one of them sees the other: the loader stops, or this function undoes its write and returns
 * -EAGAIN. 0 or -errno. */
static int give_up_next_maps(const struct daemon *daemon, const struct maps *pinned)
{
	char path[PATH_MAX];
	int error = maps_change_filled(next_directory(daemon, path), CONTRACT_FILLED, CONTRACT_GIVEN_UP);

	if (error || maps_are_pinned(pinned, daemon->pin_directory) == 1)
		return error;
	maps_change_filled(path, CONTRACT_GIVEN_UP, CONTRACT_FILLED);
	return -EAGAIN;
}

static void use_next_maps(struct daemon *daemon)
{
	daemon->using_next_maps = true;
	daemon->is_switch_interrupted = false;
	daemon->next_maps_deadline = 0;
}

/* Builds the farm from the content of the maps or, if they are empty, from `previous`, the content of the previous
 * maps. If the maps are too small for all backends, the farm stays NULL, and the faults receive an error. */
static void build_farm(
	struct candidate *candidate, struct config *config, const struct image *previous, struct faults *faults)
{
	bool empty = !candidate->running->contract.filled;

	if (previous && empty)
		candidate->inherited = image_resized_copy(previous, &candidate->running->contract);
	if (previous && empty && !candidate->inherited) {
		faults_add(faults, (struct position){0},
			"limits: the new maps have room for fewer backends than are running");
		config_free(config);
		return;
	}
	candidate->farm = farm_new(
		config, candidate->inherited ? candidate->inherited : candidate->running, FARM_RESTART, faults);
}

static void reject(struct candidate *candidate)
{
	farm_free(candidate->farm);
	image_free(candidate->running);
	image_free(candidate->inherited);
	maps_close(candidate->maps);
	*candidate = (struct candidate){0};
}

/* Returns true once for each version of FILE. */
static bool is_new_file(struct daemon *daemon)
{
	struct stat file = {};

	stat(daemon->config_path, &file);
	if (!memcmp(&file.st_mtim, &daemon->logged_file_time, sizeof(file.st_mtim)))
		return false;
	daemon->logged_file_time = file.st_mtim;
	return true;
}

/* A newer map has a higher id in the kernel, so this logs the errors once for each set of maps and each FILE. */
static void log_misfit(struct daemon *daemon, const struct maps *maps, const struct faults *faults)
{
	bool is_new = is_new_file(daemon);

	if (is_new || maps_id(maps) > daemon->too_small_maps)
		daemon_log_faults(daemon, faults);
	if (maps_id(maps) > daemon->too_small_maps)
		daemon->too_small_maps = maps_id(maps);
}

/* Reads the content of opened maps and builds the farm for them. Takes ownership of `maps` and `config`, also on
 * failure. 0 or -errno: -EINVAL if FILE does not fit the maps or the backends that they contain, which is logged
 * once. */
static int load(struct daemon *daemon, struct maps *maps, struct config *config, const struct image *previous,
	struct candidate *candidate)
{
	struct faults faults = {0};
	int error;

	*candidate = (struct candidate){.maps = maps};
	error = maps_read(maps, &candidate->running);
	if (error) {
		log_error("cannot read the maps in %s: %s", daemon->pin_directory, strerror(-error));
		config_free(config);
		return error;
	}
	build_farm(candidate, config, previous, &faults);
	if (!candidate->farm)
		log_misfit(daemon, maps, &faults);
	faults_free(&faults);
	return candidate->farm ? 0 : -EINVAL;
}

/* Copies the slot owners and the migrations of the previous maps, and frees that state. */
static void inherit(struct daemon *daemon, struct candidate *candidate)
{
	if (candidate->inherited)
		desired_inherit(daemon->desired, candidate->farm, candidate->inherited, clock_msec());
	image_free(candidate->inherited);
	candidate->inherited = NULL;
}

/* --- start */

/* Reads FILE again, because it may have changed during the wait, and loads the maps for it. 0 or -errno. */
static int try_maps(struct daemon *daemon, struct maps *maps, const struct image *previous, struct candidate *candidate)
{
	struct faults faults = {0};
	struct config *config = daemon_read_config(daemon->config_path, FILE_REGULAR, &faults);
	int error = config ? load(daemon, maps, config, previous, candidate) : -EINVAL;

	if (!config && is_new_file(daemon))
		daemon_log_faults(daemon, &faults);
	faults_free(&faults);
	if (!config)
		maps_close(maps);
	else if (error)
		reject(candidate);
	return error;
}

/* Waits for new maps from the loader, or until FILE fits the pinned maps again. A fast loader may have
 * pinned the new maps already. `*previous` is the content of the pinned maps; NULL: they have a different ABI version.
 * 0 or -errno. */
static int wait_for_maps(struct daemon *daemon, struct image **previous, struct candidate *candidate)
{
	char text[MAPS_ERROR_SIZE], path[PATH_MAX];
	struct maps *maps;

	sd_notify(0, "READY=1\nSTATUS=waiting for sipxdp-loader upgrade or a different FILE");
	sd_event_set_watchdog(daemon->event, true);
	while (sd_event_get_state(daemon->event) != SD_EVENT_FINISHED) {
		if (!maps_open(&maps, daemon->pin_directory, text) && !try_maps(daemon, maps, *previous, candidate))
			return lock_maps(daemon);
		if (!open_next(daemon, &maps)) {
			if (!*previous)
				*previous = old_abi_read(daemon->pin_directory, next_directory(daemon, path));
			if (!try_maps(daemon, maps, *previous, candidate)) {
				use_next_maps(daemon);
				return 0;
			}
		}
		sd_event_run(daemon->event, WAIT_USEC);
	}
	return -ECANCELED;
}

/* Closes maps that FILE does not fit, and keeps their content for the new maps. */
static struct image *keep_content(const struct daemon *daemon, struct candidate *candidate)
{
	struct image *content = candidate->running;

	log_error("waiting for new maps or a different %s (the errors above say which); forwarding continues",
		daemon->config_path);
	if (image_is_migrating(content))
		log_warning(
			"slots are migrating: with a different number of slots (limits: slots) their calls may move");
	candidate->running = NULL;
	reject(candidate);
	return content;
}

/* Opens the pinned maps. If they have a different ABI version or FILE does not fit them, waits for the maps that
 * replace them, or for a different FILE. 0 or -errno. */
static int open_pinned_or_wait(struct daemon *daemon, struct config *config, struct candidate *candidate)
{
	char text[MAPS_ERROR_SIZE];
	struct image *previous = NULL;
	struct maps *maps;
	int error = maps_open(&maps, daemon->pin_directory, text);

	if (error) {
		log_error("%s", text);
		config_free(config);
		if (error != -EPROTO)
			return error;
	} else {
		error = load(daemon, maps, config, NULL, candidate);
		if (!error)
			return 0;
		if (error != -EINVAL) {
			reject(candidate);
			return error;
		}
		previous = keep_content(daemon, candidate);
	}
	error = wait_for_maps(daemon, &previous, candidate);
	image_free(previous);
	return error;
}

int active_maps_open(struct daemon *daemon)
{
	struct candidate candidate = {0};
	struct faults faults = {0};
	struct config *config = daemon_read_config(daemon->config_path, FILE_REGULAR, &faults);
	int error = config ? lock_maps(daemon) : -EINVAL;

	daemon_log_faults(daemon, &faults);
	faults_free(&faults);
	if (error)
		config_free(config);
	else
		error = open_pinned_or_wait(daemon, config, &candidate);
	/* A daemon that was killed may have filled next maps, and the loader may still be running. */
	if (!error && !daemon->using_next_maps) {
		error = give_up_next_maps(daemon, candidate.maps);
		if (error)
			log_error("cannot use the maps in %s: %s (the loader may be activating new maps)",
				daemon->pin_directory, strerror(-error));
	}
	if (error) {
		reject(&candidate);
		return error;
	}
	daemon->maps = candidate.maps;
	daemon->running = candidate.running;
	daemon->renames++;
	daemon->farm = candidate.farm;
	inherit(daemon, &candidate);
	error = start_probes(&daemon->probes, daemon);
	if (!error && !daemon->using_next_maps)
		open_rings(daemon);
	return error;
}

/* --- while the daemon runs */

/* Returns the running configuration with the sizes of the new maps. Does not read FILE, which may have changed. */
static struct config *running_config(const struct daemon *daemon, const struct maps *maps)
{
	const struct contract *contract = maps_contract(maps);
	struct config *config = config_copy(daemon->farm->config);

	config->limits.slots = contract->slots;
	config->limits.pools = contract->pools;
	config->limits.services = contract->services;
	config->limits.backends = contract->backends;
	config->limits.tracked_calls = contract->tracked_calls;
	config->limits.counted_calls = contract->counted_calls;
	config->limits.guarded_sources = contract->guarded_sources;
	return config;
}

static bool same_sizes(const struct contract *a, const struct contract *b)
{
	return !memcmp(a, b, offsetof(struct contract, filled));
}

/* Switches to new maps and takes ownership of them. If the new maps are empty, fills them with the content of the
 * previous maps. After a failure, for instance if the new maps are too small, the daemon continues with the previous
 * maps. 0 or -errno. */
static int switch_to(struct daemon *daemon, struct maps *maps)
{
	struct candidate candidate = {0};
	struct probes *probes;
	int error = load(daemon, maps, running_config(daemon, maps), daemon->running, &candidate);

	if (!error)
		error = start_probes(&probes, daemon);
	if (error) {
		reject(&candidate);
		return error;
	}
	log_info("%s", maps_are_filled(maps) ? "switching to other maps, which are filled" : "filling new maps");
	if (!same_sizes(&candidate.running->contract, &daemon->running->contract)) {
		desired_free(daemon->desired);
		daemon->desired = desired_new();
		inherit(daemon, &candidate);
	}
	image_free(candidate.inherited);
	maps_close(daemon->maps);
	image_free(daemon->running);
	probes_free(daemon->probes);
	daemon->maps = candidate.maps;
	daemon->running = candidate.running;
	daemon->renames++;
	daemon->probes = probes;
	daemon->unreconciled = true;
	daemon_replace_farm(daemon, candidate.farm);
	guard_lists_follow_maps(daemon);
	guard_blocks_follow_maps(daemon);
	return 0;
}

/* The event for which a switch to new maps must wait; NULL: none. The kernel finds tracked calls by slot and backend
 * id. If the new maps have the same slots and ids, migrations continue there. */
static const char *find_delay(struct daemon *daemon, const struct maps *maps)
{
	/* Complete pending changes first, because they may start a migration. */
	if (daemon_reconcile(daemon) ||
		(image_is_migrating(daemon->running) && !image_slots_fit(daemon->running, maps_contract(maps))))
		return "for the end of all migrations ('sipxdp-ctl pool finish POOL' ends them)";
	if (!guard_lists_can_move(daemon))
		return "until the lists of the guard are read ('sipxdp-ctl status' shows a fault)";
	return NULL;
}

/* Switches to the next maps if there are any. */
static void check_next_maps(struct daemon *daemon)
{
	struct maps *maps;
	const char *delay;

	if (open_next(daemon, &maps))
		return;
	delay = find_delay(daemon, maps);
	if (delay) {
		if (daemon->delayed_maps != maps_id(maps))
			log_info("new maps wait %s", delay);
		daemon->delayed_maps = maps_id(maps);
		maps_close(maps);
		return;
	}
	if (!switch_to(daemon, maps))
		use_next_maps(daemon);
}

/* The loader has activated the new maps. */
static void finish_switch(struct daemon *daemon)
{
	log_info("the new maps are in place");
	daemon->using_next_maps = false;
	daemon->unreconciled = true;
	open_rings(daemon);
}

/* Switches to the pinned maps. After `detach` and `attach` these are new maps; after the loader has given up
 * they are the previous maps. */
static void switch_to_pinned(struct daemon *daemon)
{
	char text[MAPS_ERROR_SIZE];
	struct maps *maps;
	int error = maps_open(&maps, daemon->pin_directory, text);

	if (!error && lock_maps(daemon)) {
		maps_close(maps);
		sd_event_exit(daemon->event, EXIT_FAILURE);
		return;
	}
	if (!error) {
		error = give_up_next_maps(daemon, maps);
		if (error)
			maps_close(maps);
		if (error == -EAGAIN)
			return; /* the loader is activating the next maps */
	}
	if (!error)
		error = switch_to(daemon, maps);
	if (!error) {
		daemon->using_next_maps = false;
		open_rings(daemon);
		if (!maps_are_filled(daemon->maps))
			group_watch_restart(daemon->group_watch);
	} else if (daemon->using_next_maps && error == -ENOENT) {
		if (!daemon->is_switch_interrupted)
			log_error("the loader was interrupted before the new maps were in place: run 'sipxdp-loader "
				  "upgrade -c %s'",
				daemon->config_path);
		daemon->is_switch_interrupted = true;
	} else if (daemon->using_next_maps) {
		log_error("the loader has not put the new maps in place, and the pinned maps cannot be used: exiting "
			  "for a restart");
		sd_event_exit(daemon->event, EXIT_FAILURE);
	}
}

/* Has the daemon opened next maps that the loader may still activate? */
static bool awaits_loader(struct daemon *daemon)
{
	char path[PATH_MAX];

	if (!daemon->using_next_maps || maps_are_pinned(daemon->maps, next_directory(daemon, path)) == 0)
		return false;
	if (!maps_are_filled(daemon->maps) || !daemon->next_maps_deadline)
		daemon->next_maps_deadline = clock_msec() + SWITCH_MSEC;
	return clock_msec() < daemon->next_maps_deadline;
}

void active_maps_update(struct daemon *daemon)
{
	int pinned;

	if (awaits_loader(daemon))
		return;
	pinned = maps_are_pinned(daemon->maps, daemon->pin_directory);
	if (pinned < 0)
		return; /* cannot be determined now, for instance because no descriptor is free */
	if (!pinned)
		switch_to_pinned(daemon);
	else if (daemon->using_next_maps)
		finish_switch(daemon);
	else
		check_next_maps(daemon);
}
