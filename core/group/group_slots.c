// SPDX-License-Identifier: GPL-2.0
/* See group_slots.h. */

#include <string.h>
#include "core/base/memory.h"
#include "group_private.h"
#include "group_slots.h"

#define WORDS_MAX (MAX_SLOTS / 64)
#define WORDS_KEPT (1 << 22) /* of one member: a broken member must not use up the memory */

/* A set of slots. */
struct slot_set {
	uint64_t *words; /* NULL: empty */
	size_t count;
	size_t used; /* words that are not 0 */
};

/* The phases of a pool's slots at one member. */
struct pool_slots {
	uint64_t wanted; /* fingerprint of the owners that it wants */
	struct slot_set sets[GROUP_PHASE_COUNT];
};

/* The phases of all slots of a member. */
struct slots_map {
	struct hash_map *pools; /* hash of a pool -> struct pool_slots */
	size_t words;
};

static const struct pool_slots no_slots;

/* --- sets of slots */

static uint64_t get_word(const struct slot_set *set, size_t number)
{
	return number < set->count ? set->words[number] : 0;
}

static void set_word(struct slots_map *map, struct slot_set *set, size_t number, uint64_t word)
{
	if (get_word(set, number) == word)
		return;
	if (number >= set->count) {
		if (map->words + number + 1 - set->count > WORDS_KEPT)
			return;
		map->words += number + 1 - set->count;
		set->words = reallocate(set->words, number + 1, sizeof(*set->words));
		memset(set->words + set->count, 0, (number + 1 - set->count) * sizeof(*set->words));
		set->count = number + 1;
	}
	set->used += (word != 0) - (set->words[number] != 0);
	set->words[number] = word;
	if (set->used)
		return;
	map->words -= set->count;
	free(set->words);
	*set = (struct slot_set){0};
}

/* `set` is empty. */
static void copy_set(struct slots_map *map, struct slot_set *set, const struct slot_set *from)
{
	for (size_t i = from->count; i-- > 0;) /* from the end: one allocation */
		set_word(map, set, i, from->words[i]);
}

static struct slots_map *slots_map_new(void)
{
	struct slots_map *map = allocate(1, sizeof(*map));

	map->pools = hash_map_new(sizeof(uint64_t), sizeof(struct pool_slots));
	return map;
}

void slots_map_free(struct slots_map *map)
{
	struct hash_map_entry entry;
	size_t cursor = 0;

	if (!map)
		return;
	while (hash_map_next(map->pools, &cursor, &entry))
		for (size_t phase = 0; phase < GROUP_PHASE_COUNT; phase++)
			free(((const struct pool_slots *)entry.value)->sets[phase].words);
	hash_map_free(map->pools);
	free(map);
}

static const struct pool_slots *find_slots(const struct slots_map *map, uint64_t pool)
{
	return map ? hash_map_find(map->pools, &pool) ?: &no_slots : &no_slots;
}

/* NULL: no room. */
static struct pool_slots *make_slots(struct slots_map **map, uint64_t pool)
{
	*map = *map ?: slots_map_new();
	if (!hash_map_find((*map)->pools, &pool) && hash_map_count((*map)->pools) < MAX_POOLS)
		hash_map_put((*map)->pools, &pool, &no_slots);
	return hash_map_find((*map)->pools, &pool);
}

/* --- messages that arrive */

void members_forget_slots(struct members *members, struct place *place)
{
	slots_map_free(place->slots);
	slots_map_free(place->slots_set);
	place->slots = place->slots_set = NULL;
	members->slots_version++;
}

/* Returns true if a slot may continue. */
static bool take_words(struct slots_map **map, const struct group_message *message)
{
	struct pool_slots *slots = make_slots(map, message->words.pool);
	bool changed;

	if (!slots)
		return false;
	changed = slots->wanted != message->words.wanted;
	slots->wanted = message->words.wanted;
	for (size_t i = 0; i < message->count; i++) {
		struct slot_set *set = &slots->sets[message->words.phase];
		size_t number;
		uint64_t word = group_message_word(message, i, &number);

		if (number >= WORDS_MAX)
			continue;
		changed |= get_word(set, number) != word;
		set_word(*map, set, number, word);
	}
	return changed;
}

/* A complete set replaces what was known of the member. */
void members_take_slots(struct members *members, struct place *place, const struct group_message *message)
{
	if (message->flags & GROUP_FIRST) {
		slots_map_free(place->slots_set);
		place->slots_set = slots_map_new();
	}
	if (message->words.pool && message->words.phase < GROUP_PHASE_COUNT) {
		place->slots_changed |= take_words(&place->slots, message);
		if (place->slots_set)
			take_words(&place->slots_set, message);
	}
	if (!(message->flags & GROUP_MORE)) {
		members->slots_version += place->slots_changed;
		place->slots_changed = false;
	}
	if (place->slots_set && message->flags & GROUP_LAST) {
		slots_map_free(place->slots);
		place->slots = place->slots_set;
		place->slots_set = NULL;
		members->slots_version++;
	}
	members_note_set(place, GROUP_SET_SLOTS, message->flags);
}

/* --- sending */

/* Sends the words of a phase that differ from `before`. Returns true if there are any. */
static bool send_phase(
	struct group *group, const struct group_words *words, const struct slot_set *set, const struct slot_set *before)
{
	size_t most = set->count > before->count ? set->count : before->count, count = 0, length = 0;
	uint8_t message[GROUP_MESSAGE_SIZE];
	bool any = false;

	for (size_t i = 0; i < most; i++) {
		if (get_word(set, i) == get_word(before, i))
			continue;
		if (!count)
			length = group_encode_words(words, GROUP_MORE, message);
		length = group_append_word(length, i, get_word(set, i), message);
		any = true;
		if (++count < GROUP_WORDS_MAX)
			continue;
		group->send(message, length, group->data);
		count = 0;
	}
	if (count)
		group->send(message, length, group->data);
	return any;
}

/* The fingerprint comes last: the others must not believe that this member wants the same as they do before they know
 * all slots that it has begun to record. */
static void send_slots(
	struct group *group, uint64_t pool, const struct pool_slots *slots, const struct pool_slots *before)
{
	struct group_words words = {.pool = pool, .wanted = before->wanted};
	bool any = slots->wanted != before->wanted;
	uint8_t message[GROUP_MESSAGE_SIZE];

	for (words.phase = 0; words.phase < GROUP_PHASE_COUNT; words.phase++)
		any |= send_phase(group, &words, &slots->sets[words.phase], &before->sets[words.phase]);
	words = (struct group_words){.pool = pool, .wanted = slots->wanted};
	if (any)
		group->send(message, group_encode_words(&words, 0, message), group->data);
}

static void send_bound(struct group *group, uint16_t flags)
{
	uint8_t message[GROUP_MESSAGE_SIZE];

	group->send(message, group_encode_words(&(struct group_words){0}, flags, message), group->data);
}

void group_send_slots(struct group *group)
{
	struct hash_map_entry entry;
	size_t cursor = 0;

	send_bound(group, GROUP_FIRST);
	while (group->own_slots && hash_map_next(group->own_slots->pools, &cursor, &entry))
		send_slots(group, *(const uint64_t *)entry.key, entry.value, &no_slots);
	send_bound(group, GROUP_LAST);
}

static uint64_t own_word(const struct migration_phases *phases, enum group_phase phase, size_t number)
{
	if (phase == GROUP_RECORDING)
		return phases->recording[number];
	return phases->moving[number] & (phase == GROUP_HELD ? ~phases->unknown[number] : UINT64_MAX);
}

static void set_own_words(struct slots_map *map, struct slot_set *set, const struct migration_phases *phases,
	enum group_phase phase, size_t count)
{
	for (size_t i = count > set->count ? count : set->count; i-- > 0;) /* from the end: one allocation */
		set_word(map, set, i, phases && i < count ? own_word(phases, phase, i) : 0);
}

void group_set_phases(
	struct group *group, uint64_t pool, uint64_t wanted, const struct migration_phases *phases, size_t words)
{
	struct pool_slots *slots = make_slots(&group->own_slots, pool);
	struct slots_map *before = NULL;
	struct pool_slots *copy;

	if (!slots)
		return;
	copy = make_slots(&before, pool);
	copy->wanted = slots->wanted;
	slots->wanted = wanted;
	for (size_t phase = 0; phase < GROUP_PHASE_COUNT; phase++) {
		copy_set(before, &copy->sets[phase], &slots->sets[phase]);
		set_own_words(group->own_slots, &slots->sets[phase], phases, phase, words);
	}
	if (members_find(&group->members, group->self))
		send_slots(group, pool, slots, copy);
	slots_map_free(before);
}

static bool is_in(const uint64_t *pools, size_t count, uint64_t pool)
{
	for (size_t i = 0; i < count; i++)
		if (pools[i] == pool)
			return true;
	return false;
}

/* A pool that is not in the list; 0: none. */
static uint64_t find_other(const struct slots_map *map, const uint64_t *pools, size_t count)
{
	struct hash_map_entry entry;
	size_t cursor = 0;

	while (map && hash_map_next(map->pools, &cursor, &entry))
		if (!is_in(pools, count, *(const uint64_t *)entry.key))
			return *(const uint64_t *)entry.key;
	return 0;
}

void group_keep_phases(struct group *group, const uint64_t *pools, size_t count)
{
	uint64_t pool;

	while ((pool = find_other(group->own_slots, pools, count))) {
		group_set_phases(group, pool, 0, NULL, 0);
		hash_map_remove(group->own_slots->pools, &pool);
	}
}

/* --- the phases at all members */

/* Removes the slots that are not migrating at a member. A member that does not agree may end them at any time. */
static void keep_begun(uint64_t *begun, size_t words, const struct group_member *member, const struct pool_slots *slots)
{
	for (size_t i = 0; i < words; i++)
		begun[i] &= member->hello.state == GROUP_AGREEING ? get_word(&slots->sets[GROUP_MOVING], i) : 0;
}

static void add_set(uint64_t *out, size_t words, const struct slot_set *set)
{
	for (size_t i = 0; i < words && i < set->count; i++)
		out[i] |= set->words[i];
}

/* Adds the slots whose unknown calls the member sends to the previous owners. */
static void add_unknown(uint64_t *out, size_t words, const struct pool_slots *slots)
{
	for (size_t i = 0; i < words && i < slots->sets[GROUP_MOVING].count; i++)
		out[i] |= slots->sets[GROUP_MOVING].words[i] & ~get_word(&slots->sets[GROUP_HELD], i);
}

uint64_t group_phases(
	const struct group *group, uint64_t pool, size_t words, const struct migration_phases *out, uint64_t *begun)
{
	const struct members *members = &group->members;
	const struct pool_slots *first = NULL;
	bool differ = false;

	memset(out->recording, 0, words * sizeof(*out->recording));
	memset(out->moving, 0, words * sizeof(*out->moving));
	memset(out->unknown, 0, words * sizeof(*out->unknown));
	memset(begun, 0xff, words * sizeof(*begun));
	for (size_t i = 0; i < members->count; i++) {
		const struct pool_slots *slots = find_slots(members->places[members->order[i]].slots, pool);

		if (!group_member_counts(group_member_at(group, i)))
			continue;
		first = first ?: slots;
		differ |= slots->wanted != first->wanted;
		add_set(out->recording, words, &slots->sets[GROUP_RECORDING]);
		add_set(out->moving, words, &slots->sets[GROUP_MOVING]);
		add_unknown(out->unknown, words, slots);
		keep_begun(begun, words, group_member_at(group, i), slots);
	}
	return first && !differ ? first->wanted : 0;
}

bool group_phases_of_others(const struct group *group, uint64_t pool, size_t words, uint64_t *out)
{
	const struct members *members = &group->members;
	bool any_agrees = false;

	memset(out, 0, words * sizeof(*out));
	for (size_t i = 0; i < members->count; i++) {
		const struct group_member *member = group_member_at(group, i);
		const struct pool_slots *slots = find_slots(members->places[members->order[i]].slots, pool);

		if (!group_member_counts(member) || group_id_equal(member->id, group->self))
			continue;
		any_agrees |= member->hello.state == GROUP_AGREEING;
		add_set(out, words, &slots->sets[GROUP_MOVING]);
	}
	return any_agrees;
}

uint64_t group_phases_version(const struct group *group)
{
	return group->members.slots_version;
}

enum group_wait group_member_wait(const struct group *group, size_t index, uint64_t pool)
{
	const struct pool_slots *self = find_slots(group->own_slots, pool), *slots;
	enum group_wait wait = GROUP_WAIT_NONE;

	if (index >= group->members.count || !group_member_counts(group_member_at(group, index)))
		return wait;
	slots = find_slots(group->members.places[group->members.order[index]].slots, pool);
	for (size_t i = 0; i < self->sets[GROUP_MOVING].count; i++) {
		uint64_t recorded = self->sets[GROUP_MOVING].words[i] & ~get_word(&self->sets[GROUP_RECORDING], i);

		if (recorded & get_word(&slots->sets[GROUP_RECORDING], i))
			return GROUP_WAIT_RECORDS;
		if (slots->wanted != self->wanted && recorded & ~get_word(&slots->sets[GROUP_MOVING], i))
			wait = GROUP_WAIT_DIFFERS;
	}
	return wait;
}

/* --- comparing members */

static size_t put(uint8_t **out, size_t length, const void *bytes, size_t count)
{
	*out = reallocate(*out, length + count, 1);
	memcpy(*out + length, bytes, count);
	return length + count;
}

static size_t dump_pool(uint64_t pool, const struct pool_slots *slots, uint8_t **out, size_t length)
{
	length = put(out, length, &pool, sizeof(pool));
	length = put(out, length, &slots->wanted, sizeof(slots->wanted));
	for (size_t phase = 0; phase < GROUP_PHASE_COUNT; phase++)
		for (size_t i = 0; i < slots->sets[phase].count; i++)
			if (slots->sets[phase].words[i]) {
				length = put(out, length, &i, sizeof(i));
				length = put(out, length, &slots->sets[phase].words[i], sizeof(uint64_t));
			}
	return length;
}

static size_t dump_member(const struct slots_map *map, uint8_t **out, size_t length)
{
	size_t count = hash_map_count(map->pools), cursor = 0;
	struct hash_map_entry *list = allocate(count, sizeof(*list));

	for (size_t i = 0; i < count; i++)
		hash_map_next(map->pools, &cursor, &list[i]);
	hash_map_sort(map->pools, list, count);
	for (size_t i = 0; i < count; i++)
		length = dump_pool(*(const uint64_t *)list[i].key, list[i].value, out, length);
	free(list);
	return length;
}

size_t members_dump_slots(const struct members *members, uint8_t **out, size_t length)
{
	for (size_t i = 0; i < members->count; i++) {
		const struct place *place = &members->places[members->order[i]];

		length = put(out, length, &place->member.id, sizeof(place->member.id));
		if (place->slots)
			length = dump_member(place->slots, out, length);
	}
	return length;
}
