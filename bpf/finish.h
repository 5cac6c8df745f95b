/* SPDX-License-Identifier: GPL-2.0 */
/* The end of every packet: all counters, and what XDP returns. */
#pragma once

#include "flow.h"
#include "maps.h"

/* What XDP returns for a verdict; `forwarded` for a packet that is on its way. */
static __always_inline int finish_action(enum verdict verdict, int forwarded)
{
#define PASS XDP_PASS
#define HOLD XDP_DROP /* the daemon has a copy */
#define ANSWER XDP_TX
#define DROP XDP_DROP
#define FORWARD forwarded
#define VERDICT_CASE(name, action, normal, text)                                                                       \
	case VERDICT_##name:                                                                                           \
		return action;
	switch (verdict) {
		BALANCER_VERDICTS(VERDICT_CASE)
	case VERDICT_none:
		break;
	}
	return XDP_PASS;
#undef VERDICT_CASE
#undef FORWARD
#undef HOLD
#undef ANSWER
#undef DROP
#undef PASS
}

static __always_inline void finish_count(void *map, __u32 id, __u64 bytes)
{
	struct traffic *traffic = bpf_map_lookup_elem(map, &id);

	if (traffic) {
		traffic->packets++;
		traffic->bytes += bytes;
	}
}

static __always_inline void finish_count_verdict(__u32 verdict)
{
	__u64 *counters = bpf_map_lookup_elem(&verdicts, &(__u32){0});

	/* Compared and used as one register: the verifier does not see that two are the same. */
	asm volatile("" : "+r"(verdict));
	if (counters && verdict < VERDICT_COUNT)
		counters[verdict]++;
}

static __always_inline int finish(const struct flow *flow)
{
	enum verdict verdict = flow->verdict;

	finish_count_verdict(verdict);
	if (flow->in_service)
		finish_count(&service_traffic, flow->service, flow->length);
	if (flow->action != XDP_PASS)
		finish_count(&backend_traffic, flow->backend, flow->length);
	return finish_action(verdict, flow->action);
}
