/* SPDX-License-Identifier: GPL-2.0 */
/* Two balancers of a group. A test takes the changes of calls from one to the other. */
#pragma once

#include "suite.h"
#include "bpf/call_writer.skel.h" /* needs abi_calls.h */

#define PAIR_SLOTS 4096

extern const struct balancer_setup pair_setup;

/* A balancer of the group. */
struct side {
	struct balancer_bpf *balancer;
	struct call_writer_bpf *writer;
	struct call_batch *batch; /* the changes that have arrived for it */
	struct ring_buffer *ring;
	struct side *other;
};

extern struct side sides[2];

/* For `.init` and `.fini`. Both balancers share their calls, and the first one is the current one. */
void pair_load(void);
void pair_unload(void);

/* The balancer that receives the next messages (`skel`). */
void pair_use(const struct side *side);

/* Does the current balancer belong to a group? Its permission to place calls becomes unlimited. */
void pair_share(bool active);

/* Runs the program call_writer with the batch of this side. */
void pair_apply(struct side *side);

/* Takes the changes of this side to the other one. Returns their number. */
uint32_t pair_exchange(struct side *side);

/* Sets the permission of the current balancer, which is the first side: ns of CLOCK_MONOTONIC. */
void pair_renew(uint64_t lease);
