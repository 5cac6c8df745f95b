/* SPDX-License-Identifier: GPL-2.0 */
/* Health probes: probes each backend at an interval and derives the backend's health from the results. Runs
 * in one thread on the event loop, for thousands of probes a second. Identifies a backend by pool name
 * and backend name; does not use slot tables. */
#pragma once

#include <systemd/sd-event.h>
#include "core/farm/farm.h"
#include "core/health/health.h"
#include "probe_path.h"

struct probes;

struct probe_target {
	char pool[NAME_SIZE];
	char name[NAME_SIZE];
	const struct config_probe *probe; /* copied */
	struct address target;            /* destination: a VIP, or with to_address the backend's own address */
	uint16_t port;                    /* host order */
	struct backend route;             /* complete if the target is a VIP; otherwise only its address is set */
	enum health seed;       /* health to start with, if the backend is new here: its health before a restart */
	struct latency latency; /* latency to start with */
};

/* Joins the loop, and raises the limit of open files to the allowed maximum. The path to VIPs on backends
 * (probe_path.h) is opened for the first probe that needs it. Calls `changed` from the loop, at most once every 50
 * ms, after the health of a backend has changed. 0 or -errno. The caller must ignore SIGPIPE. */
int probes_new(struct probes **out, sd_event *event, struct probe_namespace *space, const char *pin_directory,
	void (*changed)(void *data), void *data);
void probes_free(struct probes *probes);

/* Sets the backends to probe and their probe options; a target of type PROBE_NONE is not probed. A backend with an
 * unchanged target keeps its schedule. A new route or new probe options restart the probing, but keep
 * health and latencies. A backend with a new address counts as a new backend. */
void probes_set_targets(struct probes *probes, const struct probe_target *targets, size_t count);

/* If `all` is true, `changed` is called after every result; if not, only after changes. */
void probes_report_all(struct probes *probes, bool all);

/* Starts the next probe of a backend now, unless a probe is running. Call this when a decision about another backend
 * depends on the result. */
void probes_probe_now(struct probes *probes, const char *pool, const char *name);

/* The health of a backend. NULL if it is not probed, or was probed at a different address. Valid until
 * the next probes_set_targets(). */
const struct health_state *probes_health(
	const struct probes *probes, const char *pool, const char *name, const struct address *address);

/* The load that a backend reports in its responses, per cent; -1 if it reports none, or if the last report is older
 * than three intervals. */
int probes_load(const struct probes *probes, const char *pool, const char *name, const struct address *address);

/* --- probe_targets.c: the probes of a farm */

/* Sets the targets from a farm. Call it after the farm or the routes to its backends have changed. */
void probes_follow_farm(struct probes *probes, const struct farm *farm);

/* Copies the health of a backend, as found by its probes, into the farm. */
void probes_report(const struct probes *probes, const struct farm_pool *pool, struct farm_backend *backend);
