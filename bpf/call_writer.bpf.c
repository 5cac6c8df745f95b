// SPDX-License-Identifier: GPL-2.0
/* Applies changes of calls that other balancers of the group have sent (docs/design/group.md) to the maps of the
 * balancer, as if this balancer had received the messages. The loader loads this program with the maps of the balancer,
 * and the daemon runs it by BPF_PROG_TEST_RUN. A program that runs in the kernel changes an entry in place, as the
 * packet path does. A change from user space would replace the entry, and undo a change by a packet at the same time.
 */

#include "migration.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline bool writer_slot_migrates(const struct tracked_key *key, bool hinted)
{
	__u32 id = key->pool;
	const struct pool *pool = bpf_map_lookup_elem(&pools, &id);
	const __u16 *previous = bpf_map_lookup_elem(&previous_owners, &id);

	if (!pool || !previous || !pool->migrating)
		return false;
	return hinted || previous[key->slot & slot_mask];
}

/* An entry with a live backend stays, unless the backend is a guess, or the call has ended, and the change comes from
 * the balancer that has seen the beginning of the call. */
static __always_inline bool writer_replaces(const struct tracked_call *known, const struct call_change *change)
{
	if ((known->ended || known->guessed) && change->flags & CALL_CHANGE_NEW)
		return true;
	return known->backend != change->backend && !backend_is_alive(known->backend);
}

/* The counterpart of track_new(). */
static __always_inline void writer_store(const struct call_change *change, const struct track_message *message,
	const struct tracked_call *known, bool keeps_ended)
{
	struct tracked_call tracked = {.began = track_seconds(), .kind = change->message.kind};
	bool tcp = change->message.kind == CALL_IS_CONNECTION;
	struct tracked_key key = change->key;

	if (known)
		tracked = *known;
	tracked.backend = change->backend;
	tracked.hinted = change->flags & CALL_CHANGE_HINTED ? 1 : 0;
	tracked.guessed = change->flags & CALL_CHANGE_NEW ? 0 : 1;
	track_update(&tracked, message, tcp);
	if (known || keeps_ended || (tcp ? message->live : call_is_live(&tracked.dialogs)))
		bpf_map_update_elem(&tracked_calls, &key, &tracked, BPF_ANY);
}

/* Returns false if the slot does not migrate here. */
static __always_inline bool writer_apply(const struct call_change *change, bool keeps_ended)
{
	struct track_message message = {.call = change->message};
	bool tcp = change->message.kind == CALL_IS_CONNECTION;
	struct tracked_key key = change->key;
	struct tracked_call *known;

	if (!writer_slot_migrates(&key, change->flags & CALL_CHANGE_HINTED))
		return false;
	message.ended = tcp && change->message.event == CALL_ENDS;
	message.live = tcp && !message.ended;
	known = bpf_map_lookup_elem(&tracked_calls, &key);
	if (known && !writer_replaces(known, change))
		track_update(known, &message, tcp);
	else
		writer_store(change, &message, known, keeps_ended && message.call.event == CALL_ENDS);
	return true;
}

static long writer_step(__u32 index, void *data)
{
	__u32 zero = 0;
	struct call_batch *batch = bpf_map_lookup_elem(&call_batch, &zero);

	(void)data;
	if (!batch || index >= CALL_BATCH)
		return 1;
	batch->applied += writer_apply(&batch->changes[index], batch->keeps_ended);
	return 0;
}

/* --- copies */

static __always_inline void writer_add(struct dialogs *call, __u32 known)
{
	call_add(call, known & ~CALL_CONFIRMED, known & CALL_CONFIRMED);
}

/* Adds what the copy knows to an entry, which may be older or newer. */
__noinline int writer_merge(struct tracked_call *known, const struct tracked_call *copy)
{
	if (!known || !copy)
		return 0;
	writer_add(&known->dialogs, copy->dialogs.known[0]);
	writer_add(&known->dialogs, copy->dialogs.known[1]);
	known->dialogs.overflow |= copy->dialogs.overflow;
	if (copy->dialogs.invite > known->dialogs.invite) {
		known->dialogs.invite = copy->dialogs.invite;
		known->dialogs.pending = copy->dialogs.pending;
		known->dialogs.completed = copy->dialogs.completed;
	}
	if (copy->dialogs.invite == known->dialogs.invite && !copy->dialogs.pending)
		known->dialogs.pending = 0; /* this INVITE has its final response */
	call_remove(&known->dialogs, copy->dialogs.closed);
	if (!known->dialogs.closed)
		known->dialogs.closed = copy->dialogs.closed;
	if (copy->seen > known->seen)
		known->seen = copy->seen;
	if (known->kind == CALL_IS_CONNECTION || call_is_live(&known->dialogs) == !known->ended)
		return 0;
	known->ended = call_is_live(&known->dialogs) ? 0 : track_seconds();
	return 0;
}

static __always_inline bool writer_copy(const struct call_copy *copy)
{
	struct tracked_key key = copy->key;
	struct tracked_call *known;

	if (!writer_slot_migrates(&key, copy->call.hinted))
		return false;
	known = bpf_map_lookup_elem(&tracked_calls, &key);
	if (known && (known->backend == copy->call.backend || backend_is_alive(known->backend)))
		writer_merge(known, &copy->call);
	else
		bpf_map_update_elem(&tracked_calls, &key, &copy->call, BPF_ANY);
	return true;
}

static long writer_copy_step(__u32 index, void *data)
{
	__u32 zero = 0;
	struct call_batch *batch = bpf_map_lookup_elem(&call_batch, &zero);

	(void)data;
	if (!batch || index >= CALL_COPIES)
		return 1;
	batch->applied += writer_copy(&batch->copies[index]);
	return 0;
}

static __always_inline void writer_renew(__u64 lease)
{
	__u32 class = PUNT_CLASS_CALLS;
	struct punt_reader *reader = bpf_map_lookup_elem(&punt_readers, &class);

	if (reader && lease)
		reader->lease = lease;
}

SEC("syscall")
int call_writer(void *ctx)
{
	__u32 zero = 0;
	struct call_batch *batch = bpf_map_lookup_elem(&call_batch, &zero);

	(void)ctx;
	if (!batch)
		return 0;
	batch->applied = 0;
	writer_renew(batch->lease);
	bpf_loop(batch->change_count, writer_step, NULL, 0);
	bpf_loop(batch->copy_count, writer_copy_step, NULL, 0);
	return 0;
}
