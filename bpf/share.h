/* SPDX-License-Identifier: GPL-2.0 */
/* Shares the changes of tracked and counted calls with the other balancers of the group (docs/design/group.md): writes
 * each change to the ring buffer `call_changes`, which the daemon reads. Without a group, it writes nothing. */
#pragma once

#include "track.h"

#define BPF_RB_AVAIL_DATA 0 /* from linux/bpf.h */

/* A message that changes nothing counts as a change if the call has been silent for this time, so that the other
 * balancers know that the call is live. */
#define SHARE_REPEAT_SECONDS 60

/* NULL: this balancer is not in a group. */
static __always_inline struct punt_reader *share_active(void)
{
	__u32 class = PUNT_CLASS_CALLS;
	struct punt_reader *reader = bpf_map_lookup_elem(&punt_readers, &class);

	return reader && reader->active ? reader : NULL;
}

/* May a new call go to a backend that the other balancers of the group do not expect: to the new owner of a migrating
 * slot, or to the backend that `balance:` selects? While they cannot learn of the call, they send its further messages
 * to the previous owner, or to the owner of its slot. */
__noinline int share_may_place(void)
{
	const struct punt_reader *reader = share_active();

	if (!reader || !reader->lease)
		return true;
	return bpf_ktime_get_ns() < reader->lease;
}

/* track_update() in a group. Returns true if the message has changed the call. */
__noinline int share_watched_update(struct tracked_call *tracked, const struct track_message *message, bool tcp)
{
	__u64 before;
	__u32 silent;
	bool live;

	if (!tracked || !message)
		return false;
	silent = track_seconds() - tracked->seen;
	before = call_digest(&tracked->dialogs);
	live = !tracked->ended;
	track_update(tracked, message, tcp);
	return silent >= SHARE_REPEAT_SECONDS || live != !tracked->ended || before != call_digest(&tracked->dialogs);
}

/* Updates a tracked call in place. Returns true if the other balancers need the message. */
static __always_inline bool share_update(struct tracked_call *tracked, const struct track_message *message, bool tcp)
{
	if (share_active())
		return share_watched_update(tracked, message, tcp);
	track_update(tracked, message, tcp);
	return false;
}

/* Calls that begin may use only one half of the ring buffer, so that a flood of new calls does not displace the changes
 * of calls that exist. */
static __always_inline bool share_has_room(const struct call_message *message)
{
	return message->event != CALL_BEGINS ||
	       bpf_ringbuf_query(&call_changes, BPF_RB_AVAIL_DATA) < CALL_CHANGES_BYTES / 2;
}

/* Writes a change to the ring buffer. `flags`: enum call_change_flags. */
__noinline int share_write(
	const struct tracked_key *key, const struct call_message *message, __u32 backend, __u32 flags)
{
	struct punt_reader *reader;
	struct call_change *change = NULL;

	if (!key || !message)
		return 0;
	reader = share_active();
	if (!reader || dry_run)
		return 0;
	if (share_has_room(message))
		change = bpf_ringbuf_reserve(&call_changes, sizeof(*change), 0);
	if (!change) {
		__sync_fetch_and_add(&reader->lost, 1);
		return 0;
	}
	change->key = *key;
	change->message = *message;
	change->backend = backend;
	change->flags = flags;
	bpf_ringbuf_submit(change, 0);
	return 0;
}

/* Shares a message that has changed a tracked call. */
__noinline int share_change(const struct flow *flow, const struct track_message *message)
{
	struct call_message call;
	struct tracked_key key;
	__u32 flags;

	if (!flow || !message)
		return 0;
	key = track_key(flow);
	call = message->call;
	if (flow->packet.protocol == IPPROTO_TCP) {
		call.kind = CALL_IS_CONNECTION;
		call.event = message->ended ? CALL_ENDS : CALL_GOES_ON;
	}
	flags = message->is_new == TRACK_BEGINS ? CALL_CHANGE_NEW : 0;
	if (flow->verdict == VERDICT_hint)
		flags |= CALL_CHANGE_HINTED;
	return share_write(&key, &call, flow->backend, flags);
}
