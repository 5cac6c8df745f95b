/* SPDX-License-Identifier: GPL-2.0 */
/* The messages in which members of a group share the changes of their calls: docs/design/group.md describes the format.
 * No I/O. All input is untrusted. */
#pragma once

#include "bpf/abi_calls.h"
#include "group_message.h"

#define GROUP_CALL_TARGETS_MAX 128 /* pairs of pool and backend in one message */
#define GROUP_CALL_CHANGES_MAX 490 /* changes in one message */
#define GROUP_CALLS_MAX 250        /* calls in one message */

/* Members name pools and backends by hashes, because their ids differ. */
struct group_call_target {
	uint64_t pool;    /* of the call, as in struct group_key */
	uint64_t backend; /* the same */
};

/* A message that is being made. The ids in `changes` are those of the sender. */
struct group_call_batch {
	uint64_t scope; /* of the sender: group_call_scope() */
	size_t target_count, change_count;
	struct group_call_target targets[GROUP_CALL_TARGETS_MAX];
	uint16_t target_of[GROUP_CALL_CHANGES_MAX]; /* index into `targets` */
	struct call_change changes[GROUP_CALL_CHANGES_MAX];
};

/* Identifies how a member computes the hash and the slot of a call. Members with different scopes cannot use each
 * other's changes. */
uint64_t group_call_scope(const uint64_t hash_key[2], uint32_t slots);

/* Adds a change. Returns false if the message is full: send it, and begin an empty one. */
bool group_call_batch_add(
	struct group_call_batch *batch, const struct group_call_target *target, const struct call_change *change);

/* Writes the message and returns its length. */
size_t group_encode_call_changes(const struct group_call_batch *batch, uint8_t out[GROUP_MESSAGE_SIZE]);

struct group_call_changes {
	uint64_t scope;
	size_t target_count, change_count; /* at most the limits above */
	const uint8_t *targets, *changes;
};

/* 0, or -EPROTO. `out` refers to the message. */
int group_decode_call_changes(const struct group_message *message, struct group_call_changes *out);

struct group_call_target group_call_target_at(const struct group_call_changes *changes, size_t index);

/* The members `pool` and `backend` of the change are 0. `target` is below target_count. */
struct call_change group_call_change_at(const struct group_call_changes *changes, size_t index, size_t *target);

/* --- all tracked calls of a member, from GROUP_FIRST to GROUP_LAST. All members apply them. */

struct group_calls_batch {
	struct group_id to; /* the member that has asked; node 0: none. With GROUP_ASK, the member that is asked */
	uint64_t scope;
	size_t target_count, call_count;
	struct group_call_target targets[GROUP_CALL_TARGETS_MAX];
	uint16_t target_of[GROUP_CALLS_MAX];
	struct call_copy calls[GROUP_CALLS_MAX];
};

/* As group_call_batch_add(). */
bool group_calls_batch_add(
	struct group_calls_batch *batch, const struct group_call_target *target, const struct call_copy *call);

/* Messages contain ages, because the clocks of members differ. `now` is in the unit of tracked_call.seen. */
size_t group_encode_calls(
	const struct group_calls_batch *batch, uint16_t flags, uint32_t now, uint8_t out[GROUP_MESSAGE_SIZE]);

struct group_calls {
	struct group_id to;
	struct group_call_changes list; /* `changes` contains calls */
};

/* 0, or -EPROTO. */
int group_decode_calls(const struct group_message *message, struct group_calls *out);

/* As group_call_change_at(). */
struct call_copy group_call_at(const struct group_calls *calls, size_t index, uint32_t now, size_t *target);
