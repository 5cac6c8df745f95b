/* SPDX-License-Identifier: GPL-2.0 */
/* The last stage: updates all counters and returns the XDP action. */
#pragma once

#include "flow.h"
#include "maps.h"
#include "setup.h"

/* `forwarded` is the action that forward() has chosen: XDP_TX or XDP_REDIRECT. */
static __always_inline int finish_action(enum verdict_action action, int forwarded)
{
	switch (action) {
	case ACTION_forwarded:
		return forwarded;
	case ACTION_passed:
		return XDP_PASS;
	case ACTION_held:
		return XDP_DROP; /* the daemon has received a copy of the packet */
	case ACTION_answered:
		return XDP_TX;
	case ACTION_dropped:
		return XDP_DROP;
	}
	return XDP_PASS;
}

/* Returns the XDP action for a verdict. */
static __always_inline int finish_verdict(enum verdict verdict, int forwarded)
{
#define VERDICT_CASE(name, action, normal, text)                                                                       \
	case VERDICT_##name:                                                                                           \
		return finish_action(ACTION_##action, forwarded);
	switch (verdict) {
		BALANCER_VERDICTS(VERDICT_CASE)
	case VERDICT_CONTINUE:
		break;
	}
	return XDP_PASS;
#undef VERDICT_CASE
}

/* The message counter of a backend that matches each message counter of a service. A table, because the verifier would
 * follow each branch of a function. */
static const __u8 finish_backend_counters[SERVICE_COUNTER_COUNT] = {
	[SERVICE_COUNTER_initial_invite] = BACKEND_COUNTER_initial_invite,
	[SERVICE_COUNTER_initial_bye... SERVICE_COUNTER_initial_options] = BACKEND_COUNTER_initial_other,
	[SERVICE_COUNTER_initial_register] = BACKEND_COUNTER_initial_register,
	[SERVICE_COUNTER_initial_prack... SERVICE_COUNTER_initial_other] = BACKEND_COUNTER_initial_other,
	[SERVICE_COUNTER_unknown_invite... SERVICE_COUNTER_unknown_other] = BACKEND_COUNTER_unknown,
	[SERVICE_COUNTER_in_dialog_invite... SERVICE_COUNTER_in_dialog_cancel] = BACKEND_COUNTER_in_dialog,
	[SERVICE_COUNTER_invite_100... SERVICE_COUNTER_unknown_invalid] = BACKEND_COUNTER_response,
	[SERVICE_COUNTER_not_sip] = BACKEND_COUNTER_not_sip,
};

/* Returns the message counter of a backend for one of a service; 0: none. */
static __always_inline __u32 finish_backend_counter(__u64 message)
{
	asm volatile("" : "+r"(message)); /* comparison and index must use the same register */
	return message < SERVICE_COUNTER_COUNT ? finish_backend_counters[message] : 0;
}

/* Counts a packet for a service or a backend with `count` counters. `message`: its message counter; 0: none. */
static __always_inline void finish_count(void *map, __u32 id, __u64 bytes, __u32 message, __u32 count)
{
	__u64 *counters = bpf_map_lookup_elem(map, &id);

	_Static_assert(SERVICE_COUNTER_packets == 0 && BACKEND_COUNTER_packets == 0, "order of counters");
	_Static_assert(SERVICE_COUNTER_bytes == 1 && BACKEND_COUNTER_bytes == 1, "order of counters");
	if (counters) {
		counters[SERVICE_COUNTER_packets]++;
		counters[SERVICE_COUNTER_bytes] += bytes;
		if (!message)
			return;
		asm volatile(""
			     : "+r"(message)); /* keeps the compiler from merging both comparisons, as in
						  finish_count_verdict() */
		if (message < count)
			counters[message]++;
	}
}

static __always_inline void finish_count_service(__u32 id, __u64 bytes, __u32 message)
{
	finish_count(&service_traffic, id, bytes, message, SERVICE_COUNTER_COUNT);
}

static __always_inline void finish_count_backend(__u32 id, __u64 bytes, __u32 message)
{
	finish_count(&backend_traffic, id, bytes, finish_backend_counter(message), BACKEND_COUNTER_COUNT);
}

static __always_inline void finish_count_verdict(__u32 verdict)
{
	__u64 *counters = bpf_map_lookup_elem(&verdicts, &(__u32){0});

	/* The comparison and the index must use the same register. Otherwise the verifier does not apply the comparison
	 * to the index. */
	asm volatile("" : "+r"(verdict));
	if (counters && verdict < VERDICT_COUNT)
		counters[verdict]++;
}

static __always_inline int finish(const struct flow *flow)
{
	enum verdict verdict = flow->verdict;

	finish_count_verdict(verdict);
	if (flow->has_service)
		finish_count_service(flow->service, flow->length, flow->message);
	if (flow->action != XDP_PASS && verdict != VERDICT_nat_out) {
		finish_count_backend(flow->backend, flow->length, flow->message);
		setup_sent(flow);
	}
	return finish_verdict(verdict, flow->action);
}
