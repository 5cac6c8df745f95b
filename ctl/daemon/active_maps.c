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
#include "active_maps.h"
#include "clock.h"
#include "old_abi.h"
#include "log.h"

#define WAIT_USEC 500000
#define IN_PLACE_MSEC 5000 /* within which the loader puts filled maps in place */

static const char *next_directory(const struct daemon *daemon, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/" PIN_NEXT, daemon->pin_directory);
	return path;
}

/* Without it all that would go there is the kernel's: counted, not silent. */
static void open_punt_handler(struct daemon *daemon)
{
	int error;

	punt_handler_free(daemon->punt_handler);
	error = punt_handler_new(&daemon->punt_handler, daemon->event, daemon->pin_directory);
	if (error)
		log_error("cannot take early fragments and packets that are too big: %s", strerror(-error));
}

/* Their answers come by a map, too, which they open when the first goes out. */
static int start_probes(struct probes **probes, struct daemon *daemon)
{
	int error = probes_new(probes, daemon->event, daemon->pin_directory, daemon_on_probed, daemon);

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

/* One daemon for one set of maps: the lock lies on their directory, and ends with us. After
 * `detach` and `attach` that is another directory of the same name. 0 or -errno, logged. */
static int lock_maps(struct daemon *daemon)
{
	int fd = open(daemon->pin_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = -errno;

	if (fd < 0) {
		log_error("cannot open %s: %s (run 'sipxdp-loader attach -c FILE' first)", daemon->pin_directory,
			strerror(-error));
		return error;
	}
	if (is_locked(daemon, fd)) {
		close(fd);
		return 0;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		log_error("cannot lock %s: another sipxdpd looks after these maps", daemon->pin_directory);
		close(fd);
		return -EBUSY;
	}
	if (daemon->lock >= 0)
		close(daemon->lock);
	daemon->lock = fd;
	return 0;
}

/* --- maps, and who runs by them */

struct adoption {
	struct maps *maps;
	struct image *running; /* what the maps hold */
	struct image *heir;    /* what maps that are not filled yet take over from others; NULL: nothing */
	struct farm *farm;
};

/* Opens new maps that are to be filled. Those that are filled already are left over, from a
 * loader that has not put them in place. 0 or -errno. */
static int open_next(const struct daemon *daemon, struct maps **maps)
{
	char text[MAPS_ERROR_SIZE], path[PATH_MAX];
	int error = maps_open(maps, next_directory(daemon, path), text);

	if (error || !maps_are_filled(*maps))
		return error;
	maps_close(*maps);
	return -EEXIST;
}

static void serve_next(struct daemon *daemon)
{
	daemon->on_next_maps = true;
	daemon->next_maps_deadline = 0;
}

/* Makes the farm from what new maps take over from `known`, else from what the maps hold. */
static void make_farm(
	struct adoption *adoption, struct config *config, const struct image *known, struct faults *faults)
{
	bool empty = !adoption->running->contract.filled;

	if (known && empty)
		adoption->heir = image_resized_copy(known, &adoption->running->contract);
	if (known && empty && !adoption->heir) {
		faults_add(faults, (struct position){0}, "limits: more backends run than new maps have room for");
		config_free(config);
		return;
	}
	adoption->farm = farm_new(config, adoption->heir ? adoption->heir : adoption->running, FARM_RESTART, faults);
}

static void reject(struct adoption *adoption)
{
	farm_free(adoption->farm);
	image_free(adoption->running);
	image_free(adoption->heir);
	maps_close(adoption->maps);
	*adoption = (struct adoption){0};
}

/* Reads what opened maps hold, and who is to run by them. Takes maps and config over, also
 * when it fails: then with -EINVAL if the maps have no room, which is logged once. */
static int adopt(struct daemon *daemon, struct maps *maps, struct config *config, const struct image *known,
	struct adoption *adoption)
{
	struct faults faults = {0};
	int error;

	*adoption = (struct adoption){.maps = maps};
	error = maps_read(maps, &adoption->running);
	if (error) {
		log_error("cannot read the maps: %s", strerror(-error));
		config_free(config);
		return error;
	}
	make_farm(adoption, config, known, &faults);
	/* Ids grow: of the maps in use and those beside them each is told once. */
	if (!adoption->farm && maps_id(maps) > daemon->too_small_maps) {
		daemon_log_faults(daemon, &faults);
		daemon->too_small_maps = maps_id(maps);
	}
	faults_free(&faults);
	return adoption->farm ? 0 : -EINVAL;
}

/* Takes over the owners of slots and their migrations, and has done with the heir. */
static void inherit(struct daemon *daemon, struct adoption *adoption)
{
	if (adoption->heir)
		desired_inherit(daemon->desired, adoption->farm, adoption->heir, clock_msec());
	image_free(adoption->heir);
	adoption->heir = NULL;
}

/* --- at the start */

/* Tells the faults of each FILE that is tried once. */
static void log_new_faults(struct daemon *daemon, const struct faults *faults)
{
	struct stat file = {};

	stat(daemon->config_path, &file);
	if (!memcmp(&file.st_mtim, &daemon->logged_file_time, sizeof(file.st_mtim)))
		return;
	daemon->logged_file_time = file.st_mtim;
	daemon_log_faults(daemon, faults);
}

/* FILE may have been changed while we waited. */
static int try_maps(struct daemon *daemon, struct maps *maps, const struct image *known, struct adoption *adoption)
{
	struct faults faults = {0};
	struct config *config = daemon_read_config(daemon->config_path, FILE_REGULAR, &faults);
	int error = config ? adopt(daemon, maps, config, known, adoption) : -EINVAL;

	if (!config)
		log_new_faults(daemon, &faults);
	faults_free(&faults);
	if (!config)
		maps_close(maps);
	else if (error)
		reject(adoption);
	return error;
}

/* Waits for the loader's new maps or, if it has been faster than we look, for those in their
 * place; or for FILE to fit the ones in use again. */
static int wait_for_maps(struct daemon *daemon, const struct image *known, struct adoption *adoption)
{
	char text[MAPS_ERROR_SIZE];
	struct maps *maps;

	sd_notify(0, "READY=1\nSTATUS=waiting for sipxdp-loader upgrade");
	sd_event_set_watchdog(daemon->event, true);
	while (sd_event_get_state(daemon->event) != SD_EVENT_FINISHED) {
		if (!maps_open(&maps, daemon->pin_directory, text) && !try_maps(daemon, maps, known, adoption))
			return lock_maps(daemon);
		if (!open_next(daemon, &maps) && !try_maps(daemon, maps, known, adoption)) {
			serve_next(daemon);
			return 0;
		}
		sd_event_run(daemon->event, WAIT_USEC);
	}
	return -ECANCELED;
}

/* Who runs by maps of our contract into which FILE does not fit. */
static struct image *outgrown(const struct daemon *daemon, struct adoption *adoption)
{
	struct image *known = adoption->running;

	log_error("waiting for new maps, which 'sipxdp-loader upgrade -c %s' makes", daemon->config_path);
	if (image_is_migrating(known))
		log_warning(
			"slots are migrating: with a different number of slots (limits: slots) their calls may move");
	adoption->running = NULL;
	reject(adoption);
	return known;
}

/* The maps in use or, where they are of another contract or FILE does not fit into them,
 * those that take their place. */
static int adopt_some(struct daemon *daemon, struct config *config, struct adoption *adoption)
{
	char text[MAPS_ERROR_SIZE];
	struct image *known = NULL;
	struct maps *maps;
	int error = maps_open(&maps, daemon->pin_directory, text);

	if (error) {
		log_error("%s", text);
		config_free(config);
		if (error != -EPROTO)
			return error;
		known = old_abi_read(daemon->pin_directory);
	} else {
		error = adopt(daemon, maps, config, NULL, adoption);
		if (!error)
			return 0;
		if (error != -EINVAL) {
			reject(adoption);
			return error;
		}
		known = outgrown(daemon, adoption);
	}
	error = wait_for_maps(daemon, known, adoption);
	image_free(known);
	return error;
}

int active_maps_open(struct daemon *daemon)
{
	struct adoption adoption = {0};
	struct faults faults = {0};
	struct config *config = daemon_read_config(daemon->config_path, FILE_REGULAR, &faults);
	int error = config ? lock_maps(daemon) : -EINVAL;

	daemon_log_faults(daemon, &faults);
	faults_free(&faults);
	if (error)
		config_free(config);
	else
		error = adopt_some(daemon, config, &adoption);
	if (error) {
		reject(&adoption);
		return error;
	}
	daemon->maps = adoption.maps;
	daemon->running = adoption.running;
	daemon->farm = adoption.farm;
	inherit(daemon, &adoption);
	error = start_probes(&daemon->probes, daemon);
	if (!error && !daemon->on_next_maps)
		open_punt_handler(daemon);
	return error;
}

/* --- later */

/* What runs goes on by other maps, perhaps of other sizes: FILE has no say in that. */
static struct config *running_config(const struct daemon *daemon, const struct maps *maps)
{
	const struct contract *contract = maps_contract(maps);
	struct config *config = config_copy(daemon->farm->config);

	config->limits.slots = contract->slots;
	config->limits.pools = contract->pools;
	config->limits.services = contract->services;
	config->limits.backends = contract->backends;
	config->limits.tracked_calls = contract->tracked_calls;
	return config;
}

static bool same_sizes(const struct contract *a, const struct contract *b)
{
	return !memcmp(a, b, offsetof(struct contract, filled));
}

/* Goes over to other maps, which it takes over. Those that nobody has filled get what the
 * ones before them held. If they have no room for it, those are kept. */
static int go_over(struct daemon *daemon, struct maps *maps)
{
	struct adoption adoption = {0};
	struct probes *probes;
	int error = adopt(daemon, maps, running_config(daemon, maps), daemon->running, &adoption);

	if (!error)
		error = start_probes(&probes, daemon);
	if (error) {
		reject(&adoption);
		return error;
	}
	log_info("%s", maps_are_filled(maps) ? "going on with maps that are filled" : "filling new maps");
	if (!same_sizes(&adoption.running->contract, &daemon->running->contract)) {
		desired_free(daemon->desired);
		daemon->desired = desired_new();
		inherit(daemon, &adoption);
	}
	image_free(adoption.heir);
	maps_close(daemon->maps);
	image_free(daemon->running);
	probes_free(daemon->probes);
	daemon->maps = adoption.maps;
	daemon->running = adoption.running;
	daemon->probes = probes;
	daemon->unreconciled = true;
	daemon_replace_farm(daemon, adoption.farm);
	return 0;
}

/* Tracked calls are found by slots and ids: a migration goes on in new maps that keep both. In others
 * nothing may be migrating. */
static void look_for_next(struct daemon *daemon)
{
	struct maps *maps;

	if (open_next(daemon, &maps))
		return;
	/* What has been changed a moment ago is in the maps, or migrating, then. */
	if (daemon_reconcile(daemon) ||
		(image_is_migrating(daemon->running) && !image_slots_fit(daemon->running, maps_contract(maps)))) {
		if (daemon->delayed_maps != maps_id(maps))
			log_info("new maps wait until no slot is migrating ('sipxdp-ctl pool finish' ends that)");
		daemon->delayed_maps = maps_id(maps);
		maps_close(maps);
		return;
	}
	if (!go_over(daemon, maps))
		serve_next(daemon);
}

/* The loader's new maps are the ones in use now. */
static void arrive(struct daemon *daemon)
{
	log_info("the new maps are in place");
	daemon->on_next_maps = false;
	daemon->unreconciled = true;
	open_punt_handler(daemon);
}

/* From what is pinned now: new maps after `detach` and `attach`, or those that we had before
 * a loader gave up. */
static void go_back(struct daemon *daemon)
{
	char text[MAPS_ERROR_SIZE];
	struct maps *maps;
	int error = maps_open(&maps, daemon->pin_directory, text);

	if (!error && lock_maps(daemon)) {
		maps_close(maps);
		sd_event_exit(daemon->event, EXIT_FAILURE);
		return;
	}
	if (!error)
		error = go_over(daemon, maps);
	if (!error) {
		daemon->on_next_maps = false;
		open_punt_handler(daemon);
	} else if (daemon->on_next_maps && error == -ENOENT) {
		if (daemon->delayed_maps != maps_id(daemon->maps))
			log_error("the loader was interrupted while it put the new maps in place: run 'sipxdp-loader "
				  "upgrade'");
		daemon->delayed_maps = maps_id(daemon->maps);
	} else if (daemon->on_next_maps) {
		log_error("the loader has not put the new maps in place, and those in use cannot be gone on with: "
			  "ending, to be started again");
		sd_event_exit(daemon->event, EXIT_FAILURE);
	}
}

/* Is the loader still to put the maps in place that we serve? */
static bool is_on_its_way(struct daemon *daemon)
{
	char path[PATH_MAX];

	if (!daemon->on_next_maps || maps_are_pinned(daemon->maps, next_directory(daemon, path)) == 0)
		return false;
	if (!maps_are_filled(daemon->maps) || !daemon->next_maps_deadline)
		daemon->next_maps_deadline = clock_msec() + IN_PLACE_MSEC;
	return clock_msec() < daemon->next_maps_deadline;
}

void active_maps_update(struct daemon *daemon)
{
	int pinned;

	if (is_on_its_way(daemon))
		return;
	pinned = maps_are_pinned(daemon->maps, daemon->pin_directory);
	if (pinned < 0)
		return; /* cannot be found out now: without a descriptor, perhaps */
	if (!pinned)
		go_back(daemon);
	else if (daemon->on_next_maps)
		arrive(daemon);
	else
		look_for_next(daemon);
}
