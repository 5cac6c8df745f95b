/* SPDX-License-Identifier: GPL-2.0 */
/* Passive health: reads the counters of the responses of each backend once a second, lets core/farm decide which
 * backends go down or return, and logs the decisions. */
#pragma once

#include "daemon.h"

struct passive_watch;

struct passive_watch *passive_watch_new(void);
void passive_watch_free(struct passive_watch *watch);

/* Call this about every second, in the worker. Queues a reconcile job if a state changes. */
void passive_watch_sample(struct passive_watch *watch, struct daemon *daemon);
