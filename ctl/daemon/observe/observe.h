/* SPDX-License-Identifier: GPL-2.0 */
/* Monitoring by HTTP: listens where `metrics:` of the file says and answers GET requests. Reads the state of
 * the daemon and changes nothing. */
#pragma once

#include "ctl/daemon/daemon.h"

struct observe;

struct observe *observe_new(struct daemon *daemon);
void observe_free(struct observe *observe);

/* Listens where the configuration says. Call it every second and after a change of the configuration. */
void observe_update(struct observe *observe);

/* Why the configured address is unusable, in words; NULL: no fault. */
const char *observe_fault(const struct observe *observe);

/* Reads the counters of which the status page shows the last 15 minutes. The worker calls it every second. */
void observe_sample(struct observe *observe);
