// SPDX-License-Identifier: GPL-2.0
/* See prefix_lists.h. */
#include <string.h>
#include "core/base/memory.h"
#include "prefix_lists.h"

struct prefix_key prefix_of_source(const struct prefix_key *prefix, struct source_bits source)
{
	uint32_t bits = prefix_is_ipv4(prefix) ? PREFIX_MAPPED + source.ipv4 : source.ipv6;

	return prefix->bits > bits ? prefix_of(&prefix->address, bits) : *prefix;
}

void prefix_lists_add(struct prefix_lists *lists, uint32_t list, const struct prefix_key *prefixes, size_t prefix_count,
	struct source_bits source)
{
	lists->entries = reallocate(lists->entries, lists->count + prefix_count, sizeof(*lists->entries));
	for (size_t i = 0; i < prefix_count; i++)
		lists->entries[lists->count++] = (struct list_entry){prefix_of_source(&prefixes[i], source), list};
}

static int compare_prefixes(const struct prefix_key *a, const struct prefix_key *b)
{
	int order = memcmp(&a->address, &b->address, sizeof(a->address));

	return order ? order : (int)a->bits - (int)b->bits;
}

static int compare(const void *a, const void *b)
{
	const struct list_entry *first = a, *second = b;
	int order = compare_prefixes(&first->prefix, &second->prefix);

	return order ? order : (first->list > second->list) - (first->list < second->list);
}

void prefix_lists_sort(struct prefix_lists *lists)
{
	size_t kept = 0;

	if (!lists->count)
		return;
	qsort(lists->entries, lists->count, sizeof(*lists->entries), compare);
	for (size_t i = 0; i < lists->count; i++)
		if (!kept || compare_prefixes(&lists->entries[kept - 1].prefix, &lists->entries[i].prefix))
			lists->entries[kept++] = lists->entries[i];
	lists->count = kept;
}

void prefix_lists_free(struct prefix_lists *lists)
{
	free(lists->entries);
	*lists = (struct prefix_lists){0};
}

/* The index of the first entry that is not before this prefix. */
static size_t search(const struct prefix_lists *lists, const struct prefix_key *prefix)
{
	size_t low = 0, high = lists->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_prefixes(&lists->entries[middle].prefix, prefix) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct list_entry *find(const struct prefix_lists *lists, const struct prefix_key *prefix)
{
	size_t at = search(lists, prefix);

	if (at == lists->count || !prefix_equal(&lists->entries[at].prefix, prefix))
		return NULL;
	return &lists->entries[at];
}

const struct list_entry *prefix_lists_match(const struct prefix_lists *lists, const struct address *address)
{
	const struct list_entry *found = NULL;
	int shortest = address_is_ipv4(address) ? PREFIX_MAPPED : 0;

	for (int bits = PREFIX_BITS; bits >= shortest && !found; bits--) {
		const struct prefix_key prefix = prefix_of(address, bits);

		found = find(lists, &prefix);
	}
	return found;
}

const struct list_entry *prefix_lists_overlap(
	const struct prefix_lists *lists, const struct prefix_key *prefix, const bool *wanted)
{
	bool ipv4 = prefix_is_ipv4(prefix);

	/* The entries within this prefix, including the prefix itself, are consecutive. */
	for (size_t i = search(lists, prefix); i < lists->count; i++) {
		if (!prefix_contains(prefix, &lists->entries[i].prefix.address))
			break;
		if (wanted[lists->entries[i].list] && prefix_is_ipv4(&lists->entries[i].prefix) == ipv4)
			return &lists->entries[i];
	}
	for (uint32_t bits = ipv4 ? PREFIX_MAPPED : 0; bits < prefix->bits; bits++) {
		const struct prefix_key wider = prefix_of(&prefix->address, bits);
		const struct list_entry *found = find(lists, &wider);

		if (found && wanted[found->list])
			return found;
	}
	return NULL;
}
