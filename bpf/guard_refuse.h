/* SPDX-License-Identifier: GPL-2.0 */
/* The stage after the guard. If a rule with the action `refuse` drops an initial INVITE, this stage passes the INVITE
 * to the daemon, which answers it with 503. The map guard_refusals stores the INVITE. The stage refuses its
 * retransmissions as well, even if the limit would allow them by then, because the sender may have received the 503.
 * The stage also drops the ACK of the 503, and a CANCEL that was sent before the 503 arrived: no server has this
 * transaction.
 *
 * If the daemon cannot answer (it does not run, or too many INVITEs are refused), the INVITE is dropped by its rule. */
#pragma once

#include "guard.h"
#include "punt.h"
#include "track.h"

#define REFUSAL_INTERVAL (1000000000 / GUARD_REFUSALS_A_SECOND)
#define REFUSAL_WINDOW ((GUARD_REFUSALS_BURST - 1) * REFUSAL_INTERVAL)

/* Returns the start-line of the message, if it may belong to the transaction of a refused INVITE; otherwise 0. */
static __always_inline __u32 refuse_line(struct xdp_md *ctx, struct flow *flow)
{
	struct sip_start start = {};

	if (!text_is_sip(ctx, flow, &start))
		return 0;
	if (start.method != METHOD_INVITE && start.method != METHOD_ACK && start.method != METHOD_CANCEL)
		return 0;
	return start.line;
}

/* Returns the hash of Call-ID, branch and CSeq number, which INVITE, ACK and CANCEL of one transaction have in common
 * (RFC 3261 sections 9.1 and 17.1.1.3). The number distinguishes a new attempt of a client whose branches are not
 * unique (RFC 2543). 0: one of the three is missing, or beyond the search limit. */
static __always_inline __u64 refuse_hash(struct xdp_md *ctx, struct flow *flow, __u32 line)
{
	struct sip_key call_id = {.hash_key = {flow->hash_key[0], flow->hash_key[1]}};
	struct sip_lines lines = {};
	__u32 branch = 0, number = 0;
	struct hash hash;

	lines.at = line;
	text_find_header(ctx, flow, &lines, SIP_VIA);
	text_find_header(ctx, flow, &lines, SIP_CALL_ID);
	text_find_header(ctx, flow, &lines, SIP_CSEQ);
	track_parameter(ctx, flow, lines.colon[SIP_VIA], SIP_BRANCH_NAME, &branch);
	track_cseq(ctx, flow, lines.colon[SIP_CSEQ], &number);
	if (!branch || !number || !lines.colon[SIP_CALL_ID] ||
		text_hash(ctx, lines.colon[SIP_CALL_ID], flow->packet.end, &call_id) != SIP_FOUND)
		return 0;
	hash = hash_start(flow->hash_key);
	hash_word(&hash, call_id.hash);
	hash_word(&hash, (__u64)branch << 32 | number);
	return hash_finish(hash, flow->hash_key);
}

/* Returns the key of the transaction in guard_refusals. 0: the message cannot belong to a refused INVITE. */
__noinline __u64 refuse_key(struct xdp_md *ctx, struct flow *flow)
{
	__u64 key = 0;
	__u16 budget;
	__u32 line;

	if (!flow)
		return 0;
	line = refuse_line(ctx, flow);
	budget = flow->budget;
	flow->budget = SIP_PACKET_BUDGET; /* this search must not reduce the budget of later stages, as in the guard */
	if (line)
		key = refuse_hash(ctx, flow, line);
	flow->budget = budget;
	return key;
}

/* Takes a token of the rate at which this CPU passes INVITEs to the daemon. */
static __always_inline bool refuse_is_allowed(__u64 now)
{
	struct guard_clock *clock = bpf_map_lookup_elem(&guard_clocks, &(__u32){0});
	__u64 start;

	if (!clock)
		return false;
	start = clock->refusals_full > now ? clock->refusals_full : now;
	if (start - now > REFUSAL_WINDOW)
		return false;
	if (!dry_run)
		clock->refusals_full = start + REFUSAL_INTERVAL;
	return true;
}

/* Stores a refused INVITE, before the daemon can answer it. */
static __always_inline void refuse_remember(const struct flow *flow, __u64 key, __u32 rule, __u64 now)
{
	const struct guard_refusal refusal = {.time = now, .rule = rule};
	__u32 guard = flow->guard;

	bpf_map_update_elem(&guard_refusals, &key, &refusal, BPF_ANY);
	bpf_map_update_elem(&guard_refusing, &guard, &now, BPF_ANY);
}

/* Passes the INVITE to the daemon. Returns false if that is impossible. */
static __always_inline bool refuse_punt(struct xdp_md *ctx, const struct flow *flow, __u64 key, __u32 rule, bool is_new)
{
	__u64 now = bpf_ktime_get_ns();
	const struct guard *guard;
	struct punt *punt;
	__u32 id;

	if (!flow || !key)
		return false;
	id = flow->guard;
	guard = bpf_map_lookup_elem(&guards, &id);
	if (!guard || !punt_has_reader(&punt_refusals, PUNT_CLASS_REFUSALS) || !refuse_is_allowed(now))
		return false;
	if (dry_run)
		return true;
	punt = punt_frame(ctx, &punt_refusals, PUNT_FRAME_SIZE, PUNT_REFUSAL);
	if (!punt)
		return false;
	if (is_new)
		refuse_remember(flow, key, rule, now);
	punt->retry_after = guard->retry_after;
	bpf_ringbuf_submit(punt, 0);
	return true;
}

/* Returns the transaction of a message, if its INVITE was refused. */
static __always_inline const struct guard_refusal *refuse_find(__u64 key)
{
	const struct guard_refusal *refusal = bpf_map_lookup_elem(&guard_refusals, &key);

	return refusal && bpf_ktime_get_ns() - refusal->time < GUARD_REFUSAL_NSEC ? refusal : NULL;
}

/* Counts an INVITE for its rule. If flow->refused is set, the guard has already counted it as dropped. */
__noinline int refuse_count(const struct flow *flow, __u32 rule, bool answered)
{
	struct guard_counters *counters;
	__u32 at;

	if (!flow)
		return 0;
	at = flow->guard * GUARD_RULES + rule;
	counters = bpf_map_lookup_elem(&guard_counters, &at);
	if (!counters || dry_run)
		return 0;
	counters->refused += answered;
	if (flow->refused)
		return 0;
	counters->dropped++;
	counters->bytes += flow->length;
	counters->seen = bpf_ktime_get_coarse_ns();
	counters->source = flow->packet.source;
	return 0;
}

/* Decides about a message of the transaction `key`. */
__noinline int refuse_message(struct xdp_md *ctx, struct flow *flow, __u64 key)
{
	const struct guard_refusal *known;
	struct sip_start start = {};
	__u32 rule;
	bool answered;

	if (!flow)
		return NEXT_STAGE;
	known = refuse_find(key);
	rule = flow->refused - 1;
	if (flow->refused == REFUSED_BEFORE) {
		flow->refused = 0;
		if (!known || !text_is_sip(ctx, flow, &start))
			return NEXT_STAGE;
		if (start.method == METHOD_ACK || start.method == METHOD_CANCEL)
			return flow_finish(flow, VERDICT_refused_ack);
		if (start.method != METHOD_INVITE)
			return NEXT_STAGE;
		rule = known->rule;
		if (flow->packet.kind == PACKET_FIRST_FRAGMENT)
			fragment_record_dropped(flow);
	}
	answered = refuse_punt(ctx, flow, key, rule, !known);
	refuse_count(flow, rule, answered);
	return flow_finish(flow, answered ? VERDICT_refused : guard_verdict(rule));
}

/* Called if the guard has set flow->refused. */
static __always_inline int refuse(struct xdp_md *ctx, struct flow *flow)
{
	return refuse_message(ctx, flow, refuse_key(ctx, flow));
}
