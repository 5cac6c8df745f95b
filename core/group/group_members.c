// SPDX-License-Identifier: GPL-2.0
/* The members of a group and their votes. See group.h. */

#include <string.h>
#include "core/base/memory.h"
#include "group_private.h"

/* Of one member: a broken member must not use up the memory. */
#define LINES_KEPT 1000000
#define VOTES_KEPT MAX_BACKENDS

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

/* A pool without a vote for up has no entry. */
static void count_ups(struct members *members, uint64_t pool, size_t place, int change)
{
	static const struct pool_ups none;
	struct pool_ups *entry = hash_map_find(members->pools, &pool);

	if (!change)
		return;
	if (!entry) {
		hash_map_put(members->pools, &pool, &none);
		entry = hash_map_find(members->pools, &pool);
	}
	entry->ups[place] += change;
	if (!memcmp(entry, &none, sizeof(none)))
		hash_map_remove(members->pools, &pool);
}

/* The ballot of a backend. If there is none, a new one for a vote that is not unknown; NULL: no room for it. */
static struct ballot *take_ballot(
	struct members *members, const struct group_member *member, const struct group_key *key, enum group_vote vote)
{
	static const struct ballot none;
	struct ballot *ballot = hash_map_find(members->ballots, key);

	if (ballot || vote == GROUP_VOTE_UNKNOWN || member->up + member->down >= VOTES_KEPT)
		return ballot;
	hash_map_put(members->ballots, key, &none);
	return hash_map_find(members->ballots, key);
}

/* A backend without votes has no ballot. */
static void set_vote(struct members *members, size_t place, const struct group_key *key, enum group_vote vote)
{
	static const struct ballot none;
	struct group_member *member = &members->places[place].member;
	struct ballot *ballot = take_ballot(members, member, key, vote);
	int up, down;

	if (!ballot)
		return;
	up = group_vote_is_up(vote) - group_vote_is_up(ballot->votes[place]);
	down = (vote == GROUP_VOTE_DOWN) - (ballot->votes[place] == GROUP_VOTE_DOWN);
	ballot->votes[place] = vote;
	member->up += up;
	member->down += down;
	count_ups(members, key->pool, place, up);
	if (!memcmp(ballot, &none, sizeof(none)))
		hash_map_remove(members->ballots, key);
}

/* Forgets the votes of a member, except for these backends. */
static void forget_votes(struct members *members, size_t index, const struct hash_map *except)
{
	size_t count = hash_map_count(members->ballots), cursor = 0;
	struct group_key *keys = allocate(count, sizeof(*keys));
	struct hash_map_entry entry;

	for (size_t i = 0; hash_map_next(members->ballots, &cursor, &entry); i++)
		keys[i] = *(const struct group_key *)entry.key;
	for (size_t i = 0; i < count; i++)
		if (!except || !hash_map_find(except, &keys[i]))
			set_vote(members, index, &keys[i], GROUP_VOTE_UNKNOWN);
	free(keys);
}

static void forget_sets(struct members *members, size_t index)
{
	struct place *place = &members->places[index];

	forget_votes(members, index, NULL);
	hash_map_free(place->set);
	place->set = NULL;
	members_forget_slots(members, place);
	members_forget_drained(place);
	place->begun &= GROUP_SET_CHANGES;
	place->member.sets &= GROUP_SET_CHANGES;
}

static void free_place(struct members *members, struct place *place)
{
	hash_map_free(place->set);
	members_forget_slots(members, place);
	members_forget_drained(place);
	free(place->lines);
	free(place->member.lines);
	free(place->shared_bytes);
}

static void remove_place(struct members *members, size_t index)
{
	struct place *place = &members->places[index];

	forget_sets(members, index);
	free_place(members, place);
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

bool members_remain(const struct members *members, const struct group_id *ids, size_t count)
{
	for (size_t i = 0; i < members->count; i++)
		if (!contains(ids, count, members->places[members->order[i]].member.id))
			return false;
	return true;
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
	for (size_t i = 0; i < GROUP_MEMBERS_MAX; i++)
		free_place(members, &members->places[i]);
	hash_map_free(members->ballots);
	hash_map_free(members->pools);
}

void members_silence(struct members *members, struct group_id id)
{
	struct place *place = members_find(members, id);

	if (!place)
		return;
	forget_sets(members, place - members->places);
	place->member.is_silent = true;
}

/* --- sets that arrive */

void members_note_set(struct place *place, enum group_set set, uint16_t flags)
{
	if (flags & GROUP_FIRST)
		place->begun |= set;
	if (flags & GROUP_LAST)
		place->member.sets |= place->begun & set;
	if ((place->member.sets & GROUP_SETS_NEEDED) == GROUP_SETS_NEEDED)
		place->member.is_silent = false;
}

void members_take_votes(struct members *members, struct place *place, const struct group_message *message)
{
	const size_t index = place - members->places;

	if (message->flags & GROUP_FIRST) {
		members_forget_drained(place);
		hash_map_free(place->set);
		place->set = hash_map_new(sizeof(struct group_key), sizeof(uint8_t));
	}
	for (size_t i = 0; i < message->count; i++) {
		enum group_vote vote;
		struct group_key key = group_message_vote(message, i, &vote);

		set_vote(members, index, &key, vote);
		if (place->set && hash_map_count(place->set) < VOTES_KEPT)
			hash_map_put(place->set, &key, &(uint8_t){true});
	}
	if (place->set && message->flags & GROUP_LAST) {
		forget_votes(members, index, place->set);
		hash_map_free(place->set);
		place->set = NULL;
	}
	members_note_set(place, GROUP_SET_VOTES, message->flags);
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

const struct group_member *group_member_after(const struct group *group, struct group_id id)
{
	const struct group_member *member;

	for (size_t i = 0; (member = group_member_at(group, i)); i++)
		if (group_member_counts(member) && !group_id_equal(member->id, group->self) &&
			compare_ids(member->id, id) > 0)
			return member;
	return NULL;
}

enum group_vote group_member_vote(const struct group *group, size_t index, const struct group_key *key)
{
	const struct members *members = &group->members;
	const struct ballot *ballot = hash_map_find(members->ballots, key);

	return ballot && index < members->count ? ballot->votes[members->order[index]] : GROUP_VOTE_UNKNOWN;
}

/* Writes the votes of all members about a backend. */
static void dump_ballot(const struct members *members, const struct hash_map_entry *entry, uint8_t *out)
{
	const struct ballot *ballot = entry->value;

	memcpy(out, entry->key, sizeof(struct group_key));
	for (size_t i = 0; i < members->count; i++)
		out[sizeof(struct group_key) + i] = ballot->votes[members->order[i]];
}

size_t group_dump(const struct group *group, uint8_t **out)
{
	const struct members *members = &group->members;
	size_t count = hash_map_count(members->ballots), row = sizeof(struct group_key) + members->count;
	struct hash_map_entry *list = allocate(count, sizeof(*list));
	const uint64_t applied = group->changes.applied;
	size_t cursor = 0, length = sizeof(applied);
	uint8_t *bytes = allocate(sizeof(applied) + members->count * (sizeof(struct group_id) + 1) + count * row, 1);

	memcpy(bytes, &applied, sizeof(applied));
	for (size_t i = 0; i < members->count; i++) {
		const struct group_member *member = group_member_at(group, i);

		memcpy(bytes + length, &member->id, sizeof(member->id));
		length += sizeof(member->id);
		bytes[length++] = member->sets & ~GROUP_SET_CHANGES; /* not sent to all */
	}
	for (size_t i = 0; i < count; i++)
		hash_map_next(members->ballots, &cursor, &list[i]);
	hash_map_sort(members->ballots, list, count);
	for (size_t i = 0; i < count; i++, length += row)
		dump_ballot(members, &list[i], bytes + length);
	free(list);
	*out = bytes;
	length = members_dump_slots(members, out, length);
	return members_dump_drained(members, out, length);
}
