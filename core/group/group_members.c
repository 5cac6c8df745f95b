// SPDX-License-Identifier: GPL-2.0
/* The members of a group and their votes. See group.h. */

#include <string.h>
#include "core/base/memory.h"
#include "group_private.h"

#define LINES_KEPT 1000000 /* of one member: a broken member must not use up the memory */

/* --- members */

static int compare_ids(struct group_id a, struct group_id b)
{
	if (a.node != b.node)
		return a.node < b.node ? -1 : 1;
	return (a.pid > b.pid) - (a.pid < b.pid);
}

bool group_id_equal(struct group_id a, struct group_id b)
{
	return compare_ids(a, b) == 0;
}

struct place *members_find(struct members *members, struct group_id id)
{
	for (size_t i = 0; i < members->count; i++) {
		struct place *place = &members->places[members->order[i]];

		if (group_id_equal(place->member.id, id))
			return place;
	}
	return NULL;
}

static void set_vote(
	struct members *members, size_t place, const struct group_key *key, struct ballot *ballot, enum group_vote vote)
{
	struct group_member *member = &members->places[place].member;
	struct pool_ups *pool = hash_map_find(members->pools, &key->pool);
	bool was_up = ballot->votes[place] == GROUP_VOTE_UP, was_down = ballot->votes[place] == GROUP_VOTE_DOWN;
	int up = (vote == GROUP_VOTE_UP) - was_up, down = (vote == GROUP_VOTE_DOWN) - was_down;

	ballot->votes[place] = vote;
	pool->ups[place] += up;
	member->up += up;
	member->down += down;
}

static void forget_votes(struct members *members, size_t index)
{
	struct hash_map_entry entry;
	size_t cursor = 0;

	while (hash_map_next(members->ballots, &cursor, &entry))
		set_vote(members, index, entry.key, (struct ballot *)entry.value, GROUP_VOTE_UNKNOWN);
	members->places[index].votes_began = false;
	members->places[index].member.complete = false;
}

static void remove_place(struct members *members, size_t index)
{
	struct place *place = &members->places[index];

	forget_votes(members, index);
	free(place->lines);
	free(place->member.lines);
	*place = (struct place){0};
}

/* Members beyond GROUP_MEMBERS_MAX are ignored. */
static void add_place(struct members *members, struct group_id id, uint64_t now)
{
	size_t index = 0, at = members->count;

	while (index < GROUP_MEMBERS_MAX && members->places[index].used)
		index++;
	if (index == GROUP_MEMBERS_MAX)
		return;
	members->places[index] = (struct place){.used = true, .member = {.id = id, .since = now, .heard = now}};
	for (; at && compare_ids(members->places[members->order[at - 1]].member.id, id) > 0; at--)
		members->order[at] = members->order[at - 1];
	members->order[at] = index;
	members->count++;
}

static bool contains(const struct group_id *ids, size_t count, struct group_id id)
{
	for (size_t i = 0; i < count; i++)
		if (group_id_equal(ids[i], id))
			return true;
	return false;
}

void members_set(struct members *members, const struct group_id *ids, size_t count, const struct group_id *joined,
	size_t joined_count, uint64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < members->count; i++) {
		size_t index = members->order[i];
		struct group_id id = members->places[index].member.id;

		if (contains(ids, count, id) && !contains(joined, joined_count, id))
			members->order[kept++] = index;
		else
			remove_place(members, index);
	}
	members->count = kept;
	for (size_t i = 0; i < count; i++)
		if (!members_find(members, ids[i]))
			add_place(members, ids[i], now);
}

void members_begin(struct members *members)
{
	members->ballots = hash_map_new(sizeof(struct group_key), sizeof(struct ballot));
	members->pools = hash_map_new(sizeof(uint64_t), sizeof(struct pool_ups));
}

void members_end(struct members *members)
{
	for (size_t i = 0; i < GROUP_MEMBERS_MAX; i++) {
		free(members->places[i].lines);
		free(members->places[i].member.lines);
	}
	hash_map_free(members->ballots);
	hash_map_free(members->pools);
}

void members_silence(struct members *members, struct group_id id)
{
	struct place *place = members_find(members, id);

	if (!place)
		return;
	forget_votes(members, place - members->places);
	place->member.is_silent = true;
}

/* --- sets that arrive */

static struct ballot *make_ballot(struct members *members, const struct group_key *key)
{
	if (!hash_map_find(members->pools, &key->pool))
		hash_map_put(members->pools, &key->pool, &(struct pool_ups){0});
	hash_map_put(members->ballots, key, &(struct ballot){0});
	return hash_map_find(members->ballots, key);
}

void members_take_votes(struct members *members, struct place *place, const struct group_message *message)
{
	for (size_t i = 0; i < message->count; i++) {
		enum group_vote vote;
		struct group_key key = group_message_vote(message, i, &vote);
		struct ballot *ballot = hash_map_find(members->ballots, &key);

		if (!ballot && vote != GROUP_VOTE_UNKNOWN)
			ballot = make_ballot(members, &key);
		if (ballot)
			set_vote(members, place - members->places, &key, ballot, vote);
	}
	place->votes_began |= message->flags & GROUP_FIRST;
	place->member.complete |= place->votes_began && message->flags & GROUP_LAST;
	place->member.is_silent &= !place->member.complete;
}

void members_take_lines(struct place *place, const struct group_message *message)
{
	if (message->flags & GROUP_FIRST) {
		place->lines_began = true;
		place->line_count = 0;
	}
	if (!place->lines_began || place->line_count + message->count > LINES_KEPT)
		return;
	place->lines = reallocate(place->lines, place->line_count + message->count, sizeof(*place->lines));
	for (size_t i = 0; i < message->count; i++)
		place->lines[place->line_count++] = group_message_line(message, i);
	if (!(message->flags & GROUP_LAST))
		return;
	free(place->member.lines);
	place->member.lines = place->lines;
	place->member.line_count = place->line_count;
	place->lines = NULL;
	place->line_count = 0;
	place->lines_began = false;
}

/* --- reports */

const struct group_member *group_member_at(const struct group *group, size_t index)
{
	const struct members *members = &group->members;

	return index < members->count ? &members->places[members->order[index]].member : NULL;
}

enum group_vote group_member_vote(const struct group *group, size_t index, const struct group_key *key)
{
	const struct members *members = &group->members;
	const struct ballot *ballot = hash_map_find(members->ballots, key);

	return ballot && index < members->count ? ballot->votes[members->order[index]] : GROUP_VOTE_UNKNOWN;
}

/* Writes the votes of all members about a backend. Returns false if there is none. */
static bool dump_ballot(const struct members *members, const struct hash_map_entry *entry, uint8_t *out)
{
	const struct ballot *ballot = entry->value;
	bool any = false;

	memcpy(out, entry->key, sizeof(struct group_key));
	for (size_t i = 0; i < members->count; i++) {
		out[sizeof(struct group_key) + i] = ballot->votes[members->order[i]];
		any |= ballot->votes[members->order[i]] != GROUP_VOTE_UNKNOWN;
	}
	return any;
}

size_t group_dump(const struct group *group, uint8_t **out)
{
	const struct members *members = &group->members;
	size_t count = hash_map_count(members->ballots), row = sizeof(struct group_key) + members->count;
	struct hash_map_entry *list = allocate(count, sizeof(*list));
	size_t cursor = 0, length = 0;
	uint8_t *bytes = allocate(members->count * (sizeof(struct group_id) + 1) + count * row, 1);

	for (size_t i = 0; i < members->count; i++) {
		const struct group_member *member = group_member_at(group, i);

		memcpy(bytes + length, &member->id, sizeof(member->id));
		length += sizeof(member->id);
		bytes[length++] = member->complete;
	}
	for (size_t i = 0; i < count; i++)
		hash_map_next(members->ballots, &cursor, &list[i]);
	hash_map_sort(members->ballots, list, count);
	for (size_t i = 0; i < count; i++)
		length += dump_ballot(members, &list[i], bytes + length) ? row : 0;
	free(list);
	*out = bytes;
	return length;
}
