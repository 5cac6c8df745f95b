/* SPDX-License-Identifier: GPL-2.0 */
/* The results of the stages (balancer.bpf.c) for the current packet. A stage reads the results of earlier
 * stages and adds its own.
 *
 * struct flow is on the stack of the program. A per-CPU map would not be faster, and is not always safe: before
 * Linux 6.11, a received packet can interrupt a test run (BPF_PROG_TEST_RUN) on the same CPU. With PREEMPT_RT,
 * a packet can interrupt any run of the program. */
#pragma once

#include "frame.h"
#include "packet.h"
#include "abi_guard.h"

/* The result of a stage. */
enum next {
	NEXT_STAGE,
	NEXT_FINISH, /* flow->verdict is final */
};

/* Values of flow->refused. */
#define REFUSED_OVERLOAD 30 /* owner: no backend of the pool accepts this new call */
#define REFUSED_BEFORE 31   /* the message may belong to an INVITE that was refused before */

struct flow {
	/* parse */
	struct packet packet;
	__u32 length; /* of the frame as it arrived, bytes */

	/* classify: settings of the service */
	__u16 service;            /* id; also set by nat_source */
	__u16 call_id_end : 15;   /* key: offset of the end of the Call-ID value; 0: unknown */
	__u16 needs_checksum : 1; /* send: the outer UDP header has no checksum yet */
	union {
		__u64 hash_key[2];
		struct address new_source; /* nat_source: the VIP that replaces the source */
	};
	__u16 pool;
	union {
		__u16 hint_group;
		__be16 new_port; /* nat_source: the port that replaces the source port; 0: the port stays */
	};
	__u8 guard; /* id; 0: none */
	__u8 affinity : 3;
	__u8 flags : 5;       /* enum service_flags; nat_source: enum nat_vip_flags */
	__u8 has_service : 1; /* `service` is valid: the packet is for a service or a port range */
	__u8 has_owner : 1;   /* `backend` is valid without a key: a fragment, or a port of one backend */
	__u8 reason : 3;      /* enum owner_reason of `backend`, for observers (observe.h) */
	__u8 is_judged : 1;   /* the fast path has called the guard */
	__u8 keeps_port : 1;  /* classify: NAT does not change the destination port */
	__u8 is_invite : 1;   /* guard: an initial INVITE, which needs a token of guard_backend() */
	__u8 message;         /* owner: enum service_counter of the SIP message; 0: none */

	/* key, owner */
	__u64 hash;
	__u32 backend; /* id; 0: none */

	/* send: XDP_TX or XDP_REDIRECT if the packet is sent, otherwise XDP_PASS */
	__u8 action : 3;

	/* guard: 1 + the enum guard_rule, if this INVITE must be refused with 503; or one of the values above; or 0 */
	__u8 refused : 5;

	/* every stage */
	__u8 verdict; /* the verdict of the stages so far */
	__u16 budget; /* remaining units for reading the message (sip_text.h) */
};

_Static_assert(VERDICT_CONTINUE <= 0xff, "verdict");
_Static_assert(SERVICE_COUNTER_COUNT <= 0xff, "message");
_Static_assert(GUARD_RULES < REFUSED_OVERLOAD, "refused");
_Static_assert(GUARDS <= 0x100, "guard");
_Static_assert(MAX_SERVICES <= 0x10000, "service");

/* Sets the final verdict. */
static __always_inline int flow_finish(struct flow *flow, enum verdict verdict)
{
	flow->verdict = verdict;
	return NEXT_FINISH;
}
