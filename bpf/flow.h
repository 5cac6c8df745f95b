/* SPDX-License-Identifier: GPL-2.0 */
/* What the stages of the pipeline (balancer.bpf.c) know about the current packet. A stage reads the results of
 * earlier stages and adds its own.
 *
 * The record is on the stack of the program. A per-CPU map would cost as much, and is not safe everywhere:
 * before Linux 6.11 a packet can interrupt a test run on the same CPU, and with PREEMPT_RT it can interrupt
 * any run. */
#pragma once

#include "frame.h"
#include "packet.h"

/* The result of a stage. */
enum next {
	NEXT_STAGE,
	NEXT_FINISH, /* flow->verdict is final */
};

struct flow {
	/* parse */
	struct packet packet;
	__u32 length; /* of the frame as it arrived, bytes */

	/* classify: settings of the service */
	__u16 service;     /* id */
	__u16 call_id_end; /* key: offset behind the value of the Call-ID; 0: unknown */
	__u64 hash_key[2];
	__u16 pool;
	__u16 hint_group;
	__u8 affinity;
	__u8 flags;           /* enum service_flags */
	__u8 has_service : 1; /* `service` is valid: the packet is for a service or a port range */
	__u8 has_owner : 1;   /* `backend` is valid and the key does not matter: a fragment, or a port of one backend */
	__u8 message;         /* owner: enum service_counter of the SIP message; 0: none */

	/* key, owner */
	__u64 hash;
	__u32 backend; /* id; 0: none */

	/* send: the XDP action of a packet that leaves; XDP_PASS: it does not leave */
	__u8 action;

	/* every stage */
	__u8 verdict; /* so far */
	__u16 budget; /* remaining units for reading the message (sip_text.h) */
};

_Static_assert(VERDICT_CONTINUE <= 0xff, "verdict");
_Static_assert(SERVICE_COUNTER_COUNT <= 0xff, "message");
_Static_assert(MAX_SERVICES <= 0x10000, "service");

/* Sets the final verdict. */
static __always_inline int flow_finish(struct flow *flow, enum verdict verdict)
{
	flow->verdict = verdict;
	return NEXT_FINISH;
}
