/* SPDX-License-Identifier: GPL-2.0 */
/* What `sipxdp-ctl group` and `status` say about the group. */
#pragma once

#include "ctl/daemon/control/report.h"

json_t *group_report(struct daemon *daemon, const struct request *request);

/* Calls `add` with each warning for `status`. */
typedef void group_report_add(void *data, const char *text);
void group_report_warnings(const struct daemon *daemon, group_report_add *add, void *data);
