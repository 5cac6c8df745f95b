/* SPDX-License-Identifier: GPL-2.0 */
/* The entries of a hash map of the kernel, as a value: keys and values of fixed sizes,
 * found by key, listed in the order of their bytes. Pure. */
#pragma once

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

/* The value of a key, NULL if there is none. Valid until it is removed. */
void *entries_find(const struct entries *entries, const void *key);

/* Copies both; a key that is there gets the new value. */
void entries_put(struct entries *entries, const void *key, const void *value);

/* Nothing happens if the key is not there. */
void entries_remove(struct entries *entries, const void *key);

/* All of them, entries_count of them, to be freed. */
struct pair *entries_list(const struct entries *entries);

/* Is the value the same, byte for byte? */
int entries_same_value(const struct entries *entries, const void *a, const void *b);
