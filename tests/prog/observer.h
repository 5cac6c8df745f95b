/* SPDX-License-Identifier: GPL-2.0 */
/* The program observer, for the packet tests. */
#pragma once

#include "bpf/observer.skel.h"
#include "balancer.h"

/* Loads the program with the maps of a loaded balancer; aborts the test if the kernel refuses. */
struct observer_bpf *observer_load(struct balancer_bpf *skel);

void observer_unload(struct observer_bpf *observing);
