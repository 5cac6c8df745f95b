// SPDX-License-Identifier: GPL-2.0
/* Applies changes of calls that other balancers of the group have sent (docs/design/group.md) to the maps of the
 * balancer, as if this balancer had received the messages. The loader loads this program with the maps of the balancer,
 * and the daemon runs it by BPF_PROG_TEST_RUN. A program that runs in the kernel changes an entry in place, as the
 * packet path does. A change from user space would replace the entry, and undo a change by a packet at the same time.
 */

#include "balance.h"

char LICENSE[] SEC("license") = "GPL";

/* --- changes of tracked calls */

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
__noinline int writer_track(const struct call_change *change, bool keeps_ended)
{
	struct track_message message = {};
	struct tracked_call *known;
	struct tracked_key key;
	bool tcp;

	if (!change)
		return false;
	key = change->key;
	tcp = change->message.kind == CALL_IS_CONNECTION;
	message.call = change->message;
	if (!writer_slot_migrates(&key, change->flags & CALL_CHANGE_HINTED))
		return false;
	message.ended = tcp && change->message.event == CALL_ENDS;
	message.live = tcp && !message.ended;
	known = bpf_map_lookup_elem(&tracked_calls, &key);
	if (known && !writer_replaces(known, change))
		track_update(known, &message, tcp);
	else
		writer_store(change, &message, known, keeps_ended);
	return true;
}

/* --- changes of counted calls, as balance.h makes them */

/* An entry that `balance:` has placed on a live backend stays, unless its call has ended and a new one begins. An entry
 * of the sample follows the change. */
static __always_inline bool writer_moves(const struct tracked_call *known, const struct call_change *change)
{
	if (known->ended && change->flags & CALL_CHANGE_NEW)
		return true;
	if (!known->placed)
		return change->flags & CALL_CHANGE_PLACED || known->backend != change->backend;
	return known->backend != change->backend && !backend_is_alive(known->backend);
}

/* The counterpart of balance_update(). */
static __always_inline void writer_update_counted(struct tracked_call *known, const struct track_message *message)
{
	bool was_live = !known->ended;

	known->is_new = 0;
	track_update(known, message, false);
	if (was_live != !known->ended)
		balance_add(known->backend, known->placed, was_live ? -1 : 1);
}

/* Stores an entry in the place of `known`. Returns false if the map is full, or a packet has just made the entry. */
static __always_inline bool writer_put_counted(
	const struct tracked_key *key, const struct tracked_call *call, const struct tracked_call *known)
{
	if (known && !known->ended)
		balance_add(known->backend, known->placed, -1);
	if (bpf_map_update_elem(&counted_calls, key, call, known ? BPF_ANY : BPF_NOEXIST))
		return false;
	if (!call->ended)
		balance_add(call->backend, call->placed, 1);
	return true;
}

/* The counterpart of balance_write(). */
__noinline int writer_store_counted(
	const struct call_change *change, const struct tracked_call *known, bool keeps_ended)
{
	struct tracked_call call = {.began = track_seconds(), .kind = CALL_IS_INVITE}, *found;
	struct track_message message = {};
	struct tracked_key key;
	bool is_placed, is_new;

	if (!change)
		return 0;
	key = change->key;
	message.call = change->message;
	is_placed = change->flags & CALL_CHANGE_PLACED;
	is_new = change->flags & CALL_CHANGE_NEW;
	if (known && !(is_placed && is_new))
		call = *known;
	call.backend = change->backend;
	call.placed |= is_placed;
	call.is_new = is_new;
	track_update(&call, &message, false);
	if ((!known && call.ended && !keeps_ended) || writer_put_counted(&key, &call, known))
		return 0;
	found = bpf_map_lookup_elem(&counted_calls, &key);
	if (found)
		writer_update_counted(found, &message);
	else if (is_placed)
		balance_count(key.pool, BALANCE_UNTABLED);
	return 0;
}

/* The counterpart of balance_forget(). */
static __always_inline void writer_forget(
	const struct tracked_key *key, const struct call_change *change, const struct tracked_call *known)
{
	bool is_placed = known->placed;

	if (known->is_new && known->backend == change->backend && !bpf_map_delete_elem(&counted_calls, key))
		balance_add(change->backend, is_placed, -1);
}

static __always_inline bool writer_has_pool(const struct tracked_key *key)
{
	__u32 id = key->pool;

	return bpf_map_lookup_elem(&pools, &id);
}

/* Returns false if there is no such pool. */
static __always_inline bool writer_count(const struct call_change *change, bool keeps_ended)
{
	struct track_message message = {.call = change->message};
	struct tracked_key key = change->key;
	struct tracked_call *known;

	if (!writer_has_pool(&key))
		return false;
	known = bpf_map_lookup_elem(&counted_calls, &key);
	if (known && change->flags & CALL_CHANGE_FORGET)
		writer_forget(&key, change, known);
	else if (known && !writer_moves(known, change))
		writer_update_counted(known, &message);
	else if (!(change->flags & CALL_CHANGE_FORGET))
		writer_store_counted(change, known, keeps_ended);
	return true;
}

/* --- all changes */

/* Returns whether the program does not search for the entries of this pool yet. */
static __always_inline bool writer_is_unsearched(const struct tracked_key *key)
{
	__u32 id = key->pool;
	const struct pool *pool = bpf_map_lookup_elem(&pools, &id);

	return pool && !pool->balanced;
}

static __always_inline bool writer_apply(const struct call_change *change, bool keeps_ended)
{
	keeps_ended = keeps_ended && change->message.event == CALL_ENDS;
	if (change->flags & CALL_CHANGE_COUNTED)
		return writer_count(change, keeps_ended);
	return writer_track(change, keeps_ended);
}

static long writer_step(__u32 index, void *data)
{
	struct call_change *change;
	__u32 zero = 0;
	struct call_batch *batch = bpf_map_lookup_elem(&call_batch, &zero);

	(void)data;
	if (!batch || index >= CALL_BATCH)
		return 1;
	change = &batch->changes[index];
	if (writer_apply(change, batch->keeps_ended))
		batch->applied++;
	else
		change->flags |= CALL_CHANGE_IGNORED;
	batch->unsearched += change->flags & CALL_CHANGE_PLACED && writer_is_unsearched(&change->key);
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
	if (copy->dialogs.invite == known->dialogs.invite && copy->dialogs.completed == known->dialogs.pending)
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

/* As writer_moves(). If both entries are of live backends, the newer one tells where the call that lives is. */
static __always_inline bool writer_copy_moves(const struct tracked_call *known, const struct tracked_call *copy)
{
	if (!known->placed)
		return copy->placed || (known->backend != copy->backend && copy->seen > known->seen);
	if (!copy->placed || known->backend == copy->backend)
		return false;
	return !backend_is_alive(known->backend) || (known->ended && !copy->ended && copy->seen > known->seen);
}

/* Inlined: for Linux 6.1, the argument of a function cannot be the value of an entry. */
static __always_inline bool writer_copy_counted(const struct call_copy *copy)
{
	struct tracked_key key = copy->key;
	struct tracked_call *known;
	bool was_live;

	if (!writer_has_pool(&key))
		return false;
	known = bpf_map_lookup_elem(&counted_calls, &key);
	if (!known || writer_copy_moves(known, &copy->call)) {
		if (!writer_put_counted(&key, &copy->call, known) && copy->call.placed)
			balance_count(key.pool, BALANCE_UNTABLED);
		return true;
	}
	was_live = !known->ended;
	writer_merge(known, &copy->call);
	if (was_live != !known->ended)
		balance_add(known->backend, known->placed, was_live ? -1 : 1);
	return true;
}

static __always_inline bool writer_copy_tracked(const struct call_copy *copy)
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
	const struct call_copy *copy;
	__u32 zero = 0;
	struct call_batch *batch = bpf_map_lookup_elem(&call_batch, &zero);

	(void)data;
	if (!batch || index >= CALL_COPIES)
		return 1;
	copy = &batch->copies[index];
	if (copy->flags & CALL_CHANGE_COUNTED)
		batch->applied += writer_copy_counted(copy);
	else
		batch->applied += writer_copy_tracked(copy);
	batch->unsearched += copy->call.placed && writer_is_unsearched(&copy->key);
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
	batch->applied = batch->unsearched = 0;
	writer_renew(batch->lease);
	bpf_loop(batch->change_count, writer_step, NULL, 0);
	bpf_loop(batch->copy_count, writer_copy_step, NULL, 0);
	return 0;
}
