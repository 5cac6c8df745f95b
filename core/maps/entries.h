/* SPDX-License-Identifier: GPL-2.0 */
/* The entries of a hash map of the kernel, as a value: keys and values of fixed sizes,
 * found by key. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entries;

struct pair {
	const void *key;
	const void *value;
};

/* None yet. Aborts when memory is out, as does all of this file. */
struct entries *entries_new(size_t key_size, size_t value_size);
void entries_free(struct entries *entries);

size_t entries_count(const struct entries *entries);

/* The value of a key, NULL if there is none. Both stay where they are until it is removed. */
void *entries_find(const struct entries *entries, const void *key);

/* Copies both; a key that is there gets the new value. */
void entries_put(struct entries *entries, const void *key, const void *value);

/* Nothing happens if the key is not there. */
void entries_remove(struct entries *entries, const void *key);

/* Goes through all of them in no particular order: `cursor` is 0 at first. False after the last. */
bool entries_next(const struct entries *entries, size_t *cursor, struct pair *pair);

/* Brings some of them into the order of the bytes of their keys. */
void entries_sort(const struct entries *entries, struct pair *list, size_t count);

/* Is the value the same, byte for byte? */
bool entries_same_value(const struct entries *entries, const void *a, const void *b);
