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

/* setups: hash, hash of the Call-ID -> struct setup. The sampled calls (call_is_sampled()) with message counters and
 * the Call-ID as key, whose initial INVITE a backend with `forward: nat` has received. The program adds entries and
 * updates them; only the daemon deletes them. While the map is full, further calls are not measured. */
#define SETUPS 16384

/* The events of a call whose times are measured. Each is the first response of its kind. */
enum setup_event {
	SETUP_RESPONSE, /* any response */
	SETUP_STATUS,   /* the caller learns the state of the call: any response except 100, 401 and 407 (RFC 6076,
			   section   4.3: Session Request Delay) */
	SETUP_ANSWER,   /* 2xx */
	SETUP_EVENTS,
};

#define SETUP_BIT(event) (1U << (event))
#define SETUP_FINAL SETUP_BIT(SETUP_EVENTS) /* a final response has arrived */

struct setup {
	__u64 invited; /* ns of CLOCK_MONOTONIC: time of the INVITE */
	__u32 backend; /* id */
	__u32 events;  /* those that have happened: bits by enum setup_event, and SETUP_FINAL */
};

/* service_setup_times, backend_setup_times: arrays by id of struct setup_times. The times between the INVITE and each
 * event, of the sampled calls. They are not per CPU, because a sampled call changes them at most three times. */
#define SETUP_LIMITS 16
#define SETUP_LIMIT(i) (1000ULL << (i)) /* us: 1 ms to 32.768 s */

struct setup_times {
	struct {
		__u64 usec;                     /* sum of the times */
		__u64 bucket[SETUP_LIMITS + 1]; /* calls whose time is above limit i - 1, and not above limit i */
	} of[SETUP_EVENTS];
};

/* unanswered_calls: array by backend id of a number: the sampled calls to which the backend has not responded within
 * 32 s (timer B of RFC 3261, section 17.1.1.2). Only the daemon writes it. */

_Static_assert(sizeof(struct backend_return) == BACKEND_RETURN_COUNT * 8, "backend_return");
_Static_assert(PASSIVE_CODES <= 256, "codes");
_Static_assert(sizeof(struct passive_rule) == 32, "passive_rule");
_Static_assert(sizeof(struct passive_state) == 48, "passive_state");
_Static_assert(sizeof(struct setup) == 16, "setup");
_Static_assert(sizeof(struct setup_times) == SETUP_EVENTS * (SETUP_LIMITS + 2) * 8, "setup_times");
