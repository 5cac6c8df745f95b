/* SPDX-License-Identifier: GPL-2.0 */
/* The loaded balancer of suites in which each test has a balancer of its own. */
#pragma once

#include "balancer.h"

extern struct balancer_bpf *skel; /* of the current test */

/* For `.init`: loads the balancer, or skips the test with the reason. */
void suite_load(const struct balancer_setup *setup);

/* For `.fini`. */
void suite_unload(void);
