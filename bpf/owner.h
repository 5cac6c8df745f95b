/* SPDX-License-Identifier: GPL-2.0 */
/* The stage that says which backend gets a packet. The first of these that has an answer:
 *
 *   the address   a fragment whose first one is known, a backend's own port (classify)
 *   a hint        the message names a living backend (hint.h)
 *   the table     the owner of the key's slot; while that slot is migrating, motion.h
 *                 decides between it, the previous owner and the place of a tracked call
 *
 * Nothing else decides about it. */
#pragma once

#include "flow.h"
#include "fragments.h"
#include "hint.h"
#include "motion.h"

/* The owner of the key's slot; 0: the slot has none. */
static __always_inline __u32 owner_by_table(struct xdp_md *ctx, struct flow *flow)
{
	__u32 pool_id = flow->pool, table;
	const struct pool *pool = bpf_map_lookup_elem(&pools, &pool_id);
	const __u16 *slots;

	if (!pool)
		return 0;
	table = pool->table;
	slots = bpf_map_lookup_elem(&tables, &table);
	if (!slots)
		return 0;
	flow->backend = slots[flow->hash & slot_mask];
	return pool->in_motion ? motion_owner(ctx, flow) : flow->backend;
}

__noinline int owner(struct xdp_md *ctx, struct flow *flow)
{
	__u32 hinted;

	if (!flow)
		return NEXT_FINISH;
	if (!flow->has_owner) {
		hinted = hint_is_worth_it(ctx, flow) ? hint_owner(ctx, flow) : 0;
		if (hinted)
			flow->verdict = VERDICT_hint;
		flow->backend = hinted ? hinted : owner_by_table(ctx, flow);
	}
	if (flow->packet.kind == PACKET_FIRST_FRAGMENT)
		fragment_note(&flow->packet, flow->service, flow->backend);
	return NEXT_STAGE;
}
