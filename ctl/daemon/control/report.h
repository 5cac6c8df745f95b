/* SPDX-License-Identifier: GPL-2.0 */
/* The read-only commands: status, lists, counters and look-ups. */
#pragma once

#include "ctl/daemon/daemon.h"

json_t *report_status(struct daemon *daemon, const struct request *request);
json_t *report_service_list(struct daemon *daemon, const struct request *request);
json_t *report_pool_list(struct daemon *daemon, const struct request *request);
json_t *report_backend_list(struct daemon *daemon, const struct request *request);
json_t *report_backend_calls(struct daemon *daemon, const struct request *request);
json_t *report_stats(struct daemon *daemon, const struct request *request);
json_t *report_lookup(struct daemon *daemon, const struct request *request);

/* The slots of one backend. */
struct slot_counts {
	uint32_t owned;
	uint32_t gaining;   /* will move to this backend after their recording */
	uint32_t losing;    /* will move away from it after their recording */
	uint32_t releasing; /* have moved away, but their established calls are still at this backend */
};

/* An array with 65536 elements, indexed by the id of the backend. The caller frees it. */
struct slot_counts *report_count_slots(const struct daemon *daemon, uint32_t pool);

/* The number of backends of a pool, and of those that own slots. */
size_t report_backends(const struct farm_pool *pool);
size_t report_serving(const struct daemon *daemon, const struct farm_pool *pool);
