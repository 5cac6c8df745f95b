/* SPDX-License-Identifier: GPL-2.0 */
/* The fourth stage: chooses the backend of a packet. It uses the first of these rules that applies:
 *
 *   classify      a later fragment of a known first fragment, or a port of one backend
 *   a hint        the message names a live backend (hint.h)
 *   a placed call the pool does not choose by slot alone: the backend of a call that was placed before, or a
 *                 backend for a new call (balance.h)
 *   the table     the owner of the key's slot; while the slot is migrating, migration.h
 *                 chooses between this owner, the previous one and the backend of a tracked call
 *
 * No other code chooses a backend. */
#pragma once

#include "balance.h"
#include "count.h"
#include "flow.h"
#include "fragments.h"
#include "hint.h"
#include "migration.h"

/* Returns the owner of the key's slot; 0: the slot has no owner. */
static __always_inline __u32 owner_by_table(const struct flow *flow, const struct pool *pool)
{
	__u32 table = pool->table;
	const __u16 *slots = bpf_map_lookup_elem(&tables, &table);

	return slots ? slots[flow->hash & slot_mask] : 0;
}

/* The rules by which the calls that the program has stored may change the backend of a packet. */
enum owner_rules {
	OWNER_MIGRATES = 1, /* migration.h */
	OWNER_BALANCES = 2, /* balance.h */
	OWNER_COUNTS = 4,   /* balance.h has an entry for the call, or may have to store one */
};

static __always_inline __u32 owner_rules(struct xdp_md *ctx, const struct flow *flow, const struct pool *pool)
{
	bool hinted = flow->verdict == VERDICT_hint, placed;
	__u32 rules = 0;

	if (pool->migrating && (hinted || migration_previous_owner(flow)))
		rules |= OWNER_MIGRATES;
	if (!flow->call_id_end || flow->packet.protocol != IPPROTO_UDP)
		return rules;
	placed = pool->balanced && balance_concerns(ctx, flow->hash, flow->pool, flow->packet.payload);
	if (placed && !hinted)
		rules |= OWNER_BALANCES;
	if (placed || call_is_sampled(flow->hash))
		rules |= OWNER_COUNTS;
	return rules;
}

/* Sets flow->backend to the owner of the slot, unless a hint has selected a backend. Returns the rules that apply. */
__noinline __u32 owner_by_slot(struct xdp_md *ctx, struct flow *flow)
{
	const struct pool *pool;
	__u32 id;

	if (!flow)
		return 0;
	id = flow->pool;
	pool = bpf_map_lookup_elem(&pools, &id);
	if (!pool)
		return 0;
	if (!flow->backend)
		flow->backend = owner_by_table(flow, pool);
	return owner_rules(ctx, flow, pool);
}

/* Sends a new call to the owner of its slot, because counted_calls has no room for it. */
__noinline int owner_without_entry(struct xdp_md *ctx, struct flow *flow, struct track_message *message)
{
	if (!flow || !message)
		return 0;
	flow->backend = 0;
	owner_by_slot(ctx, flow);
	flow->reason = REASON_SLOT;
	message->is_placed = false;
	balance_count(flow->pool, BALANCE_UNTABLED);
	return track_transaction(flow, flow->backend);
}

/* Applies the rules, which may replace flow->backend: the backend of a hint, or the owner of the slot. Stores the call.
 */
__noinline int owner_by_call(struct xdp_md *ctx, struct flow *flow, struct sip_head *head, __u32 rules)
{
	struct track_message message;
	__u16 budget;

	if (!flow || !head)
		return 0;
	budget = flow->budget;
	if (!(rules & OWNER_MIGRATES))
		flow->budget = SIP_PACKET_BUDGET; /* the sample must not affect the verdict */
	track_read(ctx, flow, head, &message);
	if (!(rules & OWNER_MIGRATES))
		flow->budget = budget;
	if (rules & OWNER_BALANCES && balance_owner(flow, &message)) {
		if (!balance_update(flow, &message) || balance_write(ctx, flow, &message))
			return 0;
		owner_without_entry(ctx, flow, &message);
	}
	if (rules & OWNER_MIGRATES)
		migration_owner(flow, &message);
	if (message.is_new)
		message.is_shared = track_new(ctx, flow, &message);
	if (message.is_shared)
		share_change(flow, &message);
	if (rules & OWNER_COUNTS && balance_update(flow, &message))
		balance_write(ctx, flow, &message);
	return 0;
}

/* Returns the verdict for a packet that has used up its budget. A verdict for a different anomaly is kept. */
static __always_inline enum verdict owner_without_budget(enum verdict verdict)
{
	if (verdict == VERDICT_call_id || verdict == VERDICT_user || verdict == VERDICT_source ||
		verdict == VERDICT_flow)
		return VERDICT_headers_too_far;
	return verdict;
}

static __always_inline void owner_find(struct xdp_md *ctx, struct flow *flow, struct sip_head *head)
{
	__u32 rules;

	flow->backend = hint_is_worth_it(ctx, flow) ? hint_owner(ctx, flow, head) : 0;
	if (flow->backend)
		flow->verdict = VERDICT_hint;
	flow->reason = flow->backend ? REASON_HINT : REASON_SLOT;
	rules = owner_by_slot(ctx, flow);
	if (rules)
		owner_by_call(ctx, flow, head, rules);
}

__noinline int owner(struct xdp_md *ctx, struct flow *flow)
{
	struct sip_head head = {}; /* hint, migration and counters share one pass over the headers */

	if (!flow)
		return NEXT_FINISH;
	if (!flow->has_owner)
		owner_find(ctx, flow, &head);
	if (!flow->budget)
		flow->verdict = owner_without_budget(flow->verdict);
	if (!flow->has_owner)
		count(ctx, flow, &head);
	if (flow->packet.kind == PACKET_FIRST_FRAGMENT)
		fragment_record_owner(flow);
	return NEXT_STAGE;
}
