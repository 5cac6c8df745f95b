// SPDX-License-Identifier: GPL-2.0
/* The migrating slots of a pool as messages: random slots reach a member whose ids of the same backends differ. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/memory.h"
#include "core/group/group_transfer.h"

#define SLOTS 65536
#define BACKENDS 40
#define POOL 77
#define ROUNDS 20

struct receiver {
	struct group_names *names;
	struct slots *owners, *previous;
	size_t messages;
};

/* The name of backend `index`; the ids of the sender are index + 1, those of the receiver BACKENDS - index. */
static uint64_t name_of(uint32_t index)
{
	return 1000 + index * 7;
}

static struct group_names *new_names(bool receiver)
{
	struct group_names *names = allocate(1, sizeof(*names));

	names->pool = POOL;
	for (uint32_t i = 0; i < BACKENDS; i++)
		names->names[receiver ? BACKENDS - i : i + 1] = name_of(i);
	return names;
}

static uint16_t id_there(uint16_t id)
{
	return id ? BACKENDS - (id - 1) : 0;
}

static void receive(const uint8_t *bytes, size_t length, void *data)
{
	struct receiver *receiver = data;
	struct group_message message;

	cr_assert_leq(length, GROUP_MESSAGE_SIZE);
	cr_assert_eq(group_message_decode(bytes, length, &message), 0);
	cr_assert_eq(message.kind, GROUP_MIGRATING);
	cr_assert_eq(message.migrating.pool, POOL);
	cr_assert_eq(message.migrating.to.node, 3);
	group_transfer_take(receiver->names, &message, receiver->owners, receiver->previous);
	receiver->messages++;
	for (size_t cut = 0; cut < length; cut += 1 + length / 50)
		cr_assert(group_message_decode(bytes, cut, &message), "%zu of %zu bytes", cut, length);
}

/* `rate`: one of so many slots is migrating. */
static void transfer(unsigned int rate, unsigned int backends, uint16_t unknown)
{
	struct group_names *names = new_names(false);
	struct receiver receiver = {new_names(true), slots_new(SLOTS), slots_new(SLOTS), 0};
	struct slots *owners = slots_new(SLOTS), *previous = slots_new(SLOTS);

	if (unknown)
		receiver.names->names[id_there(unknown)] = 0;
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		owners->ids[slot] = rand() % (backends + 1);
		previous->ids[slot] = rand() % rate ? 0 : 1 + rand() % backends;
	}
	group_transfer_send((struct group_id){3, 9}, names, owners, previous, receive, &receiver);
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		bool known = previous->ids[slot] &&
			     !(unknown && (owners->ids[slot] == unknown || previous->ids[slot] == unknown));

		cr_assert_eq(receiver.previous->ids[slot], known ? id_there(previous->ids[slot]) : 0);
		cr_assert_eq(receiver.owners->ids[slot], known ? id_there(owners->ids[slot]) : 0);
	}
	slots_drop(receiver.owners);
	slots_drop(receiver.previous);
	slots_drop(owners);
	slots_drop(previous);
	free(receiver.names);
	free(names);
}

Test(group_transfer, slots_arrive_whatever_the_ids_are)
{
	srand(1);
	for (int i = 0; i < ROUNDS; i++) {
		transfer(1 + rand() % 1000, 1 + rand() % BACKENDS, 0);
		transfer(1 + rand() % 10, 1 + rand() % 3, 1);
	}
}

Test(group_transfer, a_different_number_of_slots_is_ignored)
{
	struct group_names *names = new_names(false);
	struct receiver receiver = {new_names(true), slots_new(SLOTS / 2), slots_new(SLOTS / 2), 0};
	struct slots *owners = slots_new(SLOTS), *previous = slots_new(SLOTS), *none = slots_new(SLOTS / 2);

	for (uint32_t slot = 0; slot < SLOTS; slot++)
		owners->ids[slot] = previous->ids[slot] = 1;
	group_transfer_send((struct group_id){3, 9}, names, owners, previous, receive, &receiver);
	cr_expect_gt(receiver.messages, 0);
	cr_expect(slots_equal(receiver.previous, none) && slots_equal(receiver.owners, none));
	slots_drop(receiver.owners);
	slots_drop(receiver.previous);
	slots_drop(owners);
	slots_drop(previous);
	slots_drop(none);
	free(receiver.names);
	free(names);
}
