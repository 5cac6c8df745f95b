/* SPDX-License-Identifier: GPL-2.0 */
/* A hash map of fixed-size keys and values: a user-space copy of a BPF hash map. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_map;

struct hash_map_entry {
	const void *key;
	const void *value;
};

/* Returns an empty map. All functions of this file abort when memory is exhausted. */
struct hash_map *hash_map_new(size_t key_size, size_t value_size);
void hash_map_free(struct hash_map *map);

size_t hash_map_count(const struct hash_map *map);

/* The value of a key, or NULL. The pointers to key and value stay valid until the entry is removed. */
void *hash_map_find(const struct hash_map *map, const void *key);

/* Adds copies of key and value, or replaces the value of an existing key. */
void hash_map_put(struct hash_map *map, const void *key, const void *value);

/* Does nothing if the key does not exist. */
void hash_map_remove(struct hash_map *map, const void *key);

/* Yields all entries in no particular order. Set `*cursor` to 0 before the first call. Returns false after the last
 * entry. */
bool hash_map_next(const struct hash_map *map, size_t *cursor, struct hash_map_entry *pair);

/* Sorts a list of this map's entries by the bytes of their keys. */
void hash_map_sort(const struct hash_map *map, struct hash_map_entry *list, size_t count);

/* Are two values of this map equal, byte for byte? */
bool hash_map_same_value(const struct hash_map *map, const void *a, const void *b);
