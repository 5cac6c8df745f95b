/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of report.h share. Nobody else's. */
#pragma once

#include "report.h"

/* Every verdict: its name, what it means, and whether it is usual and forwards. */
struct verdict_text {
	const char *name;
	const char *text;
	bool forwards;
	bool normal;
};

extern const struct verdict_text report_verdicts[VERDICT_COUNT];

/* How many backends a pool has, and how many of them have slots. */
size_t report_backends(const struct farm_pool *pool);
size_t report_serving(const struct daemon *daemon, const struct farm_pool *pool);

json_t *report_address(const struct address *address);
