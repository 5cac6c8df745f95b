/* SPDX-License-Identifier: GPL-2.0 */
/* The running daemon: what it knows, and the one road on which reload, sipxdp-ctl,
 * neighbours and restarts change what the maps hold: farm -> desired -> plan -> maps. */
#pragma once

#include <stdatomic.h>
#include <systemd/sd-event.h>
#include "core/farm/preview.h"
#include "ctl/daemon/control/control.h"
#include "file.h"
#include "ctl/maps/maps.h"
#include "ctl/daemon/neighbour/neighbour.h"
#include "ctl/daemon/probe/probes.h"
#include "ctl/daemon/punt/punt_handler.h"
#include "worker.h"

struct daemon {
	const char *config_path;
	const char *pin_directory;
	const char *socket_path;
	sd_event *event;
	int lock; /* on the directory of the maps (active_maps.c); -1: not yet */
	struct maps *maps;
	struct image *running; /* what the maps hold */
	struct farm *farm;     /* what is to run */
	struct desired *desired;
	struct neighbours *neighbours;
	struct probes *probes;
	struct tracked_calls *calls;
	struct drain *drain;
	struct punt_handler *punt_handler;
	struct join_listener *join_listener;
	struct control *control;
	int control_error;     /* why its socket cannot be made anew, as it was logged; 0: it is there */
	struct worker *worker; /* NULL until all that it may touch is there */
	_Atomic bool changed;  /* since the plan under way was begun */
	bool reconcile_queued; /* the worker will settle what has changed, */
	bool tick_queued;      /* and do what is done every second */
	bool reloading;        /* FILE is being read anew */
	unsigned int ticks;
	uint64_t listening_since; /* since when it listens, ms of listening_clock_now() */
	uint64_t started;         /* seconds since the epoch */
	struct timespec
		logged_file_time;    /* when the FILE was written whose faults were told while we waited for maps */
	uint32_t too_small_maps;     /* id of the newest maps that the farm does not fit into: told once */
	uint32_t delayed_maps;       /* id of new maps that wait until nothing is migrating: likewise */
	bool on_next_maps;           /* new maps that are not in place yet (active_maps.h): nobody is probed */
	uint64_t next_maps_deadline; /* ms of the clock: then the loader has given up; 0: not known yet */
	bool unreconciled;           /* the last plan could not be carried out to its end */
};

/* Opens the maps, reads FILE and takes over what runs. Every reason against it is
 * logged. 0 or -errno. */
int daemon_start(struct daemon *daemon);
void daemon_stop(struct daemon *daemon);

/* The next four are for the worker, which gives the lock up meanwhile. This one makes the maps what
 * the farm wants now, and logs each step. 0 or -errno; what could not be done is tried again every
 * second. */
int daemon_reconcile(struct daemon *daemon);

/* The same after a change by hand, of which `outcome` says what follows: now, and when new backends
 * can be reached. */
int daemon_change(struct daemon *daemon, struct effects *effects);

/* Reads FILE anew; `outcome` says what follows. 0, or -EINVAL with the faults, or -EPERM where it has
 * dangers and calls are not to be moved: what ran goes on unchanged. */
int daemon_reload(struct daemon *daemon, bool move_calls, struct faults *faults, struct effects *effects);

/* The effects of a reload of this text. 0, or -EINVAL with the faults. */
int daemon_plan(struct daemon *daemon, const char *text, size_t length, struct faults *faults, struct effects *effects);

/* Takes another farm, of which the caller settles what follows. */
void daemon_replace_farm(struct daemon *daemon, struct farm *farm);

/* Tells the neighbours which addresses matter, after the farm's backends have changed. */
void daemon_watch_neighbours(struct daemon *daemon);

/* Has the worker settle what has changed; a callback. */
void daemon_on_changed(void *daemon);

/* Likewise, if what the probes say changes anything. */
void daemon_on_probed(void *daemon);

/* Reads a file and parses it. NULL with faults. */
struct config *daemon_read_config(const char *path, enum file_kind kind, struct faults *faults);
void daemon_log_faults(const struct daemon *daemon, const struct faults *faults);
