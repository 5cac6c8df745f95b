/* SPDX-License-Identifier: GPL-2.0 */
/* The read-only commands of the guard. The worker calls these functions; they release the lock while they read maps
 * that only the worker changes. */
#pragma once

#include "ctl/daemon/daemon.h"

json_t *guard_report_stats(struct daemon *daemon, const struct request *request);
json_t *guard_report_top(struct daemon *daemon, const struct request *request);
json_t *guard_report_why(struct daemon *daemon, const struct request *request);
