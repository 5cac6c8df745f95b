/* SPDX-License-Identifier: GPL-2.0 */
/* The requirements of a packet test. Separate from run.h, which the benchmark also uses. */
#pragma once

#include <criterion/criterion.h>
#include "run.h"

/* Skips the test with the reason if XDP programs must not be loaded. */
static inline void require_run(void)
{
	char reason[RUN_REASON_SIZE];

	if (!run_is_allowed(reason))
		cr_skip_test("%s", reason);
}
