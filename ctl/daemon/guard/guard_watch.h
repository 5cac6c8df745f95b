/* SPDX-License-Identifier: GPL-2.0 */
/* Watches the counters of the guard's rules (core/guard/activity.h): logs what they drop, with at most one line a
 * minute for each rule of each guard, and reports rules that have been active for more than a minute in `status`. */
#pragma once

#include "ctl/daemon/daemon.h"

struct guard_watch;

struct guard_watch *guard_watch_new(void);
void guard_watch_free(struct guard_watch *watch);

/* Call this about every second, in the worker. */
void guard_watch_sample(struct guard_watch *watch, struct daemon *daemon);

/* Calls `warn` with a sentence about each rule that has been active for more than a minute. */
typedef void guard_watch_warn(void *data, const char *text);
void guard_watch_warnings(
	const struct guard_watch *watch, const struct daemon *daemon, guard_watch_warn *warn, void *data);

/* The result of `guard top`: the sources from which rules drop the most packets (core/view/guard_top.h). The worker
 * calls this. Releases the lock while it reads the map of sources; during this time the configuration does not change.
 */
json_t *guard_watch_top(const struct guard_watch *watch, struct daemon *daemon);
