// SPDX-License-Identifier: GPL-2.0
/* The messages in which members of a group share the changes of their calls. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/group/group_calls.h"

static uint32_t any(void)
{
	return (uint32_t)rand() << 16 ^ rand();
}

static struct call_change change_of(size_t target)
{
	return (struct call_change){
		.key = {.hash = (uint64_t)any() << 32 | any(), .slot = any(), .pool = target},
		.message = {any(), any(), any(), rand() % 9, rand() % 4, {0}},
		.backend = target,
		.flags = rand() % 4,
	};
}

static struct group_call_target target_of(size_t i)
{
	return (struct group_call_target){0x1234567890abcdef + i / 8, ~i};
}

/* Fills a batch with changes of up to `targets` servers. Returns the number that fit. */
static size_t fill(struct group_call_batch *batch, size_t targets)
{
	*batch = (struct group_call_batch){.scope = any()};
	for (size_t i = 0;; i++) {
		size_t target = rand() % targets;
		struct call_change change = change_of(target);
		struct group_call_target name = target_of(target);

		if (!group_call_batch_add(batch, &name, &change))
			return i;
	}
}

static int decode(const uint8_t *bytes, size_t length, struct group_call_changes *out)
{
	struct group_message message;
	int error = group_message_decode(bytes, length, &message);

	return error ? error : group_decode_call_changes(&message, out);
}

/* The ids of the sender do not appear in the message, so the test puts them back. */
static void expect_equal(const struct group_call_batch *batch, const struct group_call_changes *changes)
{
	cr_assert_eq(changes->scope, batch->scope);
	cr_assert_eq(changes->change_count, batch->change_count);
	for (size_t i = 0; i < batch->change_count; i++) {
		size_t target;
		struct call_change change = group_call_change_at(changes, i, &target);
		struct group_call_target name = group_call_target_at(changes, target);
		struct group_call_target expected = target_of(batch->changes[i].backend);

		change.key.pool = change.backend = batch->changes[i].backend;
		cr_expect(!memcmp(&change, &batch->changes[i], sizeof(change)), "change %zu", i);
		cr_expect(!memcmp(&name, &expected, sizeof(name)), "target of change %zu", i);
	}
}

Test(group_calls, round_trip)
{
	static struct group_call_batch batch;
	uint8_t message[GROUP_MESSAGE_SIZE];
	struct group_call_changes changes;

	srand(1);
	for (size_t targets = 1; targets < 1000; targets *= 3) {
		size_t count = fill(&batch, targets), length = group_encode_call_changes(&batch, message);

		cr_expect_leq(length, GROUP_MESSAGE_SIZE);
		cr_expect_eq(count, batch.change_count);
		if (targets <= GROUP_CALL_TARGETS_MAX)
			cr_expect_eq(count, GROUP_CALL_CHANGES_MAX);
		cr_assert_eq(decode(message, length, &changes), 0);
		expect_equal(&batch, &changes);
	}
}

Test(group_calls, at_most_32_bytes_for_a_change)
{
	static struct group_call_batch batch;
	uint8_t message[GROUP_MESSAGE_SIZE];

	fill(&batch, 4);
	cr_expect_leq(group_encode_call_changes(&batch, message), 32 * batch.change_count);
}

Test(group_calls, truncated_messages)
{
	static struct group_call_batch batch;
	uint8_t message[GROUP_MESSAGE_SIZE];
	struct group_call_changes changes;
	size_t length;

	fill(&batch, 40);
	length = group_encode_call_changes(&batch, message);
	for (size_t cut = 0; cut < length; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1);

		memcpy(exact, message, cut);
		cr_expect_eq(decode(exact, cut, &changes), -EPROTO, "%zu bytes", cut);
		free(exact);
	}
}

/* The sanitizers find a read behind the message. */
Test(group_calls, garbage)
{
	static struct group_call_batch batch;
	uint8_t message[GROUP_MESSAGE_SIZE];
	struct group_call_changes changes;
	size_t length, valid = 0, target;

	fill(&batch, 40);
	length = group_encode_call_changes(&batch, message);
	for (int i = 0; i < 20000; i++) {
		size_t at = rand() % (i % 2 ? length : 24);
		uint8_t before = message[at];

		message[at] = rand();
		if (!decode(message, length, &changes)) {
			valid++;
			cr_assert_leq(changes.target_count, GROUP_CALL_TARGETS_MAX);
			cr_assert_leq(changes.change_count, GROUP_CALL_CHANGES_MAX);
			for (size_t j = 0; j < changes.change_count; j++) {
				group_call_change_at(&changes, j, &target);
				cr_assert_lt(target, changes.target_count);
				group_call_target_at(&changes, target);
			}
		}
		message[at] = before;
	}
	cr_expect_gt(valid, 1000);
	cr_expect_lt(valid, 19000);
}

Test(group_calls, scope)
{
	const uint64_t key[2] = {1, 2}, other[2] = {1, 3};

	cr_expect_eq(group_call_scope(key, 4096), group_call_scope(key, 4096));
	cr_expect_neq(group_call_scope(key, 4096), group_call_scope(other, 4096));
	cr_expect_neq(group_call_scope(key, 4096), group_call_scope(key, 8192));
}

/* --- copies of calls */

#define NOW 100000

static struct call_copy copy_of(size_t target)
{
	struct call_copy copy = {
		.key = {.hash = (uint64_t)any() << 32 | any(), .slot = any(), .pool = target},
		.call = {.backend = target,
			.kind = rand() % 4,
			.hinted = rand() % 2,
			.placed = rand() % 2,
			.seen = 1 + rand() % NOW,
			.began = 1 + rand() % NOW,
			.ended = rand() % 2 ? 1 + rand() % NOW : 0,
			.dialogs = {any(), any(), any(), any(), {any(), any()}, rand() % 2}},
		.flags = rand() % 2 ? CALL_CHANGE_COUNTED : 0,
	};

	return copy;
}

static int decode_calls(const uint8_t *bytes, size_t length, struct group_calls *out)
{
	struct group_message message;
	int error = group_message_decode(bytes, length, &message);

	return error ? error : group_decode_calls(&message, out);
}

static size_t fill_calls(struct group_calls_batch *batch, uint8_t *message, uint16_t flags)
{
	*batch = (struct group_calls_batch){.scope = any(), .to = {any(), any()}};
	for (;;) {
		size_t target = rand() % 50;
		struct call_copy copy = copy_of(target);
		struct group_call_target name = target_of(target);

		if (!group_calls_batch_add(batch, &name, &copy))
			return group_encode_calls(batch, flags, NOW, message);
	}
}

/* The receiver's clock differs, so the times of a call differ by the same number. */
Test(group_calls, copies)
{
	static struct group_calls_batch batch;
	uint8_t message[GROUP_MESSAGE_SIZE];
	size_t length = fill_calls(&batch, message, GROUP_LAST), target;
	struct group_calls calls;

	cr_expect_leq(length, GROUP_MESSAGE_SIZE);
	cr_expect_eq(batch.call_count, GROUP_CALLS_MAX);
	cr_assert_eq(decode_calls(message, length, &calls), 0);
	cr_expect_eq(calls.to.node, batch.to.node);
	cr_expect_eq(calls.to.pid, batch.to.pid);
	cr_assert_eq(calls.list.change_count, batch.call_count);
	for (size_t i = 0; i < batch.call_count; i++) {
		struct call_copy copy = group_call_at(&calls, i, NOW + 500, &target), sent = batch.calls[i];

		copy.key.pool = copy.call.backend = sent.key.pool;
		copy.call.seen -= 500;
		copy.call.began -= 500;
		copy.call.ended -= copy.call.ended ? 500 : 0;
		cr_expect(!memcmp(&copy, &sent, sizeof(copy)), "call %zu", i);
		cr_expect_eq(group_call_target_at(&calls.list, target).backend, target_of(sent.key.pool).backend);
	}
}

/* A machine that has just booted: the times of older calls are its start, and an ended call stays ended. */
Test(group_calls, copies_from_before_the_start)
{
	static struct group_calls_batch batch;
	uint8_t message[GROUP_MESSAGE_SIZE];
	size_t length = fill_calls(&batch, message, 0), target;
	struct group_calls calls;

	cr_assert_eq(decode_calls(message, length, &calls), 0);
	for (size_t i = 0; i < batch.call_count; i++) {
		struct call_copy copy = group_call_at(&calls, i, 10, &target);

		cr_expect(copy.call.seen >= 1 && copy.call.seen <= 10);
		cr_expect_eq(!copy.call.ended, !batch.calls[i].call.ended);
	}
}

Test(group_calls, truncated_copies)
{
	static struct group_calls_batch batch;
	uint8_t message[GROUP_MESSAGE_SIZE];
	size_t length = fill_calls(&batch, message, 0);
	struct group_calls calls;

	for (size_t cut = 0; cut < length; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1);

		memcpy(exact, message, cut);
		cr_expect_eq(decode_calls(exact, cut, &calls), -EPROTO, "%zu bytes", cut);
		free(exact);
	}
}
