/* SPDX-License-Identifier: GPL-2.0 */
/* Measures the time in which backends with `forward: nat` respond to the initial INVITEs of the sampled calls
 * (abi_return.h). Owns the maps `setups`, `service_setup_times` and `backend_setup_times`. Affects no packet. */
#pragma once

#include "flow.h"
#include "maps.h"
#include "sip_counter.h"

/* --- to the backend */

/* Records when an initial INVITE is sent to its backend. The time of a repetition does not count. After a failure the
 * INVITE is not a repetition: the client has added its credentials, for example. RFC 6076, section 4.3: the time begins
 * with the INVITE that contains the necessary information. */
__noinline int setup_begin(const struct flow *flow)
{
	struct setup setup = {};
	const struct backend *backend;
	const struct setup *known;
	__u64 call;

	if (!flow)
		return 0;
	backend = backend_reachable(flow->backend);
	if (!backend || backend->forward != FORWARD_NAT)
		return 0;
	call = flow->hash;
	known = bpf_map_lookup_elem(&setups, &call);
	if (known && (!(known->events & SETUP_FINAL) || known->events & SETUP_BIT(SETUP_ANSWER)))
		return 0;
	setup.invited = bpf_ktime_get_ns();
	setup.backend = flow->backend;
	bpf_map_update_elem(&setups, &call, &setup, BPF_ANY);
	return 0;
}

/* For a packet that is sent to a backend. */
static __always_inline void setup_sent(const struct flow *flow)
{
	if (flow->message == SERVICE_COUNTER_initial_invite && call_is_sampled(flow->hash) && flow->call_id_end &&
		flow->affinity == AFFINITY_CALL_ID)
		setup_begin(flow);
}

/* --- from the backend */

/* The events that a response to INVITE may be. `code`: index into the list of counters.h. A 401 or 407 asks for
 * credentials and says nothing about the call. This is a global function, so that the verifier does not check the code
 * after it for each result. */
__noinline __u32 setup_events(__u32 code)
{
	if (code == COUNTER_CODE_OFFSET(100) || code == COUNTER_CODE_OFFSET(invalid))
		return SETUP_BIT(SETUP_RESPONSE);
	if (code <= COUNTER_CODE_OFFSET(other_1xx))
		return SETUP_BIT(SETUP_RESPONSE) | SETUP_BIT(SETUP_STATUS);
	if (code <= COUNTER_CODE_OFFSET(other_2xx))
		return SETUP_BIT(SETUP_RESPONSE) | SETUP_BIT(SETUP_STATUS) | SETUP_BIT(SETUP_ANSWER) | SETUP_FINAL;
	if (code == COUNTER_CODE_OFFSET(401) || code == COUNTER_CODE_OFFSET(407))
		return SETUP_BIT(SETUP_RESPONSE) | SETUP_FINAL;
	return SETUP_BIT(SETUP_RESPONSE) | SETUP_BIT(SETUP_STATUS) | SETUP_FINAL;
}

/* The number of limits that the time exceeds. The comparisons are subtractions, because the verifier would follow both
 * ways of each branch. */
static __always_inline __u64 setup_bucket(__u64 usec)
{
	__u64 bucket = 0;

	for (int i = 0; i < SETUP_LIMITS; i++)
		bucket += (SETUP_LIMIT(i) - usec) >> 63;
	return bucket;
}

static __always_inline void setup_add(void *map, __u32 id, __u64 event, __u64 bucket, __u64 usec)
{
	struct setup_times *times = bpf_map_lookup_elem(map, &id);

	if (!times || event >= SETUP_EVENTS || bucket > SETUP_LIMITS)
		return;
	/* The compiler must compute the offset from the compared values, not from copies of 32 bits: Linux 6.1 does not
	 * apply a comparison to such a copy. */
	asm volatile("" : "+r"(event), "+r"(bucket));
	__sync_fetch_and_add(&times->of[event].usec, usec);
	__sync_fetch_and_add(&times->of[event].bucket[bucket], 1);
}

/* An event has happened `usec` after the INVITE. */
__noinline int setup_count(__u32 service, __u32 backend, __u64 event, __u64 usec)
{
	__u64 bucket = setup_bucket(usec);

	setup_add(&service_setup_times, service, event, bucket, usec);
	setup_add(&backend_setup_times, backend, event, bucket, usec);
	return 0;
}

/* A response to INVITE. Each event counts once for each INVITE. Only responses of the backend that received the INVITE
 * count: the call may pass the balancer again, on its way to a different pool. */
__noinline int setup_respond(__u64 hash, __u32 code, __u32 service, __u32 backend)
{
	__u64 call = hash, usec; /* Linux 6.1 reads keys only from the stack */
	struct setup *setup = bpf_map_lookup_elem(&setups, &call);
	__u32 events;

	if (!setup || setup->backend != backend)
		return 0;
	events = setup_events(code) & ~setup->events;
	if (!events)
		return 0;
	setup->events |= events;
	usec = (bpf_ktime_get_ns() - setup->invited) / 1000;
	for (int i = 0; i < SETUP_EVENTS; i++)
		if (events & SETUP_BIT(i))
			setup_count(service, backend, i, usec);
	return 0;
}
