/* SPDX-License-Identifier: GPL-2.0 */
/* The stage that protects the servers of a service from floods and scanners. It runs before the search for the key, so
 * that a dropped packet costs less than a forwarded packet. Packets for services without a guard skip this stage.
 *
 * A list drops or exempts all packets of a source. The only limit for messages of established calls is a high ceiling:
 * messages with a To tag, ACK, CANCEL and responses take only a token from GUARD_BUCKET_DIALOG. In mode `observe` a
 * rule only counts.
 */
#pragma once

#include "flow.h"
#include "fragments.h"
#include "guard_message.h"

/* Rules for which the program must read the message. */
#define GUARD_READS                                                                                                    \
	(GUARD_FLAG_LIMITS | GUARD_FLAG_SCANNERS | GUARD_FLAG_BROKEN | GUARD_FLAG_SERVICE_SURGE |                      \
		GUARD_FLAG_BACKEND_SURGE)

/* Rules for initial requests that the fast path does not implement. */
#define GUARD_STAGES (GUARD_FLAG_BROKEN | GUARD_FLAG_SERVICE_SURGE | GUARD_FLAG_BACKEND_SURGE)

static __always_inline enum verdict guard_verdict(__u32 rule)
{
	switch (rule) {
	case GUARD_BUCKET_DIALOG:
	case GUARD_BUCKET_EMERGENCY:
		return VERDICT_over_ceiling;
	case GUARD_RULE_DENIED:
	case GUARD_RULE_BLOCKED:
		return VERDICT_denied;
	case GUARD_RULE_SCANNER:
		return VERDICT_scanner;
	case GUARD_RULE_BROKEN:
	case GUARD_RULE_STRANGER:
		return VERDICT_broken;
	case GUARD_RULE_SERVICE_SURGE:
	case GUARD_RULE_BACKEND_SURGE:
		return VERDICT_overload;
	}
	return VERDICT_limited;
}

/* Counts a packet for the rule that applies to it. Returns the verdict, or VERDICT_CONTINUE if the rule is not
 * enforced. */
static __always_inline enum verdict guard_apply(struct guarded *g, __u32 rule, bool enforced)
{
	g->rule = rule;
	guard_count(g, enforced ? GUARD_DROPPED : GUARD_OBSERVED);
	return enforced ? guard_verdict(rule) : VERDICT_CONTINUE;
}

enum guard_exemption {
	GUARD_EXEMPT_TRUSTED,
	GUARD_EXEMPT_DIALOG,
	GUARD_EXEMPT_EMERGENCY,
};

static __always_inline void guard_count_exempt(const struct guarded *g, enum guard_exemption exemption)
{
	__u32 id = g->guard;
	struct guard_exempt *exempt = bpf_map_lookup_elem(&guard_exempt, &id);

	if (!exempt || dry_run)
		return;
	if (exemption == GUARD_EXEMPT_TRUSTED)
		exempt->trusted++;
	else if (exemption == GUARD_EXEMPT_DIALOG)
		exempt->dialog++;
	else
		exempt->emergency++;
}

/* Decides about a message that is over a limit. An initial request may still be exempt: it then needs only a token of
 * GUARD_BUCKET_EMERGENCY. This ceiling never drops a request that the limit would only count. */
static __always_inline enum verdict guard_exceeds(struct xdp_md *ctx, struct guarded *g)
{
	bool enforced = g->enforced;

	if (g->flags & (GUARD_FLAG_EMERGENCY | GUARD_FLAG_PRIORITY) && guard_is_initial(g->bucket) && g->line &&
		guard_is_exempt(ctx, g)) {
		g->bucket = GUARD_BUCKET_EMERGENCY;
		if (!guard_limit(g)) {
			guard_count_exempt(g, GUARD_EXEMPT_EMERGENCY);
			return VERDICT_CONTINUE;
		}
		enforced &= g->enforced;
	}
	return guard_apply(g, g->rule, enforced);
}

/* Is the rule enforced by the guard as a whole? */
static __always_inline bool guard_enforces(const struct guarded *g, __u32 rule)
{
	__u32 id = g->guard;
	const struct guard *guard = bpf_map_lookup_elem(&guards, &id);

	return guard && guard->enforced >> rule & 1;
}

/* Decides about a message that violates a rule of the guard as a whole. Emergency calls are exempt from these rules,
 * too. */
static __always_inline enum verdict guard_violates(struct xdp_md *ctx, struct guarded *g, __u32 rule)
{
	g->rule = rule;
	g->enforced = guard_enforces(g, rule);
	return guard_exceeds(ctx, g);
}

/* Judges a message of the bucket g->bucket, except by GUARD_FLAG_BROKEN and surges. `tokens`: the result of
 * guard_admit(). Returns its verdict, or VERDICT_CONTINUE. */
static __always_inline enum verdict guard_judge(struct xdp_md *ctx, struct guarded *g, enum guard_tokens tokens)
{
	enum verdict verdict = VERDICT_CONTINUE;

	if (tokens == GUARD_TOKENS_NONE || (tokens == GUARD_TOKENS_UNKNOWN && guard_limit(g)))
		verdict = guard_exceeds(ctx, g);
	else if (g->bucket == GUARD_BUCKET_DIALOG)
		guard_count_exempt(g, GUARD_EXEMPT_DIALOG);
	if (verdict == VERDICT_CONTINUE && g->flags & GUARD_FLAG_SCANNERS && guard_is_initial(g->bucket) &&
		guard_is_scanner(ctx, g))
		verdict = guard_violates(ctx, g, GUARD_RULE_SCANNER);
	return verdict;
}

/* --- refused INVITEs (guard_refuse.h) */

__noinline int guard_is_recent(__u64 time)
{
	return (__s64)(guard_clock() - time) < (__s64)GUARD_REFUSAL_NSEC;
}

/* Returns whether this guard has refused an INVITE whose transaction may still exist. Most guards never refuse one, and
 * need no function call. */
static __always_inline bool guard_has_refused(__u32 id)
{
	const __u64 *last = bpf_map_lookup_elem(&guard_refusing, &id);

	return last && *last && guard_is_recent(*last);
}

/* Returns whether the message with this counter may belong to an INVITE that was refused before. Only the stages know
 * these INVITEs. */
static __always_inline bool guard_may_be_refused(const struct guarded *g, __u32 counter)
{
	return (counter == SERVICE_COUNTER_initial_invite || counter == SERVICE_COUNTER_in_dialog_ack ||
		       counter == SERVICE_COUNTER_in_dialog_cancel) &&
	       guard_has_refused(g->guard);
}

/* Returns whether the rules depend on the class of the message. Those of a trusted source do so only for a limit of the
 * service or the backend, or if the message may belong to an INVITE that was refused. */
static __always_inline bool guard_needs_bucket(const struct guarded *g)
{
	if (g->action == GUARD_TRUST && !(g->flags & (GUARD_FLAG_SERVICE_SURGE | GUARD_FLAG_BACKEND_SURGE)) &&
		!guard_has_refused(g->guard))
		return false;
	return g->flags & GUARD_READS;
}

/* --- the stage */

/* The results of the searches in a message. The stage needs only one of them at a time. */
union guard_reader {
	struct sip_key key;
	struct sip_head head;
};

/* Reads the bucket of a UDP message that text_request() cannot classify. */
static __always_inline __u32 guard_read_bucket(
	struct xdp_md *ctx, struct flow *flow, struct guarded *g, struct sip_head *head)
{
	enum sip_result tag;

	if (!text_is_sip(ctx, flow, &head->start))
		return guard_not_sip(ctx, flow->packet.payload, flow->packet.end);
	g->line = head->start.line;
	if (head->start.method == METHOD_NONE || head->start.method >= METHOD_ACK)
		return GUARD_BUCKET_DIALOG;
	head->lines.at = head->start.line;
	tag = count_to_tag(ctx, flow, head);
	return tag == SIP_NOT_THERE ? guard_bucket_of_method(head->start.method) : GUARD_BUCKET_DIALOG;
}

/* Returns the bucket of a packet, and sets g->line. */
static __always_inline __u32 guard_bucket(
	struct xdp_md *ctx, struct flow *flow, struct guarded *g, union guard_reader *reader)
{
	const struct packet *p = &flow->packet;

	if (p->kind == PACKET_ICMP_ERROR)
		return GUARD_BUCKET_DIALOG;
	if (p->protocol == IPPROTO_TCP)
		return guard_bucket_of_segment(ctx, p->transport);
	if (guard_is_response(ctx, p->payload, p->end)) {
		g->line = p->payload;
		return GUARD_BUCKET_DIALOG;
	}
	reader->key.from = 0;
	text_request(ctx, p->payload, p->end, &reader->key);
	g->line = p->payload;
	if (reader->key.counter != COUNTER_UNDECIDED)
		return guard_bucket_of_counter(reader->key.counter);
	__builtin_memset(reader, 0, sizeof(*reader));
	return guard_read_bucket(ctx, flow, g, &reader->head);
}

/* Returns the rule that a broken message violates; GUARD_RULES: none. A header beyond the search limit does not count
 * as missing. */
static __always_inline __u32 guard_broken(
	struct xdp_md *ctx, struct flow *flow, const struct guarded *g, struct sip_lines *lines)
{
	if (g->bucket == GUARD_BUCKET_NOT_SIP)
		return g->owner && !(g->owner & GUARD_OWNER_HAS_SIP) ? GUARD_RULE_STRANGER : GUARD_RULES;
	if (!guard_is_initial(g->bucket))
		return GUARD_RULES;
	__builtin_memset(lines, 0, sizeof(*lines));
	lines->at = g->line;
	text_find_header(ctx, flow, lines, SIP_HEADER_COUNT);
	if (lines->at != SIP_HEADERS_END)
		return GUARD_RULES;
	return lines->colon[SIP_CALL_ID] && lines->colon[SIP_FROM] && lines->colon[SIP_TO] && lines->colon[SIP_CSEQ] &&
			       lines->colon[SIP_VIA]
		       ? GUARD_RULES
		       : GUARD_RULE_BROKEN;
}

/* Reads the message and judges it. */
static __always_inline enum verdict guard_message(struct xdp_md *ctx, struct flow *flow, struct guarded *g)
{
	union guard_reader reader;
	enum verdict verdict;
	__u32 rule;

	g->bucket = guard_bucket(ctx, flow, g, &reader);
	if (g->action == GUARD_TRUST) {
		guard_count_exempt(g, GUARD_EXEMPT_TRUSTED);
		return VERDICT_CONTINUE;
	}
	verdict = guard_judge(ctx, g, GUARD_TOKENS_UNKNOWN);
	if (verdict != VERDICT_CONTINUE || !(g->flags & GUARD_FLAG_BROKEN))
		return verdict;
	rule = guard_broken(ctx, flow, g, &reader.head.lines);
	return rule < GUARD_RULES ? guard_violates(ctx, g, rule) : VERDICT_CONTINUE;
}

static __always_inline void guard_fill(const struct flow *flow, struct guarded *g)
{
	g->source = flow->packet.source;
	g->guard = flow->guard;
	g->bytes = flow->length;
	g->end = flow->packet.end;
}

/* The guard has a separate budget for the search of headers, so that it does not reduce the budget of later stages. */
static __always_inline enum verdict guard_find_verdict(struct xdp_md *ctx, struct flow *flow, struct guarded *g)
{
	enum verdict verdict = VERDICT_CONTINUE;
	__u16 budget = flow->budget;

	guard_look_up(g);
	if (g->action == GUARD_DENY)
		verdict = guard_apply(g, g->rule, g->enforced);
	if (verdict == VERDICT_CONTINUE && g->flags & GUARD_READS) {
		flow->budget = SIP_PACKET_BUDGET;
		verdict = guard_message(ctx, flow, g);
		flow->budget = budget;
	}
	return verdict;
}

/* Drops a packet. Only initial INVITEs are refused. */
static __always_inline int guard_finish(struct flow *flow, const struct guarded *g, enum verdict verdict)
{
	flow->refused = g->refused && g->bucket == GUARD_BUCKET_INVITE ? g->rule + 1 : 0;
	if (flow->packet.kind == PACKET_FIRST_FRAGMENT)
		fragment_record_dropped(flow);
	return flow_finish(flow, verdict);
}

/* The same as guard_has_refused(), for a packet of a service without a guard: a pool may refuse new calls (balance.h).
 */
static __always_inline bool guard_may_have_refused(const struct flow *flow)
{
	return flow->packet.payload && flow->packet.protocol == IPPROTO_UDP && flow->packet.kind != PACKET_ICMP_ERROR &&
	       guard_has_refused(0);
}

__noinline int guard(struct xdp_md *ctx, struct flow *flow)
{
	struct guarded g = {};
	enum verdict verdict;

	if (!flow || flow->is_judged)
		return NEXT_STAGE;
	if (!flow->guard) {
		flow->refused = guard_may_have_refused(flow) ? REFUSED_BEFORE : 0;
		return NEXT_STAGE;
	}
	guard_fill(flow, &g);
	verdict = guard_find_verdict(ctx, flow, &g);
	if (verdict == VERDICT_CONTINUE) {
		/* Not an emergency call that has taken a token of its ceiling: the limits of guard_backend() would take
		 * another one. */
		flow->is_invite = g.bucket == GUARD_BUCKET_INVITE &&
				  g.flags & (GUARD_FLAG_SERVICE_SURGE | GUARD_FLAG_BACKEND_SURGE);
		flow->refused = g.line && guard_has_refused(g.guard) ? REFUSED_BEFORE : 0;
		return NEXT_STAGE;
	}
	return guard_finish(flow, &g, verdict);
}

/* --- limits of a service or a backend, after the backend is known */

/* Takes a token from the limit of the service or of the backend. Returns true if there is none. A global function, to
 * save stack in guard_surge(). */
__noinline int guard_surge_exceeds(struct guarded *g, __u32 id, __u32 rule)
{
	struct surge *surge;
	__u64 now;

	if (!g)
		return false;
	if (rule == GUARD_RULE_SERVICE_SURGE)
		surge = bpf_map_lookup_elem(&service_surges, &id);
	else
		surge = bpf_map_lookup_elem(&backend_surges, &id);
	if (!surge || !surge->interval)
		return false;
	now = bpf_ktime_get_ns();
	if (dry_run ? !guard_surge_is_over(surge, now) : guard_surge_take(surge, now))
		return false;
	g->enforced = surge->flags & SURGE_ENFORCED;
	g->refused = surge->flags & SURGE_REFUSED;
	return true;
}

/* Judges an initial INVITE by one of the two limits. Returns its verdict, or VERDICT_CONTINUE. */
__noinline int guard_surge(struct xdp_md *ctx, struct guarded *g, __u32 id, __u32 rule)
{
	bool enforced;

	if (!g || !guard_surge_exceeds(g, id, rule))
		return VERDICT_CONTINUE;
	enforced = g->enforced;
	guard_look_up(g);
	g->rule = rule;
	g->enforced = enforced;
	return guard_exceeds(ctx, g);
}

/* Judges an initial INVITE for a service and a backend. `g` need not contain the list of the source. A limit that is
 * only observed does not replace the other one, but an emergency call takes only one token of its ceiling. */
static __always_inline enum verdict guard_surges(struct xdp_md *ctx, struct guarded *g, __u32 service, __u32 backend)
{
	enum verdict verdict = guard_surge(ctx, g, backend, GUARD_RULE_BACKEND_SURGE);

	if (verdict != VERDICT_CONTINUE || g->bucket == GUARD_BUCKET_EMERGENCY)
		return verdict;
	return guard_surge(ctx, g, service, GUARD_RULE_SERVICE_SURGE);
}

/* Judges a new call that no backend of its pool accepts. The source may have no guard. */
static __always_inline enum verdict guard_overload(struct xdp_md *ctx, struct guarded *g)
{
	if (g->guard)
		guard_look_up(g);
	g->rule = GUARD_RULE_BACKEND_SURGE;
	g->enforced = true;
	g->refused = true;
	return guard_exceeds(ctx, g);
}

/* The second part of the stage, for initial INVITEs. */
__noinline int guard_backend(struct xdp_md *ctx, struct flow *flow)
{
	struct sip_start start = {};
	struct guarded g = {};
	enum verdict verdict;

	if (!flow || (flow->is_judged && !flow->refused))
		return NEXT_STAGE;
	guard_fill(flow, &g);
	if (text_is_sip(ctx, flow, &start))
		g.line = start.line;
	g.bucket = GUARD_BUCKET_INVITE;
	verdict = VERDICT_CONTINUE;
	if (flow->refused)
		verdict = guard_overload(ctx, &g);
	else
		verdict = guard_surges(ctx, &g, flow->service, flow->backend);
	flow->refused = 0;
	if (verdict == VERDICT_CONTINUE)
		return NEXT_STAGE;
	flow->message = 0;
	return guard_finish(flow, &g, verdict);
}
