/* SPDX-License-Identifier: GPL-2.0 */
/* The calls that the program counts: a sample of all calls, and the calls that `balance:` has placed on a backend
 * regardless of their slot (docs/design/packet-path.md). Owns the map `counted_calls`. call.h determines from the
 * messages whether a call is live, as for tracked calls. */
#pragma once

#include "guard_source.h"
#include "migration.h"

#define BALANCE_TRIES 4 /* entries of new_calls that are tried for one call */

/* Bits of the hash that select an entry of new_calls: neither those of the slot nor those of the sample. */
#define BALANCE_DEAL_SHIFT (CALL_SAMPLE_SHIFT + 6)
_Static_assert(CALL_SAMPLE == 1 << 6, "BALANCE_DEAL_SHIFT");

/* --- the number of calls of a backend */

static __always_inline void balance_add(__u32 backend, bool placed, __s32 calls)
{
	struct backend_load *load = bpf_map_lookup_elem(&backend_loads, &backend);

	if (!load)
		return;
	if (placed)
		__sync_fetch_and_add(&load->placed, calls);
	else
		__sync_fetch_and_add(&load->sampled, calls);
}

enum balance_count {
	BALANCE_PLACED,
	BALANCE_OVERLOAD,
	BALANCE_UNTABLED,
};

static __always_inline void balance_count(__u32 pool, enum balance_count what)
{
	struct balance_counters *counters = bpf_map_lookup_elem(&balance_counters, &pool);

	if (!counters || dry_run)
		return;
	if (what == BALANCE_PLACED)
		counters->placed++;
	else if (what == BALANCE_OVERLOAD)
		counters->overload++;
	else
		counters->untabled++;
}

/* --- the backend of a new call */

/* Returns whether the backend accepts a new call, and takes a token of its max_rate. */
__noinline int balance_accepts(__u32 id)
{
	struct backend_load *load = bpf_map_lookup_elem(&backend_loads, &id);

	if (!load || load->full || !backend_is_alive(id))
		return false;
	if (load->max_calls && load->placed >= load->max_calls)
		return false;
	if (!load->rate.interval)
		return true;
	if (dry_run)
		return !guard_surge_is_over(&load->rate, bpf_ktime_get_ns());
	return guard_surge_take(&load->rate, bpf_ktime_get_ns());
}

/* The index of the entry of new_calls that is tried first; from NEW_CALLS on, the second half repeats. */
static __always_inline __u32 balance_start(
	const struct flow *flow, const struct balance *balance, struct new_calls *list)
{
	if (!(balance->flags & BALANCE_BY_TURN))
		return (flow->hash >> BALANCE_DEAL_SHIFT) % (NEW_CALLS / 2);
	return dry_run ? list->turn : __sync_fetch_and_add(&list->turn, 1);
}

/* In the first half, consecutive entries may be the same backend. Therefore the further tries take the second half. */
static __always_inline __u32 balance_entry(__u32 start, __u32 try)
{
	__u32 entry = !try && start < NEW_CALLS ? start : NEW_CALLS / 2 + (start + try) % (NEW_CALLS / 2);

	asm volatile("" : "+r"(entry)); /* without this, clang omits the remainder, and Linux 6.1 knows no bound */
	return entry % NEW_CALLS;
}

/* Returns a backend of new_calls that accepts this call; 0: none of the tried ones does. */
static __always_inline __u32 balance_deal(const struct flow *flow, const struct balance *balance)
{
	__u32 index = balance->new_calls, start, backend;
	struct new_calls *list = bpf_map_lookup_elem(&new_calls, &index);

	if (!list)
		return 0;
	start = balance_start(flow, balance, list);
	for (int i = 0; i < BALANCE_TRIES; i++) {
		backend = list->backend[balance_entry(start, i)];
		if (!backend)
			return 0;
		if (balance_accepts(backend))
			return backend;
	}
	return 0;
}

/* Returns whether the message starts a call whose backend may be chosen: no tracked call and no recent transaction has
 * its key. */
static __always_inline bool balance_is_new(
	const struct flow *flow, const struct track_message *message, const struct tracked_key *key)
{
	struct call_location place;

	if (!message->initial || message->call.event != CALL_BEGINS || message->call.kind != CALL_IS_INVITE ||
		flow->packet.kind == PACKET_ICMP_ERROR)
		return false;
	place = migration_locate(key);
	return migration_may_start_anew(flow, &place);
}

/* The backend to which the other balancers of the group send the further messages of a new call while they cannot learn
 * of it: the owner of its slot. 0: migration.h knows it. */
static __always_inline __u32 balance_expected(const struct flow *flow)
{
	return migration_previous_owner(flow) ? 0 : flow->backend;
}

/* No backend accepts a new call. Where every call counts, this one is an entry of the owner of its slot: otherwise the
 * owner would seem to have room again too early. */
static __always_inline __u32 balance_overload(struct flow *flow, const struct balance *balance)
{
	balance_count(flow->pool, BALANCE_OVERLOAD);
	if (balance->flags & BALANCE_REFUSES) {
		flow->refused = REFUSED_OVERLOAD;
		return 0;
	}
	return balance->flags & (BALANCE_BY_TURN | BALANCE_COUNTS) && backend_is_alive(flow->backend) ? flow->backend
												      : 0;
}

/* Selects a backend for a new call. 0: the owner of the slot keeps the call. The retransmissions of the call, and its
 * repetition with credentials, then remain there, too. */
static __always_inline __u32 balance_choose(struct flow *flow)
{
	__u32 pool = flow->pool, backend = 0;
	const struct balance *balance = bpf_map_lookup_elem(&balances, &pool);

	if (!balance || !(balance->flags & (BALANCE_BY_TURN | BALANCE_MAY_SPILL)))
		return 0;
	if (!share_may_place())
		return balance_expected(flow);
	if (balance->flags & BALANCE_BY_TURN || !balance_accepts(flow->backend)) {
		backend = balance_deal(flow, balance);
		if (!backend)
			backend = balance_overload(flow, balance);
	} else if (balance->flags & BALANCE_COUNTS) {
		backend = flow->backend;
	}
	if (!backend && !flow->refused)
		track_transaction(flow, flow->backend);
	return backend;
}

/* Returns whether a packet in a pool with pool.balanced may belong to a placed call, start one, or belong to one that
 * was refused (ACK, CANCEL). For all other packets the slot is sufficient, and the message need not be read. Tests only
 * the first byte: a request may follow empty lines. */
__noinline int balance_concerns(struct xdp_md *ctx, __u64 hash, __u32 pool, __u32 payload)
{
	struct tracked_key key = {.hash = hash, .pool = pool, .slot = hash & slot_mask};
	const struct balance *balance = bpf_map_lookup_elem(&balances, &pool);
	__u8 first = 0;

	if (bpf_map_lookup_elem(&counted_calls, &key))
		return true;
	if (!balance || !(balance->flags & (BALANCE_BY_TURN | BALANCE_MAY_SPILL)))
		return false;
	bpf_xdp_load_bytes(ctx, payload, &first, 1);
	if (balance->flags & BALANCE_REFUSES && (first == 'A' || first == 'C'))
		return true;
	return first == 'I' || first <= ' ';
}

/* Replaces flow->backend, the owner of the slot, by the backend of a placed call. Returns false if the owner, or
 * migration.h, decides. If message->is_placed becomes true, the caller must store the call. */
__noinline int balance_owner(struct flow *flow, struct track_message *message)
{
	struct call_location place = {};
	struct tracked_key key;
	bool may_begin;

	if (!flow || !message)
		return 0;
	key = track_key(flow);
	place.tracked = bpf_map_lookup_elem(&counted_calls, &key);
	may_begin = message->initial && migration_may_start_anew(flow, &place);
	if (place.tracked && place.tracked->placed && !may_begin) {
		place.backend = place.tracked->backend;
		may_begin = !backend_is_alive(place.backend);
		if (may_begin)
			place.backend = 0;
	}
	if (may_begin && balance_is_new(flow, message, &key)) {
		place.backend = balance_choose(flow);
		message->is_placed = place.backend != 0;
	}
	if (!place.backend)
		return false;
	flow->backend = place.backend;
	flow->reason = REASON_PLACED_CALL;
	return true;
}

/* --- entries */

/* The flags of a change of an entry. */
static __always_inline __u32 balance_change(const struct tracked_call *call)
{
	return CALL_CHANGE_COUNTED | (call->placed ? CALL_CHANGE_PLACED : 0) | (call->is_new ? CALL_CHANGE_NEW : 0);
}

/* Writes the entry of a call that has none, or a different backend. Returns false if the map is full. If a different
 * CPU has placed the call at the same time, flow->backend becomes the backend that this CPU has chosen. */
__noinline int balance_write(struct xdp_md *ctx, struct flow *flow, const struct track_message *message)
{
	struct tracked_call call = {.began = track_seconds(), .kind = CALL_IS_INVITE};
	const struct tracked_call *known;
	struct tracked_key key;

	if (!flow || !message)
		return 0;
	key = track_key(flow);
	known = bpf_map_lookup_elem(&counted_calls, &key);
	if (known && !known->ended)
		balance_add(known->backend, known->placed, -1);
	if (known && !message->is_placed)
		call = *known;
	else
		track_name(ctx, flow, message, &call);
	call.backend = flow->backend;
	call.placed |= message->is_placed;
	call.is_new = !known || message->is_placed;
	track_update(&call, message, false);
	if (!known && call.ended)
		return true;
	if (bpf_map_update_elem(&counted_calls, &key, &call, known ? BPF_ANY : BPF_NOEXIST)) {
		known = bpf_map_lookup_elem(&counted_calls, &key);
		if (known)
			flow->backend = known->backend;
		return known != NULL;
	}
	if (!call.ended)
		balance_add(call.backend, call.placed, 1);
	if (message->is_placed)
		balance_count(flow->pool, BALANCE_PLACED);
	share_write(&key, &message->call, call.backend, balance_change(&call));
	return true;
}

/* Returns whether a call without an entry needs one. */
static __always_inline bool balance_needs_entry(const struct flow *flow, const struct track_message *message)
{
	return message->is_placed || (call_is_sampled(flow->hash) && message->call.kind == CALL_IS_INVITE &&
					     call_may_begin(message->call.event));
}

/* Updates the entry of a call for a packet that flow->backend receives. Returns true if the caller must call
 * balance_write() instead; this function has too little stack left to call it. */
__noinline int balance_update(const struct flow *flow, const struct track_message *message)
{
	struct tracked_call *call;
	struct tracked_key key;
	bool was_live, is_shared;

	if (!flow || !message || !flow->backend || flow->packet.kind == PACKET_ICMP_ERROR || dry_run)
		return false;
	key = track_key(flow);
	call = bpf_map_lookup_elem(&counted_calls, &key);
	if (!call || message->is_placed)
		return balance_needs_entry(flow, message);
	if (flow->verdict != VERDICT_hint && call->backend != flow->backend && message->call.event != CALL_NOTHING)
		return true;
	was_live = !call->ended;
	call->is_new = 0;
	is_shared = share_update(call, message, false);
	if (was_live != !call->ended)
		balance_add(call->backend, call->placed, was_live ? -1 : 1);
	if (is_shared)
		share_write(&key, &message->call, call->backend, balance_change(call));
	return false;
}

/* Deletes the entry of a call whose first INVITE the guard drops or refuses, because the call does not count. A call
 * whose INVITE is only retransmitted keeps its entry: its backend has received the INVITE before. */
__noinline int balance_forget(const struct flow *flow)
{
	const struct call_message none = {};
	const struct tracked_call *call;
	struct tracked_key key;
	__u32 backend;
	bool placed;

	if (!flow || dry_run)
		return 0;
	key = track_key(flow);
	call = bpf_map_lookup_elem(&counted_calls, &key);
	if (!call || !call->is_new)
		return 0;
	backend = call->backend;
	placed = call->placed;
	if (bpf_map_delete_elem(&counted_calls, &key))
		return 0;
	balance_add(backend, placed, -1);
	return share_write(&key, &none, backend, CALL_CHANGE_COUNTED | CALL_CHANGE_FORGET);
}
