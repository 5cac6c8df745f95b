/* SPDX-License-Identifier: GPL-2.0 */
/* Asks servers whether they live: sends each its probe, again and again, and keeps what
 * the answers say of it. One thread, on the event loop, for thousands of probes a second.
 * Knows backends by the names of pool and backend, and decides nothing about tables. */
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
	struct address target;            /* who is asked: a VIP, or with to_address the backend's own */
	uint16_t port;                    /* host order */
	struct probe_route route;         /* its address always; all of it for a VIP */
	enum health seed;                 /* of one that is new to us: what was known before a restart */
	struct latency latency;           /* likewise */
};

/* Joins the loop, and raises the limit of open files to what is allowed. The way to VIPs on
 * backends (probe_path.h) is made when the first probe needs it. `changed` is called
 * from the loop, at most once every 50 ms, after what the probes of any backend say has changed.
 * 0 or -errno. SIGPIPE is to be ignored. */
int probes_new(
	struct probes **out, sd_event *event, const char *pin_directory, void (*changed)(void *data), void *data);
void probes_free(struct probes *probes);

/* Says who is to be probed from now on, and how; type PROBE_NONE is nobody. Who was probed
 * in the same way before goes on in step. If the way or the probe is another one, it begins
 * anew and keeps health and latencies; if the backend's address is, it is another backend. */
void probes_set_targets(struct probes *probes, const struct probe_target *targets, size_t count);

/* Has `changed` called after every result, while it is open what they mean, or only after changes. */
void probes_report_all(struct probes *probes, bool all);

/* Begins the next probe of a backend at once, if none is under way: what it says is needed to judge
 * another. */
void probes_probe_now(struct probes *probes, const char *pool, const char *name);

/* What is known of a backend; NULL if it is not probed, or had another address when it was.
 * Valid until the next probes_set_targets. */
const struct health_state *probes_health(
	const struct probes *probes, const char *pool, const char *name, const struct address *address);

/* --- probe_targets.c: the probes of a farm */

/* Sets the targets from a farm. Call it after the farm or the routes to its backends have changed. */
void probes_follow_farm(struct probes *probes, const struct farm *farm);

/* Copies what the probes know of a backend into the farm. */
void probes_report(const struct probes *probes, const struct farm_pool *pool, struct farm_backend *backend);
