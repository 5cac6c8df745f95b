/* SPDX-License-Identifier: GPL-2.0 */
/* The part of the contract (abi.h) about the return path: the packets that backends with `forward: nat` send to
 * clients. Other forwarding methods have no return path through the balancer. docs/design/map-contract.md lists the
 * maps. */
#pragma once

#include "abi.h"

/* service_return, backend_return: per-CPU arrays by id of struct service_traffic and struct backend_return. They count
 * the packets from backends that leave with the VIP as their source. The message counters have the same meaning as
 * those of the opposite direction. The program updates them only for a struct nat_vip with NAT_COUNTS. */
#define COUNTER_MEMBER(name, kind, label, detail, text) __u64 name;
struct backend_return {
	BACKEND_RETURN_COUNTERS(COUNTER_MEMBER)
};
#undef COUNTER_MEMBER

#define COUNTER_VALUE(name, kind, label, detail, text) BACKEND_RETURN_##name,
enum backend_return_counter {
	BACKEND_RETURN_COUNTERS(COUNTER_VALUE) BACKEND_RETURN_COUNT
};
#undef COUNTER_VALUE

/* passive_rules: array by backend id. The response codes that count as failures of the backend, for passive health. The
 * program reads it only for a struct nat_vip with NAT_PASSIVE. */
#define PASSIVE_FIRST_CODE 500
#define PASSIVE_CODES 200

struct passive_rule {
	__u64 codes[4]; /* a bit for each code from PASSIVE_FIRST_CODE on; all 0: the backend has no passive health */
};

/* passive_states: array by backend id. The final responses to INVITE and REGISTER over UDP. 401 and 407 do not count,
 * because they only ask the client to repeat the request. Responses to other methods do not count: a server that cannot
 * set up calls may still respond to OPTIONS and BYE. For the same reason, the two methods are separate. */
enum passive_method {
	PASSIVE_INVITE,
	PASSIVE_REGISTER,
	PASSIVE_METHODS,
};

struct passive_state {
	struct {
		__u64 finals;
		__u64 failures; /* those of `finals` with a code of the rule */
		__u32 run;      /* failures since the last final response that was not a failure */
		__u32 last;     /* low bits of the hash of the Call-ID of the last failure: a server repeats a failure
				   until it receives the ACK, and the repetitions do not count */
	} of[PASSIVE_METHODS];
};

_Static_assert(sizeof(struct backend_return) == BACKEND_RETURN_COUNT * 8, "backend_return");
_Static_assert(PASSIVE_CODES <= 256, "codes");
_Static_assert(sizeof(struct passive_rule) == 32, "passive_rule");
_Static_assert(sizeof(struct passive_state) == 48, "passive_state");
