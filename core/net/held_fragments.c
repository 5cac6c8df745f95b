// SPDX-License-Identifier: GPL-2.0
/* See held_fragments.h. */

#include <string.h>
#include <sys/queue.h>
#include "bpf/hash.h"
#include "core/base/memory.h"
#include "held_fragments.h"

#define KEYS 16384
#define SOURCES 4096

TAILQ_HEAD(fragments, entry);

/* The fragments of one datagram, oldest first. */
struct datagram {
	struct fragment_key key;
	struct fragments fragments;
	size_t count;
	LIST_ENTRY(datagram) of_bucket;
};

/* The fragments of all sources whose prefixes have the same hash. */
struct source {
	struct fragments fragments;
	size_t count;
};

struct entry {
	TAILQ_ENTRY(entry) by_age, of_datagram, of_source;
	struct datagram *datagram;
	struct source *source;
	struct punt fragment; /* last: only the used part of its frame is allocated */
};

struct held_fragments {
	__u64 secret[2];
	size_t count;
	struct fragments fragments;
	struct source sources[SOURCES];
	LIST_HEAD(, datagram) buckets[KEYS];
};

struct held_fragments *held_new(const __u64 secret[2])
{
	struct held_fragments *held = allocate(1, sizeof(*held));

	memcpy(held->secret, secret, sizeof(held->secret));
	TAILQ_INIT(&held->fragments);
	for (size_t i = 0; i < SOURCES; i++)
		TAILQ_INIT(&held->sources[i].fragments);
	return held;
}

void held_free(struct held_fragments *held)
{
	if (!held)
		return;
	while (held->count)
		held_remove(held, held_oldest(held));
	free(held);
}

/* --- look-ups */

static uint32_t bucket_of(const struct held_fragments *held, const struct fragment_key *key)
{
	struct hash hash = hash_start(held->secret);

	hash_address(&hash, &key->source);
	hash_address(&hash, &key->destination);
	hash_word(&hash, (uint64_t)key->id << 8 | key->protocol);
	return hash_finish(hash, held->secret) % KEYS;
}

/* An IPv6 host can choose any address of its /64, so the /64 counts as one source. */
static struct source *source_of(struct held_fragments *held, const struct address *address)
{
	struct address prefix = *address;
	bool ipv4 = !prefix.word[0] && !prefix.word[1];

	if (!ipv4)
		prefix.word[2] = prefix.word[3] = 0;
	return &held->sources[hash_source(&prefix, 0, held->secret) % SOURCES];
}

static struct datagram *find(const struct held_fragments *held, const struct fragment_key *key)
{
	struct datagram *datagram;

	LIST_FOREACH(datagram, &held->buckets[bucket_of(held, key)], of_bucket)
	if (!memcmp(&datagram->key, key, sizeof(*key)))
		return datagram;
	return NULL;
}

const struct punt *held_of(const struct held_fragments *held, const struct fragment_key *key)
{
	const struct datagram *datagram = find(held, key);

	return datagram ? &TAILQ_FIRST(&datagram->fragments)->fragment : NULL;
}

const struct punt *held_oldest(const struct held_fragments *held)
{
	const struct entry *entry = TAILQ_FIRST(&held->fragments);

	return entry ? &entry->fragment : NULL;
}

size_t held_count(const struct held_fragments *held)
{
	return held->count;
}

/* --- changes */

static void forget(struct held_fragments *held, struct entry *entry)
{
	TAILQ_REMOVE(&held->fragments, entry, by_age);
	TAILQ_REMOVE(&entry->source->fragments, entry, of_source);
	TAILQ_REMOVE(&entry->datagram->fragments, entry, of_datagram);
	held->count--;
	entry->source->count--;
	if (!--entry->datagram->count) {
		LIST_REMOVE(entry->datagram, of_bucket);
		free(entry->datagram);
	}
	free(entry);
}

void held_remove(struct held_fragments *held, const struct punt *fragment)
{
	forget(held, (struct entry *)((char *)fragment - offsetof(struct entry, fragment)));
}

/* A linear search: a datagram has at most HELD_MOST_OF_KEY entries. */
static bool has(const struct datagram *datagram, const struct punt *fragment)
{
	const struct entry *entry;

	TAILQ_FOREACH(entry, &datagram->fragments, of_datagram)
	if (entry->fragment.length == fragment->length &&
		!memcmp(entry->fragment.frame, fragment->frame, fragment->length))
		return true;
	return false;
}

/* Checks three limits in this order: for the datagram, for the source, for all datagrams. Removes the oldest fragment
 * that counts towards the first limit that is reached. Returns false if no limit is reached. */
static bool make_room(struct held_fragments *held, const struct datagram *datagram, const struct source *source)
{
	struct entry *entry = NULL;

	if (datagram && datagram->count == HELD_MOST_OF_KEY)
		entry = TAILQ_FIRST(&datagram->fragments);
	else if (source->count == HELD_MOST_OF_SOURCE)
		entry = TAILQ_FIRST(&source->fragments);
	else if (held->count == HELD_MOST)
		entry = TAILQ_FIRST(&held->fragments);
	if (entry)
		forget(held, entry);
	return entry;
}

static struct datagram *find_or_make(struct held_fragments *held, const struct fragment_key *key)
{
	struct datagram *datagram = find(held, key);

	if (datagram)
		return datagram;
	datagram = allocate(1, sizeof(*datagram));
	datagram->key = *key;
	TAILQ_INIT(&datagram->fragments);
	LIST_INSERT_HEAD(&held->buckets[bucket_of(held, key)], datagram, of_bucket);
	return datagram;
}

enum held_result held_add(struct held_fragments *held, const struct punt *fragment)
{
	struct source *source = source_of(held, &fragment->key.source);
	struct datagram *datagram = find(held, &fragment->key);
	size_t size = PUNT_HEADER + fragment->length;
	struct entry *entry;
	bool full;

	if (datagram && has(datagram, fragment))
		return HELD_DUPLICATE;
	full = make_room(held, datagram, source);
	entry = allocate(1, offsetof(struct entry, fragment) + size);
	memcpy(&entry->fragment, fragment, size);
	entry->source = source;
	entry->datagram = find_or_make(held, &fragment->key); /* make_room() may have removed its last fragment */
	entry->datagram->count++;
	source->count++;
	held->count++;
	TAILQ_INSERT_TAIL(&entry->datagram->fragments, entry, of_datagram);
	TAILQ_INSERT_TAIL(&source->fragments, entry, of_source);
	TAILQ_INSERT_TAIL(&held->fragments, entry, by_age);
	return full ? HELD_REPLACED : HELD_ADDED;
}
