// SPDX-License-Identifier: GPL-2.0
/* See hash_map.h. An open-addressing table of pointers to entries. Entries lie in blocks and never move. */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "hash_map.h"
#include "core/base/memory.h"

#define FIRST_ROOM 64 /* size of the table; a power of two */
#define BLOCK 1024    /* entries in a block */

struct hash_map {
	size_t key_size;
	size_t value_size;
	size_t value_at;   /* offset of the value in an entry, after its key */
	size_t entry_size; /* a multiple of 8 */
	char **places;     /* [room]: pointers to entries, by linear probing from the hash of the key; NULL: free */
	size_t room;
	size_t count;
	char **blocks;
	size_t block_count;
	size_t used;    /* entries of the last block in use */
	char *returned; /* list of removed entries; each entry contains the address of the next */
};

static size_t align(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

struct hash_map *hash_map_new(size_t key_size, size_t value_size)
{
	struct hash_map *map = allocate(1, sizeof(*map));

	*map = (struct hash_map){.key_size = key_size,
		.value_size = value_size,
		.value_at = align(key_size),
		.entry_size = align(key_size) + align(value_size),
		.places = allocate(FIRST_ROOM, sizeof(*map->places)),
		.room = FIRST_ROOM,
		.used = BLOCK};
	return map;
}

void hash_map_free(struct hash_map *map)
{
	if (!map)
		return;
	for (size_t i = 0; i < map->block_count; i++)
		free(map->blocks[i]);
	free(map->blocks);
	free(map->places);
	free(map);
}

size_t hash_map_count(const struct hash_map *map)
{
	return map->count;
}

/* --- Table */

/* Mixes the key so that each of its bits changes the low bits of the hash: keys often differ in a few bytes only. */
static uint64_t mix(uint64_t hash)
{
	hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15;
	hash = (hash ^ hash >> 29) * 0xbf58476d1ce4e5b9;
	return hash ^ hash >> 32;
}

static size_t hash(const struct hash_map *map, const char *key)
{
	uint64_t hash = 0, word;

	for (size_t i = 0; i < map->key_size; i += sizeof(word)) {
		size_t left = map->key_size - i;

		word = 0;
		memcpy(&word, key + i, left < sizeof(word) ? left : sizeof(word));
		hash = mix(hash ^ word);
	}
	return hash & (map->room - 1);
}

/* The place of the entry with this key, or the free place for a new entry. */
static size_t place_of(const struct hash_map *map, const char *key)
{
	size_t place = hash(map, key);

	while (map->places[place] && memcmp(map->places[place], key, map->key_size))
		place = (place + 1) & (map->room - 1);
	return place;
}

static void grow(struct hash_map *map)
{
	char **before = map->places;
	size_t room = map->room;

	map->room = 2 * room;
	map->places = allocate(map->room, sizeof(*map->places));
	for (size_t i = 0; i < room; i++)
		if (before[i])
			map->places[place_of(map, before[i])] = before[i];
	free(before);
}

/* Fills a free place: moves later entries to earlier places, but no entry to a place before the one that its hash
 * selects. */
static void close_gap(struct hash_map *map, size_t gap)
{
	size_t mask = map->room - 1;

	map->places[gap] = NULL;
	for (size_t i = (gap + 1) & mask; map->places[i]; i = (i + 1) & mask) {
		size_t wanted = hash(map, map->places[i]);

		if (((i - wanted) & mask) < ((i - gap) & mask))
			continue;
		map->places[gap] = map->places[i];
		map->places[i] = NULL;
		gap = i;
	}
}

/* --- Entries */

static char *take_entry(struct hash_map *map)
{
	char *entry = map->returned;

	if (entry) {
		memcpy(&map->returned, entry, sizeof(char *));
		return entry;
	}
	if (map->used == BLOCK) {
		map->blocks = array_grow(map->blocks, map->block_count, sizeof(*map->blocks));
		map->blocks[map->block_count++] = allocate(BLOCK, map->entry_size);
		map->used = 0;
	}
	return map->blocks[map->block_count - 1] + map->entry_size * map->used++;
}

void *hash_map_find(const struct hash_map *map, const void *key)
{
	char *entry = map->places[place_of(map, key)];

	return entry ? entry + map->value_at : NULL;
}

void hash_map_put(struct hash_map *map, const void *key, const void *value)
{
	size_t place = place_of(map, key);

	if (!map->places[place]) {
		map->places[place] = take_entry(map);
		memcpy(map->places[place], key, map->key_size);
		map->count++;
	}
	memcpy(map->places[place] + map->value_at, value, map->value_size);
	if (2 * map->count > map->room)
		grow(map);
}

void hash_map_remove(struct hash_map *map, const void *key)
{
	size_t place = place_of(map, key);
	char *entry = map->places[place];

	if (!entry)
		return;
	close_gap(map, place);
	memcpy(entry, &map->returned, sizeof(char *));
	map->returned = entry;
	map->count--;
}

/* --- Traversal */

bool hash_map_next(const struct hash_map *map, size_t *cursor, struct hash_map_entry *pair)
{
	while (*cursor < map->room) {
		const char *entry = map->places[(*cursor)++];

		if (!entry)
			continue;
		*pair = (struct hash_map_entry){.key = entry, .value = entry + map->value_at};
		return true;
	}
	return false;
}

static int compare(const void *a, const void *b, void *key_size)
{
	const struct hash_map_entry *left = a, *right = b;

	return memcmp(left->key, right->key, *(size_t *)key_size);
}

void hash_map_sort(const struct hash_map *map, struct hash_map_entry *list, size_t count)
{
	size_t key_size = map->key_size;

	if (count)
		qsort_r(list, count, sizeof(*list), compare, &key_size);
}

bool hash_map_same_value(const struct hash_map *map, const void *a, const void *b)
{
	return !memcmp(a, b, map->value_size);
}
