/* SPDX-License-Identifier: GPL-2.0 */
/* The prefixes of all lists of a configuration, merged into one sorted array: the content of the trie in the map
 * guard_prefixes. No I/O. All functions of this file abort when memory is exhausted. */
#pragma once

#include "core/net/prefix.h"

/* An IPv6 prefix such as ::/0 does not contain IPv4 addresses. */
struct list_entry {
	struct prefix_key prefix;
	uint32_t list; /* index of the list in the configuration */
};

struct prefix_lists {
	struct list_entry *entries; /* sorted by address, then by length; no prefix occurs twice */
	size_t count;
};

/* The length of the prefix that counts as one source: `guard: source:`. */
struct source_bits {
	uint8_t ipv4; /* 0 to 32 */
	uint8_t ipv6; /* 0 to 128 */
};

/* Returns the prefix; if it is longer than a source, returns the source that contains it. All addresses of one source
 * are on the same list. */
struct prefix_key prefix_of_source(const struct prefix_key *prefix, struct source_bits source);

/* Appends the prefixes of one list. Call prefix_lists_sort() after the last one. */
void prefix_lists_add(struct prefix_lists *lists, uint32_t list, const struct prefix_key *prefixes, size_t prefix_count,
	struct source_bits source);

/* Sorts the entries, and removes duplicates: a prefix on several lists stays on the first of them. */
void prefix_lists_sort(struct prefix_lists *lists);

void prefix_lists_free(struct prefix_lists *lists);

/* The entry with the longest prefix that contains the address; NULL if there is none. */
const struct list_entry *prefix_lists_match(const struct prefix_lists *lists, const struct address *address);

/* Returns an entry that overlaps this prefix (one of them contains the other) and whose list is true in `wanted`. NULL
 * if there is none. */
const struct list_entry *prefix_lists_overlap(
	const struct prefix_lists *lists, const struct prefix_key *prefix, const bool *wanted);
