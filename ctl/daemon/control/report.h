/* SPDX-License-Identifier: GPL-2.0 */
/* The commands that change nothing: status, lists, counters and look-ups. */
#pragma once

#include "ctl/daemon/daemon.h"

json_t *report_status(struct daemon *daemon, const struct request *request);
json_t *report_service_list(struct daemon *daemon, const struct request *request);
json_t *report_pool_list(struct daemon *daemon, const struct request *request);
json_t *report_backend_list(struct daemon *daemon, const struct request *request);
json_t *report_backend_calls(struct daemon *daemon, const struct request *request);
json_t *report_stats(struct daemon *daemon, const struct request *request);
json_t *report_lookup(struct daemon *daemon, const struct request *request);

/* The number of backends of a pool, and of those that own slots. */
size_t report_backends(const struct farm_pool *pool);
size_t report_serving(const struct daemon *daemon, const struct farm_pool *pool);
