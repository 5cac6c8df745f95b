/* SPDX-License-Identifier: GPL-2.0 */
/* What a packet test needs. Apart from run.h, which the benchmark uses, too. */
#pragma once

#include <criterion/criterion.h>
#include "run.h"

/* Skips the test, and says why, where XDP programs may not be loaded. */
static inline void require_run(void)
{
	char reason[RUN_REASON_SIZE];

	if (!run_is_allowed(reason))
		cr_skip_test("%s", reason);
}
