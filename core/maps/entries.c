// SPDX-License-Identifier: GPL-2.0
/* See entries.h. A hash table of pointers into blocks of entries, which never move. */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "entries.h"
#include "core/base/memory.h"

#define FIRST_ROOM 64 /* places in the table; a power of two */
#define BLOCK 1024    /* entries */

struct entries {
	size_t key_size;
	size_t value_size;
	size_t value_at;   /* in an entry, behind its key */
	size_t entry_size; /* a multiple of 8 */
	char **places;     /* [room]: entries, each at the first free place from its hash on; NULL: free */
	size_t room;
	size_t count;
	char **blocks;
	size_t block_count;
	size_t used;    /* entries of the last block that have been given out */
	char *returned; /* entries that have been removed, the first bytes of each are the next one's address */
};

static size_t align(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

struct entries *entries_new(size_t key_size, size_t value_size)
{
	struct entries *entries = allocate(1, sizeof(*entries));

	*entries = (struct entries){.key_size = key_size,
		.value_size = value_size,
		.value_at = align(key_size),
		.entry_size = align(key_size) + align(value_size),
		.places = allocate(FIRST_ROOM, sizeof(*entries->places)),
		.room = FIRST_ROOM,
		.used = BLOCK};
	return entries;
}

void entries_free(struct entries *entries)
{
	if (!entries)
		return;
	for (size_t i = 0; i < entries->block_count; i++)
		free(entries->blocks[i]);
	free(entries->blocks);
	free(entries->places);
	free(entries);
}

size_t entries_count(const struct entries *entries)
{
	return entries->count;
}

/* --- places */

/* Each bit of the key counts for the low bits of the hash: addresses differ in a few bytes only. */
static uint64_t mix(uint64_t hash)
{
	hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15;
	hash = (hash ^ hash >> 29) * 0xbf58476d1ce4e5b9;
	return hash ^ hash >> 32;
}

static size_t hash(const struct entries *entries, const char *key)
{
	uint64_t hash = 0, word;

	for (size_t i = 0; i < entries->key_size; i += sizeof(word)) {
		size_t left = entries->key_size - i;

		word = 0;
		memcpy(&word, key + i, left < sizeof(word) ? left : sizeof(word));
		hash = mix(hash ^ word);
	}
	return hash & (entries->room - 1);
}

/* Where the entry of a key is, or would be. */
static size_t place_of(const struct entries *entries, const char *key)
{
	size_t place = hash(entries, key);

	while (entries->places[place] && memcmp(entries->places[place], key, entries->key_size))
		place = (place + 1) & (entries->room - 1);
	return place;
}

static void grow(struct entries *entries)
{
	char **before = entries->places;
	size_t room = entries->room;

	entries->room = 2 * room;
	entries->places = allocate(entries->room, sizeof(*entries->places));
	for (size_t i = 0; i < room; i++)
		if (before[i])
			entries->places[place_of(entries, before[i])] = before[i];
	free(before);
}

/* Entries behind one that goes move up, unless they are where their hash wants them. */
static void close_gap(struct entries *entries, size_t gap)
{
	size_t mask = entries->room - 1;

	entries->places[gap] = NULL;
	for (size_t i = (gap + 1) & mask; entries->places[i]; i = (i + 1) & mask) {
		size_t wanted = hash(entries, entries->places[i]);

		if (((i - wanted) & mask) < ((i - gap) & mask))
			continue;
		entries->places[gap] = entries->places[i];
		entries->places[i] = NULL;
		gap = i;
	}
}

/* --- entries */

static char *take_entry(struct entries *entries)
{
	char *entry = entries->returned;

	if (entry) {
		memcpy(&entries->returned, entry, sizeof(char *));
		return entry;
	}
	if (entries->used == BLOCK) {
		entries->blocks = array_grow(entries->blocks, entries->block_count, sizeof(*entries->blocks));
		entries->blocks[entries->block_count++] = allocate(BLOCK, entries->entry_size);
		entries->used = 0;
	}
	return entries->blocks[entries->block_count - 1] + entries->entry_size * entries->used++;
}

void *entries_find(const struct entries *entries, const void *key)
{
	char *entry = entries->places[place_of(entries, key)];

	return entry ? entry + entries->value_at : NULL;
}

void entries_put(struct entries *entries, const void *key, const void *value)
{
	size_t place = place_of(entries, key);

	if (!entries->places[place]) {
		entries->places[place] = take_entry(entries);
		memcpy(entries->places[place], key, entries->key_size);
		entries->count++;
	}
	memcpy(entries->places[place] + entries->value_at, value, entries->value_size);
	if (2 * entries->count > entries->room)
		grow(entries);
}

void entries_remove(struct entries *entries, const void *key)
{
	size_t place = place_of(entries, key);
	char *entry = entries->places[place];

	if (!entry)
		return;
	close_gap(entries, place);
	memcpy(entry, &entries->returned, sizeof(char *));
	entries->returned = entry;
	entries->count--;
}

/* --- all of them */

bool entries_next(const struct entries *entries, size_t *cursor, struct pair *pair)
{
	while (*cursor < entries->room) {
		const char *entry = entries->places[(*cursor)++];

		if (!entry)
			continue;
		*pair = (struct pair){.key = entry, .value = entry + entries->value_at};
		return true;
	}
	return false;
}

static int compare(const void *a, const void *b, void *key_size)
{
	const struct pair *left = a, *right = b;

	return memcmp(left->key, right->key, *(size_t *)key_size);
}

void entries_sort(const struct entries *entries, struct pair *list, size_t count)
{
	size_t key_size = entries->key_size;

	if (count)
		qsort_r(list, count, sizeof(*list), compare, &key_size);
}

bool entries_same_value(const struct entries *entries, const void *a, const void *b)
{
	return !memcmp(a, b, entries->value_size);
}
