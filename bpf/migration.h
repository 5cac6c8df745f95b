/* SPDX-License-Identifier: GPL-2.0 */
/* Migration: selects the backend of a packet while its slot changes from one owner to another. Existing calls
 * in the slot stay at their backends (docs/design/migration.md). The map `tracked_calls` is the only per-call
 * state, and the program uses it only for migrating slots. */
#pragma once

#include "track.h"

/* Longest pause within a transaction: retransmissions are up to 4 s apart (T2 of RFC 3261 section 17.1.2.1),
 * and one of them may be lost. */
#define MIGRATION_IDLE_SECONDS 8

/* The state of a call in the maps. */
enum migration_state {
	MIGRATION_UNKNOWN,      /* no entry */
	MIGRATION_BACKEND_DEAD, /* the backend of the call is dead */
	MIGRATION_CALL,         /* live */
	MIGRATION_ENDED,
	MIGRATION_TRANSACTION, /* a transaction */
};

/* The result of the look-up of a call. `backend` is always alive; 0: the call is unknown, or its backend is
 * dead. */
struct call_location {
	__u32 backend;
	__u32 seen;
	__u32 state; /* enum migration_state */
};

static __always_inline struct call_location migration_locate(const struct tracked_key *key)
{
	const struct transaction *transaction;
	const struct tracked_call *tracked = bpf_map_lookup_elem(&tracked_calls, key);
	struct call_location place = {};

	if (tracked) {
		place = (struct call_location){
			tracked->backend, tracked->seen, tracked->ended ? MIGRATION_ENDED : MIGRATION_CALL};
	} else {
		transaction = bpf_map_lookup_elem(&transactions, key);
		if (transaction)
			place = (struct call_location){transaction->backend, transaction->seen, MIGRATION_TRANSACTION};
	}
	if (!place.backend || backend_is_alive(place.backend))
		return place;
	return (struct call_location){.state = MIGRATION_BACKEND_DEAD};
}

/* Returns whether an initial packet may go to a new backend, because no call or recent transaction has its key.
 * Otherwise a repeated REGISTER, a keepalive or a reused port would stay at a draining backend. A key that many
 * calls share (a user, an address) keeps its backend. */
static __always_inline bool migration_may_start_anew(const struct flow *flow, const struct call_location *place)
{
	bool key_is_one_call = flow->affinity == AFFINITY_CALL_ID || flow->packet.protocol == IPPROTO_TCP;

	return key_is_one_call && place->state >= MIGRATION_ENDED &&
	       track_seconds() - place->seen >= MIGRATION_IDLE_SECONDS;
}

/* Selects the backend of a packet in a migrating slot: flow->backend is the owner in the table, `previous` is
 * the previous owner. A call whose backend is dead goes to the owner, because the previous owner may be
 * draining. */
static __always_inline __u32 migration_choose(
	const struct flow *flow, const struct track_message *message, __u32 previous, struct call_location *place)
{
	if (place->backend && !(message->initial && migration_may_start_anew(flow, place)))
		return place->backend;
	if (place->state != MIGRATION_BACKEND_DEAD)
		place->state = MIGRATION_UNKNOWN;
	if (message->initial || place->state == MIGRATION_BACKEND_DEAD || !backend_is_alive(previous))
		return flow->backend;
	return previous;
}

/* The previous owner of the packet's slot; 0: the slot is not migrating. */
static __always_inline __u32 migration_previous_owner(const struct flow *flow)
{
	__u32 pool = flow->pool;
	const __u16 *previous = bpf_map_lookup_elem(&previous_owners, &pool);

	return previous ? previous[flow->hash & slot_mask] : 0;
}

/* Selects the backend of a packet in a pool with migrating slots, and tracks its call. If a hint has selected a
 * backend (`hinted`), that backend receives the packet. The program still tracks the call, so that it detects
 * the end of the call. */
__noinline __u32 migration_owner(
	struct xdp_md *ctx, const struct flow *flow, const struct track_message *message, __u32 previous, __u32 hinted)
{
	struct call_location place;
	struct tracked_key key;
	struct tracked_call *tracked;
	__u32 backend;

	if (!flow || !message)
		return 0;
	key = track_key(flow);
	place = migration_locate(&key);
	backend = hinted ? flow->backend : migration_choose(flow, message, previous, &place);
	if (flow->packet.kind == PACKET_ICMP_ERROR || !backend)
		return backend;
	tracked = place.state == MIGRATION_CALL || place.state == MIGRATION_ENDED
			  ? bpf_map_lookup_elem(&tracked_calls, &key)
			  : NULL;
	if (tracked)
		track_update(tracked, message, flow->packet.protocol == IPPROTO_TCP);
	else
		track_new(ctx, flow, message, backend, hinted);
	return backend;
}
