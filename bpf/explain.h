/* SPDX-License-Identifier: GPL-2.0 */
/* Explains the decisions of the stages: reads the message again with the functions of the stages, and records each
 * intermediate result. Only the program `explainer` includes this file (explainer.bpf.c). */
#pragma once

#include "explanation.h"
#include "flow.h"
#include "guard_refuse.h"
#include "hint.h"
#include "key.h"
#include "migration.h"
#include "owner.h"

struct explanation explanation; /* of the last packet */

_Static_assert(EXPLAINED_HOSTS == 1 + HINT_ROUTES, "hints");

static __always_inline bool explain_is_message(const struct flow *flow)
{
	return flow->has_service && flow->packet.payload && flow->packet.protocol == IPPROTO_UDP;
}

__noinline int explain_message(struct xdp_md *ctx, struct flow *flow)
{
	struct sip_head head = {};

	if (!flow || !text_is_sip(ctx, flow, &head.start))
		return 0;
	head.lines.at = head.start.line;
	text_find_header(ctx, flow, &head.lines, SIP_HEADER_COUNT);
	__builtin_memcpy(explanation.colon, head.lines.colon, sizeof(explanation.colon));
	explanation.line = head.start.line;
	return 0;
}

/* Calculates the key a second time. The result equals the result of the stage `key`. */
__noinline int explain_key(struct xdp_md *ctx, struct flow *flow)
{
	if (flow)
		explanation.key_verdict = key_of(ctx, flow);
	return 0;
}

/* Records the host at the offset `at` as hint number `index`. Returns its enum explained_hint. */
__noinline int explain_host(struct xdp_md *ctx, struct flow *flow, __u32 at, __u32 index)
{
	struct sip_host host = {};
	__u32 backend, result = EXPLAINED_UNKNOWN_HINT;

	if (!flow || index >= EXPLAINED_HINTS || !hint_read_host(ctx, flow, at, &host))
		return result;
	backend = hint_backend(ctx, flow, at, &host);
	if (backend)
		result = backend_is_alive(backend) ? EXPLAINED_BACKEND : EXPLAINED_DOWN;
	if (result != EXPLAINED_BACKEND && host.hash == sip_hash_address(&flow->packet.destination, flow->hash_key))
		result = EXPLAINED_VIP;
	explanation.hints[index].at = at;
	explanation.hints[index].backend = backend;
	explanation.hints[index].result = result;
	explanation.hints[index].by_parameter = backend && !hint_named(&host, flow->hint_group);
	explanation.hint_count = index + 1;
	return result;
}

/* Records the tag as hint number `index`. */
__noinline int explain_tag(struct xdp_md *ctx, struct flow *flow, struct sip_head *head, __u32 index)
{
	__u32 at = 0, backend;

	if (!flow || !head || index >= EXPLAINED_HINTS || hint_find_tag(ctx, flow, head, &at) != SIP_FOUND)
		return 0;
	backend = hint_of_prefix(ctx, flow, at);
	explanation.hints[index].at = at;
	explanation.hints[index].backend = backend;
	if (backend)
		explanation.hints[index].result = backend_is_alive(backend) ? EXPLAINED_BACKEND : EXPLAINED_DOWN;
	explanation.hints[index].is_tag = true;
	explanation.hint_count = index + 1;
	return 0;
}

/* Looks up the hints in the same order as hint_owner(). */
__noinline int explain_hints(struct xdp_md *ctx, struct flow *flow)
{
	struct sip_head head = {};
	__u32 at = 0, result = EXPLAINED_VIP;
	int place;

	if (!flow)
		return 0;
	explanation.reads_hints = hint_is_worth_it(ctx, flow);
	if (!explanation.reads_hints)
		return 0;
	place = hint_find(ctx, flow, &head, &at);
	for (int i = 0; i < EXPLAINED_HOSTS && place != HINT_NONE; i++) {
		result = explain_host(ctx, flow, at, i);
		if (result != EXPLAINED_VIP || place == HINT_LAST)
			break;
		place = hint_find_next(ctx, flow, &head, &at);
	}
	if (flow->flags & SERVICE_TAG && head.start.line && result != EXPLAINED_BACKEND)
		explain_tag(ctx, flow, &head, explanation.hint_count);
	return 0;
}

/* Records the map entry of the call that migration_owner() finds. */
__noinline int explain_call(const struct flow *flow)
{
	struct call_location place;
	struct tracked_key key;
	__u32 seen = 0;

	if (!flow)
		return 0;
	key = track_key(flow);
	place = migration_locate(&key);
	if (place.tracked) {
		explanation.is_tracked = true;
		explanation.tracked = place.tracked->backend;
		explanation.has_ended = !!place.tracked->ended;
		seen = place.tracked->seen;
	} else if (place.transaction) {
		explanation.tracked = place.transaction->backend;
		explanation.is_tracked = true;
		explanation.is_transaction = true;
		seen = place.transaction->seen;
	}
	explanation.tracked_age = seen ? track_seconds() - seen : 0;
	return 0;
}

/* Records the entry of the call that balance_owner() finds. */
__noinline int explain_place(const struct flow *flow)
{
	const struct tracked_call *call;
	struct tracked_key key;

	if (!flow || !flow->call_id_end || flow->packet.protocol != IPPROTO_UDP)
		return 0;
	explanation.is_balanced = true;
	key = track_key(flow);
	call = bpf_map_lookup_elem(&counted_calls, &key);
	if (!call || !call->placed)
		return 0;
	explanation.is_placed = true;
	explanation.place = call->backend;
	explanation.place_ended = !!call->ended;
	explanation.place_age = track_seconds() - call->seen;
	return 0;
}

__noinline int explain_slot(struct xdp_md *ctx, struct flow *flow)
{
	struct track_message message;
	struct sip_head head = {};
	const struct pool *pool;
	__u32 id;

	if (!flow)
		return 0;
	id = flow->pool;
	pool = bpf_map_lookup_elem(&pools, &id);
	if (!pool)
		return 0;
	explanation.slot_owner = owner_by_table(flow, pool);
	if (pool->balanced)
		explain_place(flow);
	if (!pool->migrating)
		return 0;
	explanation.previous_owner = migration_previous_owner(flow);
	if (!explanation.previous_owner)
		return 0;
	track_read(ctx, flow, &head, &message);
	explanation.is_initial = message.initial;
	explain_call(flow);
	return 0;
}

/* Applies the rules of the guard a second time. The result equals the result of the stage `guard`. */
__noinline int explain_guard(struct xdp_md *ctx, struct flow *flow)
{
	struct guarded g = {.rule = GUARD_RULES};

	if (!flow)
		return 0;
	guard_fill(flow, &g);
	explanation.guard_enforced = guard_find_verdict(ctx, flow, &g) != VERDICT_CONTINUE;
	explanation.guard = g.guard;
	explanation.guard_class = g.class;
	explanation.guard_action = g.action;
	explanation.guard_reads = g.flags & GUARD_READS && g.action != GUARD_DENY;
	explanation.guard_bucket = g.bucket;
	explanation.guard_rule = g.rule;
	explanation.guard_is_exempt = g.bucket == GUARD_BUCKET_EMERGENCY && g.rule != GUARD_BUCKET_EMERGENCY;
	return 0;
}

/* The same for the second part of the stage. */
__noinline int explain_surges(struct xdp_md *ctx, struct flow *flow)
{
	struct guarded g = {.rule = GUARD_RULES, .bucket = GUARD_BUCKET_INVITE};

	if (!flow)
		return 0;
	guard_fill(flow, &g);
	g.line = explanation.line;
	guard_surges(ctx, &g, flow->service, flow->backend);
	if (g.rule >= GUARD_RULES)
		return 0;
	explanation.guard_rule = g.rule;
	explanation.guard_enforced = g.enforced;
	explanation.guard_is_exempt = g.bucket == GUARD_BUCKET_EMERGENCY && g.rule != GUARD_BUCKET_EMERGENCY;
	return 0;
}

/* Records an INVITE that was refused now, or before. */
__noinline int explain_refusal(struct xdp_md *ctx, struct flow *flow)
{
	if (!flow)
		return 0;
	if (explanation.line && guard_has_refused(flow->guard))
		explanation.was_refused = refuse_find(refuse_key(ctx, flow)) != NULL;
	if (flow->refused && flow->refused <= GUARD_RULES) {
		explanation.guard_rule =
			flow->refused - 1; /* also the limit of a pool, which explain_surges() ignores */
		explanation.guard_enforced = true;
	}
	return 0;
}

/* Called after the stage `owner`. Each function that explain() calls here starts with a full budget. */
static __always_inline void explain(struct xdp_md *ctx, struct flow *flow)
{
	__u16 budget = flow->budget;

	explanation.packet = flow->packet;
	explanation.length = flow->length;
	explanation.hash = flow->hash;
	explanation.service = flow->service;
	explanation.pool = flow->pool;
	explanation.hint_group = flow->hint_group;
	explanation.affinity = flow->affinity;
	explanation.flags = flow->flags;
	explanation.has_service = flow->has_service;
	/* A packet that the guard has dropped has no hash. */
	explanation.has_key = flow->has_service && !flow->has_owner && flow->hash;
	explanation.call_id_end = flow->call_id_end;
	explanation.reason = flow->backend ? flow->reason : REASON_NONE;
	explanation.backend = flow->backend;
	flow->budget = SIP_PACKET_BUDGET;
	if (explain_is_message(flow))
		explain_message(ctx, flow);
	if (flow->has_service && flow->guard) {
		explain_guard(ctx, flow);
		if (flow->is_invite && flow->backend)
			explain_surges(ctx, flow);
		explain_refusal(ctx, flow);
	}
	if (explanation.has_key) {
		flow->budget = SIP_PACKET_BUDGET;
		explain_key(ctx, flow);
		flow->budget = SIP_PACKET_BUDGET;
		explain_hints(ctx, flow);
		flow->budget = SIP_PACKET_BUDGET;
		explain_slot(ctx, flow);
	}
	flow->budget = budget;
}
