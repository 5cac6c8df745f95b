/* SPDX-License-Identifier: GPL-2.0 */
/* The entries of a hash map of the kernel, as a value: keys and values of fixed sizes,
 * found by key. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_map;

struct hash_map_entry {
	const void *key;
	const void *value;
};

/* None yet. Aborts when memory is out, as does all of this file. */
struct hash_map *hash_map_new(size_t key_size, size_t value_size);
void hash_map_free(struct hash_map *map);

size_t hash_map_count(const struct hash_map *map);

/* The value of a key, NULL if there is none. Both stay where they are until it is removed. */
void *hash_map_find(const struct hash_map *map, const void *key);

/* Copies both; a key that is there gets the new value. */
void hash_map_put(struct hash_map *map, const void *key, const void *value);

/* Nothing happens if the key is not there. */
void hash_map_remove(struct hash_map *map, const void *key);

/* Goes through all of them in no particular order: `cursor` is 0 at first. False after the last. */
bool hash_map_next(const struct hash_map *map, size_t *cursor, struct hash_map_entry *pair);

/* Brings some of them into the order of the bytes of their keys. */
void hash_map_sort(const struct hash_map *map, struct hash_map_entry *list, size_t count);

/* Is the value the same, byte for byte? */
bool hash_map_same_value(const struct hash_map *map, const void *a, const void *b);
