// SPDX-License-Identifier: GPL-2.0
/* See group_transfer.h. Slots with the same owner and previous owner are one set in one message. */

#include <stdlib.h>
#include "core/base/memory.h"
#include "group_transfer.h"

struct item {
	uint32_t owners; /* owner and previous owner */
	uint32_t slot;
};

static int compare(const void *a, const void *b)
{
	const struct item *left = a, *right = b;

	if (left->owners != right->owners)
		return left->owners < right->owners ? -1 : 1;
	return (left->slot > right->slot) - (left->slot < right->slot);
}

/* The migrating slots, sorted by their owners. */
static struct item *migrating_items(const struct slots *owners, const struct slots *previous, size_t *count)
{
	struct item *items;

	*count = 0;
	for (uint32_t slot = 0; slot < previous->count; slot++)
		*count += previous->ids[slot] != 0;
	items = allocate(*count, sizeof(*items));
	for (uint32_t slot = 0, i = 0; slot < previous->count; slot++)
		if (previous->ids[slot])
			items[i++] = (struct item){(uint32_t)owners->ids[slot] << 16 | previous->ids[slot], slot};
	qsort(items, *count, sizeof(*items), compare);
	return items;
}

/* Writes the words of the slots that have the owners of the first item. Returns the number of items. */
static size_t fill_words(const struct item *items, size_t count, uint16_t *numbers, uint64_t *words, size_t *word_count)
{
	size_t i = 0;

	*word_count = 0;
	for (; i < count && items[i].owners == items->owners; i++) {
		if (!*word_count || numbers[*word_count - 1] != items[i].slot / 64) {
			if (*word_count == GROUP_WORDS_MAX)
				break;
			numbers[*word_count] = items[i].slot / 64;
			words[(*word_count)++] = 0;
		}
		words[*word_count - 1] |= UINT64_C(1) << items[i].slot % 64;
	}
	return i;
}

size_t group_transfer_send(struct group_id to, const struct group_names *names, const struct slots *owners,
	const struct slots *previous, group_send *send, void *data)
{
	uint16_t numbers[GROUP_WORDS_MAX];
	uint64_t words[GROUP_WORDS_MAX];
	uint8_t message[GROUP_MESSAGE_SIZE];
	size_t count, bytes = 0, used;
	struct item *items = migrating_items(owners, previous, &count);

	for (size_t i = 0; i < count; i += used) {
		const struct group_migrating migrating = {.to = to,
			.slots = owners->count,
			.pool = names->pool,
			.owner = names->names[items[i].owners >> 16],
			.previous = names->names[items[i].owners & UINT16_MAX]};
		size_t word_count, length;

		used = fill_words(&items[i], count - i, numbers, words, &word_count);
		length = group_encode_migrating(&migrating, 0, numbers, words, word_count, message);
		send(message, length, data);
		bytes += length;
	}
	free(items);
	return bytes;
}

/* 0: unknown. */
static uint16_t find_id(const struct group_names *names, uint64_t name)
{
	for (uint32_t id = 1; name && id <= UINT16_MAX; id++)
		if (names->names[id] == name)
			return id;
	return 0;
}

void group_transfer_take(const struct group_names *names, const struct group_message *message, struct slots *owners,
	struct slots *previous)
{
	const struct group_migrating *migrating = &message->migrating;
	const uint16_t owner = find_id(names, migrating->owner), before = find_id(names, migrating->previous);

	if (!before || (migrating->owner && !owner) || migrating->slots != owners->count)
		return;
	for (size_t i = 0; i < message->count; i++) {
		size_t number;
		uint64_t word = group_message_word(message, i, &number);

		for (; word && number < owners->count / 64; word &= word - 1) {
			const uint32_t slot = number * 64 + __builtin_ctzll(word);

			owners->ids[slot] = owner;
			previous->ids[slot] = before;
		}
	}
}
