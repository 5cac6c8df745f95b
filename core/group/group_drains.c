// SPDX-License-Identifier: GPL-2.0
/* See group_drains.h. A member always sends its complete list, which is short. A complete set of votes empties it, so
 * that all members know the same lists when a member has appeared; a list that is not empty follows the votes. */

#include <string.h>
#include "core/base/memory.h"
#include "group_drains.h"
#include "group_private.h"

#define ROW (sizeof(struct group_key) + sizeof(uint64_t))

static struct hash_map *new_list(void)
{
	return hash_map_new(sizeof(struct group_key), sizeof(uint64_t)); /* -> number of the removal */
}

/* --- messages that arrive */

void members_forget_drained(struct place *place)
{
	hash_map_free(place->drained);
	hash_map_free(place->drained_set);
	place->drained = place->drained_set = NULL;
}

void members_take_drained(struct place *place, const struct group_message *message)
{
	if (message->flags & GROUP_FIRST) {
		hash_map_free(place->drained_set);
		place->drained_set = new_list();
	}
	for (size_t i = 0; place->drained_set && i < message->count; i++) {
		const struct group_drained drained = group_message_drained(message, i);

		if (hash_map_count(place->drained_set) < MAX_BACKENDS)
			hash_map_put(place->drained_set, &drained.key, &drained.removal);
	}
	if (!place->drained_set || !(message->flags & GROUP_LAST))
		return;
	hash_map_free(place->drained);
	place->drained = place->drained_set;
	place->drained_set = NULL;
}

/* --- this member */

static void send_list(struct group *group)
{
	struct group_drained *list = allocate(GROUP_DRAINED_MAX, sizeof(*list));
	size_t left = hash_map_count(group->drained), cursor = 0, count;
	uint8_t message[GROUP_MESSAGE_SIZE];
	uint16_t flags = GROUP_FIRST;
	struct hash_map_entry entry;

	do {
		for (count = 0; count < GROUP_DRAINED_MAX && hash_map_next(group->drained, &cursor, &entry); count++)
			list[count] = (struct group_drained){
				*(const struct group_key *)entry.key, *(const uint64_t *)entry.value};
		left -= count;
		flags |= left ? 0 : GROUP_LAST;
		group->send(message, group_encode_drained(list, count, flags, message), group->data);
		flags = 0;
	} while (left);
	free(list);
}

static bool contains(const struct hash_map *map, const struct group_drained *drained)
{
	const uint64_t *removal = map ? hash_map_find(map, &drained->key) : NULL;

	return removal && group_same_removal(*removal, drained->removal);
}

void group_set_drained(struct group *group, const struct group_drained *list, size_t count)
{
	struct hash_map *before = group->drained;
	bool differs = false;

	group->drained = new_list();
	for (size_t i = 0; i < count; i++) {
		const uint64_t *removal = hash_map_find(before, &list[i].key);

		hash_map_put(group->drained, &list[i].key, &list[i].removal);
		differs |= !removal || *removal != list[i].removal;
	}
	differs |= hash_map_count(before) != hash_map_count(group->drained);
	hash_map_free(before);
	if (differs && members_find(&group->members, group->self))
		send_list(group);
}

void group_send_drained(struct group *group)
{
	if (hash_map_count(group->drained))
		send_list(group);
}

bool group_has_drained(const struct group *group, const struct group_drained *drained)
{
	return contains(group->drained, drained);
}

/* --- all members */

const struct group_member *group_undrained(const struct group *group, const struct group_drained *drained)
{
	const struct members *members = &group->members;

	for (size_t i = 0; i < members->count; i++) {
		const struct place *place = &members->places[members->order[i]];

		if (group_member_counts(&place->member) && !contains(place->drained, drained))
			return &place->member;
	}
	return NULL;
}

bool group_leads(const struct group *group)
{
	const struct group_member *member;

	for (size_t i = 0; (member = group_member_at(group, i)); i++)
		if (group_member_counts(member))
			return group_id_equal(member->id, group->self);
	return false;
}

/* --- comparing members */

static size_t dump_list(const struct hash_map *map, uint8_t *out)
{
	size_t count = hash_map_count(map), cursor = 0;
	struct hash_map_entry *list = allocate(count, sizeof(*list));

	for (size_t i = 0; i < count; i++)
		hash_map_next(map, &cursor, &list[i]);
	hash_map_sort(map, list, count);
	for (size_t i = 0; i < count; i++, out += ROW) {
		memcpy(out, list[i].key, sizeof(struct group_key));
		memcpy(out + sizeof(struct group_key), list[i].value, sizeof(uint64_t));
	}
	free(list);
	return count * ROW;
}

size_t members_dump_drained(const struct members *members, uint8_t **out, size_t length)
{
	for (size_t i = 0; i < members->count; i++) {
		const struct hash_map *map = members->places[members->order[i]].drained;

		if (!map)
			continue;
		*out = reallocate(*out, length + hash_map_count(map) * ROW, 1);
		length += dump_list(map, *out + length);
	}
	return length;
}
