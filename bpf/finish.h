/* SPDX-License-Identifier: GPL-2.0 */
/* The end of every packet: updates all counters and returns the XDP action. */
#pragma once

#include "flow.h"
#include "maps.h"

/* `forwarded` is what forward() has chosen: XDP_TX or XDP_REDIRECT. */
static __always_inline int finish_action(enum verdict_action action, int forwarded)
{
	switch (action) {
	case ACTION_forwarded:
		return forwarded;
	case ACTION_passed:
		return XDP_PASS;
	case ACTION_held:
		return XDP_DROP; /* the daemon has a copy */
	case ACTION_answered:
		return XDP_TX;
	case ACTION_dropped:
		return XDP_DROP;
	}
	return XDP_PASS;
}

/* What XDP returns for a verdict. */
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

/* The first two counters of a service and of a backend. */
static __always_inline void finish_count(void *map, __u32 id, __u64 bytes)
{
	__u64 *counters = bpf_map_lookup_elem(map, &id);

	_Static_assert(SERVICE_COUNTER_packets == 0 && BACKEND_COUNTER_packets == 0, "order of counters");
	_Static_assert(SERVICE_COUNTER_bytes == 1 && BACKEND_COUNTER_bytes == 1, "order of counters");
	if (counters) {
		counters[SERVICE_COUNTER_packets]++;
		counters[SERVICE_COUNTER_bytes] += bytes;
	}
}

static __always_inline void finish_count_verdict(__u32 verdict)
{
	__u64 *counters = bpf_map_lookup_elem(&verdicts, &(__u32){0});

	/* Compares and uses one register: otherwise the verifier does not know that both values are the same. */
	asm volatile("" : "+r"(verdict));
	if (counters && verdict < VERDICT_COUNT)
		counters[verdict]++;
}

static __always_inline int finish(const struct flow *flow)
{
	enum verdict verdict = flow->verdict;

	finish_count_verdict(verdict);
	if (flow->has_service)
		finish_count(&service_traffic, flow->service, flow->length);
	if (flow->action != XDP_PASS)
		finish_count(&backend_traffic, flow->backend, flow->length);
	return finish_verdict(verdict, flow->action);
}
