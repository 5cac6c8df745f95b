/* SPDX-License-Identifier: GPL-2.0 */
/* The state of the daemon, and the single path by which reloads, sipxdp-ctl, neighbour events and restarts
 * change the maps: farm -> desired -> plan -> maps (core/farm/README.md explains these terms). */
#pragma once

#include <stdatomic.h>
#include <systemd/sd-event.h>
#include "core/farm/preview.h"
#include "ctl/daemon/control/control.h"
#include "file.h"
#include "ctl/maps/maps.h"
#include "ctl/daemon/neighbour/neighbour.h"
#include "ctl/daemon/probe/probes.h"
#include "ctl/daemon/guard/refuse.h"
#include "ctl/daemon/punt/punt_handler.h"
#include "ctl/daemon/trace/observers.h"
#include "worker.h"

struct daemon {
	const char *config_path;
	const char *pin_directory;
	const char *socket_path;
	sd_event *event;
	int lock; /* file descriptor of the locked pin directory (active_maps.c); -1: not locked yet */
	struct maps *maps;
	struct image *running; /* the content of the maps */
	uint64_t renames;      /* counts the changes of the names in `running` */
	struct farm *farm;     /* the configuration and the state of each backend */
	struct desired *desired;
	struct neighbours *neighbours;
	struct probe_namespace *probe_namespace;
	struct probes *probes;
	struct tracked_calls *calls;
	struct counted_calls *counted_calls;
	struct call_balance *call_balance;
	struct drain *drain;
	struct floods *floods;
	struct passive_watch *passive_watch;
	struct group_watch *group_watch;
	struct group_phases *group_phases;
	struct group_changes *group_changes;
	struct transfer_watch *transfer_watch;
	struct guard_watch *guard_watch;
	struct guard_lists *guard_lists;
	struct guard_blocks *guard_blocks;
	struct sources *sources;
	struct punt_handler *punt_handler;
	struct refuser *refuser;
	struct join_listener *join_listener;
	struct observe *observe;
	struct observers *observers;
	struct traces *traces;
	struct capture_sender *capture_sender;
	struct control *control;
	int control_error;     /* the last error logged for the control socket; 0: no error */
	struct worker *worker; /* NULL until daemon_start() creates it */
	_Atomic bool changed;  /* something has changed since the current plan was computed */
	bool reconcile_queued; /* a reconcile job is in the queue of the worker */
	bool tick_queued;      /* a tick job, which runs every second, is in that queue */
	bool reloading;
	bool generation_queued; /* a job of guard/generation.h is in that queue */
	unsigned int ticks;
	uint32_t setups;          /* entries of the map `setups` at the last sweep */
	uint64_t listening_since; /* start of the daemon, ms of listening_clock_now() */
	uint64_t started;         /* start of the daemon, seconds since the epoch */

	struct timespec logged_file_time; /* mtime of the configuration file (FILE) whose errors are already logged */
	uint32_t too_small_maps;          /* id of the newest maps that FILE does not fit: logged once */
	uint32_t delayed_maps;            /* id of the new maps that cannot be used yet: logged once */
	bool using_next_maps;        /* `maps` are new maps that packets do not use yet (active_maps.h): no probing */
	bool is_switch_interrupted;  /* the loader was killed while it activated `maps`; reported until it continues */
	uint64_t next_maps_deadline; /* ms: when the loader gives up; 0: not known yet */

	bool unreconciled; /* the last plan failed: try again every second */
};

/* Opens the maps, reads FILE and restores the running state from the maps. Logs the reason for a failure.
 * 0 or -errno. */
int daemon_start(struct daemon *daemon);
void daemon_stop(struct daemon *daemon);

/* Only the worker calls the next four functions. They release the lock while they compute. */

/* Updates the maps to match the farm and logs each step. 0 or -errno; after a failure the daemon tries again every
 * second. */
int daemon_reconcile(struct daemon *daemon);

/* Reconciles after an operator's change to the farm. `effects` receives the steps that follow now, and the
 * steps that will follow when new backends become reachable. 0 or -errno. */
int daemon_change(struct daemon *daemon, struct effects *effects);

/* Reads FILE again and reconciles; `effects` receives the steps. 0 or -errno. -EINVAL: FILE contains errors, which
 * `faults` lists. -EPERM: `move_calls` is false, and the change would move or end established calls, which `effects`
 * lists. In both cases the running configuration does not change. */
int daemon_reload(struct daemon *daemon, bool move_calls, struct faults *faults, struct effects *effects);

/* Reads FILE and computes the effects of a reload, without applying it. The caller frees the result with config_free();
 * NULL: FILE contains errors, which `faults` lists. */
struct config *daemon_check_file(struct daemon *daemon, struct faults *faults, struct effects *effects);

/* Computes the effects of a reload of this text, without applying them. 0, or -EINVAL with the errors in `faults`. */
int daemon_plan(struct daemon *daemon, const char *text, size_t length, struct faults *faults, struct effects *effects);

/* Replaces the farm. The caller must reconcile afterwards. */
void daemon_replace_farm(struct daemon *daemon, struct farm *farm);

/* Passes the addresses of all backends to the neighbour tracker. Call this when the list of backends has changed. */
void daemon_watch_neighbours(struct daemon *daemon);

/* Callback: queues a reconcile job. */
void daemon_on_changed(void *daemon);

/* Callback: queues a reconcile job if the probe results change the state of a backend. */
void daemon_on_probed(void *daemon);

/* Reads and parses a file. If the file contains errors, returns NULL and adds them to `faults`. */
struct config *daemon_read_config(const char *path, enum file_kind kind, struct faults *faults);
void daemon_log_faults(const struct daemon *daemon, const struct faults *faults);
