/* SPDX-License-Identifier: GPL-2.0 */
/* Migration: selects the backend of a packet while its slot changes from one owner to another. Existing calls
 * in the slot stay at their backends (docs/design/migration.md). The map `tracked_calls` is the only per-call
 * state, and the program uses it only for migrating slots. */
#pragma once

#include "share.h"

/* Longest pause within a transaction: retransmissions are up to 4 s apart (T2 of RFC 3261 section 17.1.2.1),
 * and one of them may be lost. */
#define MIGRATION_IDLE_SECONDS 8

/* The entry of a call or of a transaction. At most one of the two pointers is set. */
struct call_location {
	struct tracked_call *tracked;
	struct transaction *transaction;
	__u32 backend; /* always alive; 0: the backend of the entry is dead, or there is no entry */
};

static __always_inline struct call_location migration_locate(const struct tracked_key *key)
{
	struct call_location place = {.tracked = bpf_map_lookup_elem(&tracked_calls, key)};

	if (place.tracked)
		place.backend = place.tracked->backend;
	else
		place.transaction = bpf_map_lookup_elem(&transactions, key);
	if (place.transaction)
		place.backend = place.transaction->backend;
	if (!backend_is_alive(place.backend))
		place.backend = 0;
	return place;
}

/* Returns true if an initial packet may go to a new backend: no live call and no recent transaction has its key.
 * Without this rule, a repeated REGISTER, a keepalive or a reused port would keep its draining backend. A key that
 * many calls share (a user, an address) always keeps its backend. */
static __always_inline bool migration_may_start_anew(const struct flow *flow, const struct call_location *place)
{
	__u32 seen;

	if (flow->affinity != AFFINITY_CALL_ID && flow->packet.protocol != IPPROTO_TCP)
		return false;
	if (place->tracked && !place->tracked->ended)
		return false;
	seen = place->transaction ? place->transaction->seen : 0;
	if (place->tracked)
		seen = place->tracked->seen;
	return track_seconds() - seen >= MIGRATION_IDLE_SECONDS;
}

/* Selects the backend of a packet in a migrating slot: flow->backend is the owner in the table, `previous` is the
 * previous owner. A call whose backend is dead goes to the owner, because the previous owner may be draining. If the
 * entry is not used, place->backend becomes 0. */
static __always_inline __u32 migration_choose(
	struct flow *flow, const struct track_message *message, __u32 previous, struct call_location *place)
{
	__u32 known = place->tracked != NULL;
	bool is_dead;

	asm volatile("" : "+r"(known)); /* the compiler would combine the bits of both pointers */
	is_dead = !place->backend && (known || place->transaction);
	if (place->backend && !(message->initial && migration_may_start_anew(flow, place))) {
		flow->reason = REASON_TRACKED_CALL;
		return place->backend;
	}
	place->backend = 0;
	if (is_dead || !backend_is_alive(previous) || (message->initial && share_may_place()))
		return flow->backend;
	flow->reason = REASON_PREVIOUS_OWNER;
	return previous;
}

/* Has the backend of a call without an entry not been selected by the beginning of the call, or by a hint? A different
 * balancer of the group may have sent the beginning to a different backend. A connection stays at one balancer. */
static __always_inline bool migration_guesses(const struct flow *flow, const struct track_message *message)
{
	return !message->initial && flow->verdict != VERDICT_hint && flow->packet.protocol != IPPROTO_TCP;
}

/* The previous owner of the packet's slot; 0: the slot is not migrating. */
static __always_inline __u32 migration_previous_owner(const struct flow *flow)
{
	__u32 pool = flow->pool;
	const __u16 *previous = bpf_map_lookup_elem(&previous_owners, &pool);

	return previous ? previous[flow->hash & slot_mask] : 0;
}

/* Selects the backend of a packet in a pool with migrating slots, and tracks its call. If a hint has selected a
 * backend (`hinted`), that backend receives the packet. The program still tracks the call, so that it detects the
 * end of the call. An LRU map may reuse an entry for another key at any time; therefore the code updates an entry in
 * place only if the backend stays the same. If message->is_new is not 0 then, the caller must call track_new(); this
 * function has too little stack left to call it. */
__noinline int migration_owner(struct flow *flow, struct track_message *message)
{
	struct call_location place;
	struct tracked_key key;
	bool hinted;

	if (!flow || !message)
		return 0;
	key = track_key(flow);
	place = migration_locate(&key);
	hinted = flow->verdict == VERDICT_hint;
	if (!hinted)
		flow->backend = migration_choose(flow, message, migration_previous_owner(flow), &place);
	if (flow->packet.kind == PACKET_ICMP_ERROR || !flow->backend || dry_run)
		return 0;
	if (place.tracked && place.backend)
		message->is_shared = share_update(place.tracked, message, flow->packet.protocol == IPPROTO_TCP);
	else if (place.transaction && place.backend == flow->backend && !hinted && !track_may_begin(flow, message))
		place.transaction->seen = track_seconds();
	else
		message->is_new = migration_guesses(flow, message) ? TRACK_GUESSES : TRACK_BEGINS;
	return 0;
}
