// SPDX-License-Identifier: GPL-2.0
/* See entries.h. A balanced tree, that of search.h. */

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include "entries.h"
#include "memory.h"

struct node {
	size_t key_size; /* the compare function is told nothing else */
	const void *key;
	void *value;
	uint64_t bytes[]; /* of both, where the node has its own */
};

struct entries {
	size_t key_size;
	size_t value_size;
	void *root;
	size_t count;
};

struct entries *entries_new(size_t key_size, size_t value_size)
{
	struct entries *entries = allocate(1, sizeof(*entries));

	*entries = (struct entries){.key_size = key_size, .value_size = value_size};
	return entries;
}

void entries_free(struct entries *entries)
{
	if (!entries)
		return;
	tdestroy(entries->root, free);
	free(entries);
}

size_t entries_count(const struct entries *entries)
{
	return entries->count;
}

static int compare(const void *a, const void *b)
{
	const struct node *left = a, *right = b;

	return memcmp(left->key, right->key, left->key_size);
}

static struct node *find(const struct entries *entries, const void *key)
{
	const struct node wanted = {.key_size = entries->key_size, .key = key};
	struct node **found = tfind(&wanted, &entries->root, compare);

	return found ? *found : NULL;
}

void *entries_find(const struct entries *entries, const void *key)
{
	struct node *node = find(entries, key);

	return node ? node->value : NULL;
}

static struct node *new_node(const struct entries *entries, const void *key, const void *value)
{
	size_t value_at = (entries->key_size + 7) & ~(size_t)7;
	struct node *node = allocate(1, sizeof(*node) + value_at + entries->value_size);
	char *bytes = (char *)node->bytes;

	node->key_size = entries->key_size;
	node->key = memcpy(bytes, key, entries->key_size);
	node->value = memcpy(bytes + value_at, value, entries->value_size);
	return node;
}

void entries_put(struct entries *entries, const void *key, const void *value)
{
	struct node *node = find(entries, key);

	if (node) {
		memcpy(node->value, value, entries->value_size);
		return;
	}
	if (!tsearch(new_node(entries, key, value), &entries->root, compare))
		abort();
	entries->count++;
}

void entries_remove(struct entries *entries, const void *key)
{
	struct node *node = find(entries, key);

	if (!node)
		return;
	tdelete(node, &entries->root, compare);
	free(node);
	entries->count--;
}

static void visit(const void *nodep, VISIT which, void *data)
{
	const struct node *node = *(struct node *const *)nodep;
	struct pair **next = data;

	if (which == postorder || which == leaf)
		*(*next)++ = (struct pair){.key = node->key, .value = node->value};
}

struct pair *entries_list(const struct entries *entries)
{
	struct pair *list = allocate(entries->count, sizeof(*list)), *next = list;

	twalk_r(entries->root, visit, &next);
	return list;
}

int entries_same_value(const struct entries *entries, const void *a, const void *b)
{
	return !memcmp(a, b, entries->value_size);
}
