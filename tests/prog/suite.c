// SPDX-License-Identifier: GPL-2.0
/* See suite.h. */
#include "require.h"
#include "suite.h"

struct balancer_bpf *skel;

void suite_load(const struct balancer_setup *setup)
{
	require_run();
	skel = balancer_load(setup);
}

void suite_unload(void)
{
	balancer_unload(skel);
	skel = NULL;
}
