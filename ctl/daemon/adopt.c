// SPDX-License-Identifier: GPL-2.0
/* See adopt.h. */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include "adopt.h"
#include "clock.h"
#include "legacy.h"
#include "log.h"

#define WAIT_USEC 1000000
#define AHEAD_MSEC 5000 /* that the loader may take to put filled maps in place */

static const char *next_directory(const struct daemon *daemon, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/" PIN_NEXT, daemon->pin_directory);
	return path;
}

static void on_health(void *data)
{
	daemon_settle(data, NULL);
}

/* Without it all that would go there is the kernel's: counted, not silent. */
static void open_slow_path(struct daemon *daemon)
{
	int error;

	slow_path_free(daemon->slow_path);
	error = slow_path_new(&daemon->slow_path, daemon->event, daemon->pin_directory);
	if (error)
		log_error("cannot take early fragments and packets that are too big: %s", strerror(-error));
}

/* Their answers come by a map, too, which they open when the first goes out. */
static int start_probes(struct probes **probes, struct daemon *daemon)
{
	int error = probes_new(probes, daemon->event, daemon->pin_directory, on_health, daemon);

	if (error)
		log_error("cannot probe backends: %s", strerror(-error));
	return error;
}

static void go_ahead(struct daemon *daemon)
{
	daemon->ahead = true;
	daemon->ahead_until = clock_msec() + AHEAD_MSEC;
}

/* --- maps, and who runs by them */

struct adoption {
	struct maps *maps;
	struct image *running; /* what the maps hold */
	struct farm *farm;
};

/* Maps that nobody has filled yet get those who are known. */
static struct farm *read_farm(
	const struct daemon *daemon, const struct image *running, const struct image *known, struct faults *faults)
{
	struct config *config = daemon_read_config(daemon->config_path, faults);
	struct image *heir = NULL;
	struct farm *farm = NULL;

	if (known && !running->contract.filled) {
		heir = image_heir(known, &running->contract);
		running = heir;
	}
	if (!running)
		faults_add(faults, (struct mark){0}, "limits: more backends run than new maps have room for");
	if (config && running)
		farm = farm_new(config, running, FARM_RESTART, faults);
	else
		config_free(config);
	image_free(heir);
	return farm;
}

/* Opens the maps under a directory. -EINVAL, with the reasons logged once and `running` still
 * there, if FILE does not fit them; or another -errno with a reason in `text`. */
static int adopt(struct daemon *daemon, const char *directory, const struct image *known, struct adoption *adoption,
	char text[MAPS_ERROR_SIZE])
{
	struct faults faults = {0};
	int error = maps_open(&adoption->maps, directory, text);

	if (error)
		return error;
	error = maps_read(adoption->maps, &adoption->running);
	snprintf(text, MAPS_ERROR_SIZE, "cannot read the maps under %s: %s", directory, strerror(-error));
	if (!error) {
		adoption->farm = read_farm(daemon, adoption->running, known, &faults);
		if (daemon->unfit != maps_id(adoption->maps))
			daemon_log_faults(daemon, &faults);
		daemon->unfit = adoption->farm ? 0 : maps_id(adoption->maps);
		error = adoption->farm ? 0 : -EINVAL;
	}
	faults_free(&faults);
	return error;
}

static void reject(struct adoption *adoption)
{
	farm_free(adoption->farm);
	image_free(adoption->running);
	maps_close(adoption->maps);
	*adoption = (struct adoption){0};
}

/* --- at the start */

/* Waits for the loader's new maps or, if it has been faster than we look, for those in their
 * place; or for FILE to fit the ones in use again. */
static int wait_for_maps(struct daemon *daemon, const struct image *known, struct adoption *adoption)
{
	char text[MAPS_ERROR_SIZE], path[PATH_MAX];

	sd_notify(0, "READY=1\nSTATUS=waiting for sipxdp-loader upgrade");
	sd_event_set_watchdog(daemon->event, true);
	while (sd_event_get_state(daemon->event) != SD_EVENT_FINISHED) {
		if (!adopt(daemon, daemon->pin_directory, known, adoption, text))
			return 0;
		reject(adoption);
		if (!adopt(daemon, next_directory(daemon, path), known, adoption, text)) {
			go_ahead(daemon);
			return 0;
		}
		reject(adoption);
		sd_event_run(daemon->event, WAIT_USEC);
	}
	return -ECANCELED;
}

/* The maps in use or, where they are of another contract or FILE does not fit them, those
 * that take their place. */
static int adopt_some(struct daemon *daemon, struct adoption *adoption)
{
	struct image *known = NULL;
	char text[MAPS_ERROR_SIZE];
	int error = adopt(daemon, daemon->pin_directory, NULL, adoption, text);

	if (error && error != -EINVAL)
		log_error("%s", text);
	if (error == -EPROTO)
		known = legacy_read(daemon->pin_directory);
	if (error == -EINVAL) {
		known = adoption->running;
		adoption->running = NULL;
		reject(adoption);
	}
	if (error == -EPROTO || error == -EINVAL)
		error = wait_for_maps(daemon, known, adoption);
	image_free(known);
	return error;
}

/* What can be mended in FILE alone is not waited for. */
static int check_file(const struct daemon *daemon)
{
	struct faults faults = {0};
	struct config *config = daemon_read_config(daemon->config_path, &faults);
	int error = config ? 0 : -EINVAL;

	daemon_log_faults(daemon, &faults);
	config_free(config);
	faults_free(&faults);
	return error;
}

int adopt_at_start(struct daemon *daemon)
{
	struct adoption adoption = {0};
	int error = check_file(daemon);

	if (!error)
		error = adopt_some(daemon, &adoption);
	if (error)
		return error;
	daemon->maps = adoption.maps;
	daemon->running = adoption.running;
	daemon->farm = adoption.farm;
	error = start_probes(&daemon->probes, daemon);
	if (!error && !daemon->ahead)
		open_slow_path(daemon);
	return error;
}

/* --- later */

/* Goes over to the maps under a directory, perhaps of other sizes. Those that nobody has
 * filled get what the ones before them held. Until FILE fits them, those are kept. */
static int go_over(struct daemon *daemon, const char *directory)
{
	struct adoption adoption = {0};
	char text[MAPS_ERROR_SIZE];
	struct probes *probes;
	int error = adopt(daemon, directory, daemon->running, &adoption, text);

	if (!error)
		error = start_probes(&probes, daemon);
	if (error) {
		reject(&adoption);
		return error;
	}
	if (adoption.running->contract.filled)
		log_info("going on with the maps under %s", directory);
	else
		log_info("the maps under %s are new ones: filling them", directory);
	if (memcmp(&adoption.running->contract, &daemon->running->contract, offsetof(struct contract, filled))) {
		desired_free(daemon->desired);
		daemon->desired = desired_new();
	}
	maps_close(daemon->maps);
	image_free(daemon->running);
	probes_free(daemon->probes);
	daemon->maps = adoption.maps;
	daemon->running = adoption.running;
	daemon->probes = probes;
	daemon->unsettled = true;
	daemon_replace_farm(daemon, adoption.farm);
	return 0;
}

/* The number of new maps that are to be filled, 0: there are none. Those that are filled are
 * left over, from a loader that has not put them in place. */
static uint32_t next_maps(const char *directory)
{
	char text[MAPS_ERROR_SIZE];
	struct maps *maps;
	uint32_t id;

	if (maps_open(&maps, directory, text))
		return 0;
	id = maps_are_filled(maps) ? 0 : maps_id(maps);
	maps_close(maps);
	return id;
}

/* Notes of calls cannot be taken along: what moves is to be settled first. */
static void look_for_next(struct daemon *daemon)
{
	char path[PATH_MAX];
	uint32_t id = next_maps(next_directory(daemon, path));

	if (!id)
		return;
	if (!image_is_in_motion(daemon->running)) {
		if (!go_over(daemon, path))
			go_ahead(daemon);
	} else if (daemon->held_up != id) {
		log_info(
			"new maps wait under %s until no slot is in motion ('sipxdp-ctl pool settle' ends that)", path);
		daemon->held_up = id;
	}
}

/* The loader's new maps are the ones in use now. */
static void arrive(struct daemon *daemon)
{
	log_info("the new maps are in place");
	daemon->ahead = false;
	daemon->unsettled = true;
	open_slow_path(daemon);
}

/* From what is pinned now: new maps after `detach` and `attach`, or those that we had before
 * a loader gave up. */
static void go_back(struct daemon *daemon)
{
	int error = go_over(daemon, daemon->pin_directory);

	if (!error) {
		daemon->ahead = false;
		open_slow_path(daemon);
	} else if (daemon->ahead && error == -EPROTO) {
		log_error("the loader has not put the new maps in place, and those in use are not ours: giving up, to "
			  "be started again");
		sd_event_exit(daemon->event, EXIT_FAILURE);
	}
}

void adopt_look(struct daemon *daemon)
{
	char path[PATH_MAX];

	if (maps_are_pinned(daemon->maps, daemon->pin_directory)) {
		if (daemon->ahead)
			arrive(daemon);
		else
			look_for_next(daemon);
		return;
	}
	if (daemon->ahead && clock_msec() < daemon->ahead_until &&
		maps_are_pinned(daemon->maps, next_directory(daemon, path)))
		return;
	go_back(daemon);
}
