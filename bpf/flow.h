/* SPDX-License-Identifier: GPL-2.0 */
/* The record that the stages of the pipeline (balancer.bpf.c) share: what is known of the
 * packet that the program was called for. A stage reads what those before it have found and
 * adds its own part.
 *
 * The record lies on the stack of the program itself. A map of one per CPU would not cost
 * less, and is not safe everywhere: before Linux 6.11 a test run may be interrupted by a
 * packet on the same CPU, and with PREEMPT_RT so may any run. */
#pragma once

#include "frame.h"
#include "packet.h"

/* What a stage returns. */
enum next {
	NEXT_STAGE,
	NEXT_FINISH, /* flow->verdict is how the packet ends */
};

struct flow {
	/* parse */
	struct packet packet;
	__u32 length; /* of the frame as it arrived, bytes */

	/* classify: what the service says */
	__u32 service; /* id */
	__u64 hash_key[2];
	__u16 pool;
	__u16 hint_group;
	__u8 affinity;
	__u8 flags;       /* enum service_flags */
	bool has_service; /* the packet is for a service, or for a range of a VIP's ports */
	bool has_owner;   /* `backend` says it, whatever the key is: a fragment, a backend's own port */

	/* key, owner */
	__u64 hash;
	__u32 backend; /* id; 0: none */

	/* send: what XDP shall return for a packet that leaves; XDP_PASS: it does not */
	__u8 action;

	/* every stage */
	__u8 verdict; /* so far */
};

_Static_assert(VERDICT_CONTINUE <= 0xff, "verdict");

/* Ends the way of a packet. */
static __always_inline int flow_finish(struct flow *flow, enum verdict verdict)
{
	flow->verdict = verdict;
	return NEXT_FINISH;
}
