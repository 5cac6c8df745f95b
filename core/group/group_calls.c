// SPDX-License-Identifier: GPL-2.0
/* See group_calls.h. */

#include <errno.h>
#include "bpf/hash.h"
#include "group_bytes.h"
#include "group_calls.h"

#define COUNTS_SIZE (8 + 2 + 2)
#define TARGET_SIZE 16
#define CHANGE_SIZE 29
#define CHANGE_TARGET 24 /* offset of the index of the target */
#define CALL_SIZE 56
#define CALL_TARGET 12

_Static_assert(
	HEADER_SIZE + COUNTS_SIZE + GROUP_CALL_TARGETS_MAX * TARGET_SIZE + GROUP_CALL_CHANGES_MAX * CHANGE_SIZE <=
		GROUP_MESSAGE_SIZE,
	"the changes fit into a message");

_Static_assert(HEADER_SIZE + 8 + COUNTS_SIZE + GROUP_CALL_TARGETS_MAX * TARGET_SIZE + GROUP_CALLS_MAX * CALL_SIZE <=
		       GROUP_MESSAGE_SIZE,
	"the calls fit into a message");

uint64_t group_call_scope(const uint64_t hash_key[2], uint32_t slots)
{
	const __u64 key[2] = {hash_key[0], hash_key[1]};
	struct hash hash = hash_start(key);

	hash_word(&hash, slots);
	return hash_finish(hash, key);
}

/* --- writing */

/* The targets of consecutive changes are often equal, so the search begins at the last one. */
static bool find_target(
	struct group_call_target *targets, size_t *count, const struct group_call_target *target, uint16_t *out)
{
	size_t i = *count;

	while (i && memcmp(&targets[i - 1], target, sizeof(*target)))
		i--;
	if (!i && *count == GROUP_CALL_TARGETS_MAX)
		return false;
	if (!i) {
		targets[(*count)++] = *target;
		i = *count;
	}
	*out = i - 1;
	return true;
}

bool group_call_batch_add(
	struct group_call_batch *batch, const struct group_call_target *target, const struct call_change *change)
{
	size_t at = batch->change_count;

	if (at == GROUP_CALL_CHANGES_MAX ||
		!find_target(batch->targets, &batch->target_count, target, &batch->target_of[at]))
		return false;
	batch->changes[at] = *change;
	batch->change_count++;
	return true;
}

bool group_calls_batch_add(
	struct group_calls_batch *batch, const struct group_call_target *target, const struct call_copy *call)
{
	size_t at = batch->call_count;

	if (at == GROUP_CALLS_MAX || !find_target(batch->targets, &batch->target_count, target, &batch->target_of[at]))
		return false;
	batch->calls[at] = *call;
	batch->call_count++;
	return true;
}

static uint8_t *put_targets(
	uint8_t *out, uint64_t scope, const struct group_call_target *targets, size_t target_count, size_t count)
{
	out = put_number(out, scope, 8);
	out = put_number(out, target_count, 2);
	out = put_number(out, count, 2);
	for (size_t i = 0; i < target_count; i++) {
		out = put_number(out, targets[i].pool, 8);
		out = put_number(out, targets[i].backend, 8);
	}
	return out;
}

static uint8_t *put_change(uint8_t *out, const struct call_change *change, uint16_t target)
{
	out = put_number(out, change->key.hash, 8);
	out = put_number(out, change->key.slot, 4);
	out = put_number(out, change->message.dialog, 4);
	out = put_number(out, change->message.branch, 4);
	out = put_number(out, change->message.number, 4);
	out = put_number(out, target, 2);
	out = put_number(out, change->message.event, 1);
	out = put_number(out, change->message.kind, 1);
	return put_number(out, change->flags, 1);
}

size_t group_encode_call_changes(const struct group_call_batch *batch, uint8_t out[GROUP_MESSAGE_SIZE])
{
	uint8_t *next = put_header(out, GROUP_CALL_CHANGES, 0);

	next = put_targets(next, batch->scope, batch->targets, batch->target_count, batch->change_count);
	for (size_t i = 0; i < batch->change_count; i++)
		next = put_change(next, &batch->changes[i], batch->target_of[i]);
	return next - out;
}

static uint8_t call_flags(const struct call_copy *copy)
{
	return copy->flags | (copy->call.hinted ? CALL_CHANGE_HINTED : 0) |
	       (copy->call.placed ? CALL_CHANGE_PLACED : 0);
}

static uint8_t *put_call(uint8_t *out, const struct call_copy *copy, uint16_t target, uint32_t now)
{
	const struct tracked_call *call = &copy->call;
	const struct dialogs *dialogs = &call->dialogs;

	out = put_number(out, copy->key.hash, 8);
	out = put_number(out, copy->key.slot, 4);
	out = put_number(out, target, 2);
	out = put_number(out, call->kind, 1);
	out = put_number(out, call_flags(copy), 1);
	out = put_number(out, now - call->seen, 4);
	out = put_number(out, now - call->began, 4);
	out = put_number(out, call->ended ? now - call->ended + 1 : 0, 4);
	out = put_number(out, dialogs->pending, 4);
	out = put_number(out, dialogs->invite, 4);
	out = put_number(out, dialogs->completed, 4);
	out = put_number(out, dialogs->closed, 4);
	out = put_number(out, dialogs->known[0], 4);
	out = put_number(out, dialogs->known[1], 4);
	return put_number(out, dialogs->overflow, 4);
}

size_t group_encode_calls(
	const struct group_calls_batch *batch, uint16_t flags, uint32_t now, uint8_t out[GROUP_MESSAGE_SIZE])
{
	uint8_t *next = put_id(put_header(out, GROUP_CALLS, flags), batch->to);

	next = put_targets(next, batch->scope, batch->targets, batch->target_count, batch->call_count);
	for (size_t i = 0; i < batch->call_count; i++)
		next = put_call(next, &batch->calls[i], batch->target_of[i], now);
	return next - out;
}

/* --- reading */

/* Reads the list at `content`. Each element has `size` bytes, and the index of its target at the offset `target`. */
static int take_list(const uint8_t *content, size_t length, size_t size, size_t target, struct group_call_changes *out)
{
	*out = (struct group_call_changes){0};
	if (length < COUNTS_SIZE)
		return -EPROTO;
	out->scope = number_at(content, 8);
	out->target_count = number_at(content + 8, 2);
	out->change_count = number_at(content + 10, 2);
	out->targets = content + COUNTS_SIZE;
	out->changes = out->targets + out->target_count * TARGET_SIZE;
	if (out->target_count > GROUP_CALL_TARGETS_MAX || out->change_count > GROUP_CALL_CHANGES_MAX)
		return -EPROTO;
	if (length - COUNTS_SIZE < out->target_count * TARGET_SIZE + out->change_count * size)
		return -EPROTO;
	for (size_t i = 0; i < out->change_count; i++)
		if (number_at(out->changes + i * size + target, 2) >= out->target_count)
			return -EPROTO;
	return 0;
}

int group_decode_call_changes(const struct group_message *message, struct group_call_changes *out)
{
	return take_list(message->content, message->content_length, CHANGE_SIZE, CHANGE_TARGET, out);
}

int group_decode_calls(const struct group_message *message, struct group_calls *out)
{
	const uint8_t *content = message->content;
	int error;

	if (message->content_length < 8)
		return -EPROTO;
	out->to = (struct group_id){number_at(content, 4), number_at(content + 4, 4)};
	error = take_list(content + 8, message->content_length - 8, CALL_SIZE, CALL_TARGET, &out->list);
	return error || out->list.change_count > GROUP_CALLS_MAX ? -EPROTO : 0;
}

struct group_call_target group_call_target_at(const struct group_call_changes *changes, size_t index)
{
	const uint8_t *bytes = changes->targets + index * TARGET_SIZE;

	return (struct group_call_target){number_at(bytes, 8), number_at(bytes + 8, 8)};
}

struct call_change group_call_change_at(const struct group_call_changes *changes, size_t index, size_t *target)
{
	const uint8_t *bytes = changes->changes + index * CHANGE_SIZE;

	*target = number_at(bytes + CHANGE_TARGET, 2);
	return (struct call_change){
		.key = {.hash = number_at(bytes, 8), .slot = number_at(bytes + 8, 4)},
		.message = {.dialog = number_at(bytes + 12, 4),
			.branch = number_at(bytes + 16, 4),
			.number = number_at(bytes + 20, 4),
			.event = bytes[26],
			.kind = bytes[27]},
		.flags = bytes[28],
	};
}

/* An age that is longer than this machine runs becomes its start. */
static uint32_t time_of(uint32_t age, uint32_t now)
{
	return age < now ? now - age : 1;
}

struct call_copy group_call_at(const struct group_calls *calls, size_t index, uint32_t now, size_t *target)
{
	const uint8_t *bytes = calls->list.changes + index * CALL_SIZE;
	uint32_t ended = number_at(bytes + 24, 4);

	*target = number_at(bytes + CALL_TARGET, 2);
	return (struct call_copy){
		.key = {.hash = number_at(bytes, 8), .slot = number_at(bytes + 8, 4)},
		.call = {.kind = bytes[14],
			.hinted = !!(bytes[15] & CALL_CHANGE_HINTED),
			.placed = !!(bytes[15] & CALL_CHANGE_PLACED),
			.seen = time_of(number_at(bytes + 16, 4), now),
			.began = time_of(number_at(bytes + 20, 4), now),
			.ended = ended ? time_of(ended - 1, now) : 0,
			.dialogs = {.pending = number_at(bytes + 28, 4),
				.invite = number_at(bytes + 32, 4),
				.completed = number_at(bytes + 36, 4),
				.closed = number_at(bytes + 40, 4),
				.known = {number_at(bytes + 44, 4), number_at(bytes + 48, 4)},
				.overflow = number_at(bytes + 52, 4)}},
		.flags = bytes[15] & CALL_CHANGE_COUNTED,
	};
}
