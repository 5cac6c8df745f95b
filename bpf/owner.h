/* SPDX-License-Identifier: GPL-2.0 */
/* The fourth stage: chooses the backend of a packet. It uses the first of these rules that applies:
 *
 *   classify      a later fragment of a known first fragment, or a port of one backend
 *   a hint        the message names a live backend (hint.h)
 *   the table     the owner of the key's slot; while the slot is migrating, migration.h
 *                 chooses between this owner, the previous one and the backend of a tracked call
 *
 * No other code chooses a backend. */
#pragma once

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

/* If slots of the pool are migrating, replaces flow->backend if the migration requires a different backend. */
__noinline int owner_migrating(struct xdp_md *ctx, struct flow *flow, struct sip_head *head)
{
	struct track_message message;
	__u32 previous;

	if (!flow || !head)
		return 0;
	previous = migration_previous_owner(flow);
	if (!previous && flow->verdict != VERDICT_hint)
		return 0;
	track_read(ctx, flow, head, &message);
	flow->backend = migration_owner(flow, &message, previous, flow->verdict == VERDICT_hint);
	if (message.is_new)
		track_new(ctx, flow, &message, flow->backend, flow->verdict == VERDICT_hint);
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
	__u32 pool_id = flow->pool;
	const struct pool *pool;

	flow->backend = hint_is_worth_it(ctx, flow) ? hint_owner(ctx, flow, head) : 0;
	if (flow->backend)
		flow->verdict = VERDICT_hint;
	flow->reason = flow->backend ? REASON_HINT : REASON_SLOT;
	pool = bpf_map_lookup_elem(&pools, &pool_id);
	if (!pool)
		return;
	if (!flow->backend)
		flow->backend = owner_by_table(flow, pool);
	if (pool->migrating)
		owner_migrating(ctx, flow, head);
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
