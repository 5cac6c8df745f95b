/* SPDX-License-Identifier: GPL-2.0 */
/* Monitoring over HTTP: listens on the address of `metrics:` in the file and answers GET requests. Reads the state
 * of the daemon but does not modify it. */
#pragma once

#include "ctl/daemon/daemon.h"

struct observe;

struct observe *observe_new(struct daemon *daemon);
void observe_free(struct observe *observe);

/* Listens on the configured address. Call this every second and after a change of the configuration. */
void observe_update(struct observe *observe);

/* The reason why the configured address is unusable; NULL: it is usable. */
const char *observe_fault(const struct observe *observe);

/* Reads the counters for the plots of the last 15 minutes on the status page. The worker calls it every second. */
void observe_sample(struct observe *observe);
