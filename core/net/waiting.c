// SPDX-License-Identifier: GPL-2.0
/* See waiting.h. */

#include <string.h>
#include <sys/queue.h>
#include "bpf/hash.h"
#include "core/base/memory.h"
#include "waiting.h"

#define KEYS 16384
#define SOURCES 4096

TAILQ_HEAD(fragments, entry);

/* Those of one datagram, in order of age. */
struct datagram {
	struct fragment_key key;
	struct fragments fragments;
	size_t count;
	LIST_ENTRY(datagram) of_bucket;
};

/* Those of all sources whose prefixes have the same hash. */
struct source {
	struct fragments fragments;
	size_t count;
};

struct entry {
	TAILQ_ENTRY(entry) by_age, of_datagram, of_source;
	struct datagram *datagram;
	struct source *source;
	struct punt fragment; /* last: allocated as far as its frame goes */
};

struct waiting {
	__u64 secret[2];
	size_t count;
	struct fragments fragments;
	struct source sources[SOURCES];
	LIST_HEAD(, datagram) buckets[KEYS];
};

struct waiting *waiting_new(const __u64 secret[2])
{
	struct waiting *waiting = allocate(1, sizeof(*waiting));

	memcpy(waiting->secret, secret, sizeof(waiting->secret));
	TAILQ_INIT(&waiting->fragments);
	for (size_t i = 0; i < SOURCES; i++)
		TAILQ_INIT(&waiting->sources[i].fragments);
	return waiting;
}

void waiting_free(struct waiting *waiting)
{
	if (!waiting)
		return;
	while (waiting->count)
		waiting_remove(waiting, waiting_oldest(waiting));
	free(waiting);
}

/* --- finding */

static uint32_t bucket_of(const struct waiting *waiting, const struct fragment_key *key)
{
	struct hash hash = hash_start(waiting->secret);

	hash_address(&hash, &key->source);
	hash_address(&hash, &key->destination);
	hash_word(&hash, (uint64_t)key->id << 8 | key->protocol);
	return hash_finish(hash, waiting->secret) % KEYS;
}

/* A host of IPv6 has a /64 to choose its addresses from. */
static struct source *source_of(struct waiting *waiting, const struct address *address)
{
	struct address prefix = *address;
	bool ipv4 = !prefix.word[0] && !prefix.word[1];

	if (!ipv4)
		prefix.word[2] = prefix.word[3] = 0;
	return &waiting->sources[hash_source(&prefix, 0, waiting->secret) % SOURCES];
}

static struct datagram *find(const struct waiting *waiting, const struct fragment_key *key)
{
	struct datagram *datagram;

	LIST_FOREACH(datagram, &waiting->buckets[bucket_of(waiting, key)], of_bucket)
	if (!memcmp(&datagram->key, key, sizeof(*key)))
		return datagram;
	return NULL;
}

const struct punt *waiting_of(const struct waiting *waiting, const struct fragment_key *key)
{
	const struct datagram *datagram = find(waiting, key);

	return datagram ? &TAILQ_FIRST(&datagram->fragments)->fragment : NULL;
}

const struct punt *waiting_oldest(const struct waiting *waiting)
{
	const struct entry *entry = TAILQ_FIRST(&waiting->fragments);

	return entry ? &entry->fragment : NULL;
}

size_t waiting_count(const struct waiting *waiting)
{
	return waiting->count;
}

/* --- changing */

static void forget(struct waiting *waiting, struct entry *entry)
{
	TAILQ_REMOVE(&waiting->fragments, entry, by_age);
	TAILQ_REMOVE(&entry->source->fragments, entry, of_source);
	TAILQ_REMOVE(&entry->datagram->fragments, entry, of_datagram);
	waiting->count--;
	entry->source->count--;
	if (!--entry->datagram->count) {
		LIST_REMOVE(entry->datagram, of_bucket);
		free(entry->datagram);
	}
	free(entry);
}

void waiting_remove(struct waiting *waiting, const struct punt *fragment)
{
	forget(waiting, (struct entry *)((char *)fragment - offsetof(struct entry, fragment)));
}

/* Its entries are few: WAITING_MOST_OF_KEY. */
static bool has(const struct datagram *datagram, const struct punt *fragment)
{
	const struct entry *entry;

	TAILQ_FOREACH(entry, &datagram->fragments, of_datagram)
	if (entry->fragment.length == fragment->length &&
		!memcmp(entry->fragment.frame, fragment->frame, fragment->length))
		return true;
	return false;
}

/* The oldest of the narrowest group that is full makes room. False: there is room. */
static bool make_room(struct waiting *waiting, const struct datagram *datagram, const struct source *source)
{
	struct entry *entry = NULL;

	if (datagram && datagram->count == WAITING_MOST_OF_KEY)
		entry = TAILQ_FIRST(&datagram->fragments);
	else if (source->count == WAITING_MOST_OF_SOURCE)
		entry = TAILQ_FIRST(&source->fragments);
	else if (waiting->count == WAITING_MOST)
		entry = TAILQ_FIRST(&waiting->fragments);
	if (entry)
		forget(waiting, entry);
	return entry;
}

static struct datagram *find_or_make(struct waiting *waiting, const struct fragment_key *key)
{
	struct datagram *datagram = find(waiting, key);

	if (datagram)
		return datagram;
	datagram = allocate(1, sizeof(*datagram));
	datagram->key = *key;
	TAILQ_INIT(&datagram->fragments);
	LIST_INSERT_HEAD(&waiting->buckets[bucket_of(waiting, key)], datagram, of_bucket);
	return datagram;
}

enum waiting_result waiting_add(struct waiting *waiting, const struct punt *fragment)
{
	struct source *source = source_of(waiting, &fragment->key.source);
	struct datagram *datagram = find(waiting, &fragment->key);
	size_t size = PUNT_HEADER + fragment->length;
	struct entry *entry;
	bool full;

	if (datagram && has(datagram, fragment))
		return WAITING_DUPLICATE;
	full = make_room(waiting, datagram, source);
	entry = allocate(1, offsetof(struct entry, fragment) + size);
	memcpy(&entry->fragment, fragment, size);
	entry->source = source;
	entry->datagram = find_or_make(waiting, &fragment->key); /* what made room may have been its last */
	entry->datagram->count++;
	source->count++;
	waiting->count++;
	TAILQ_INSERT_TAIL(&entry->datagram->fragments, entry, of_datagram);
	TAILQ_INSERT_TAIL(&source->fragments, entry, of_source);
	TAILQ_INSERT_TAIL(&waiting->fragments, entry, by_age);
	return full ? WAITING_REPLACED : WAITING_ADDED;
}
