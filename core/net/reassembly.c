// SPDX-License-Identifier: GPL-2.0
/* See reassembly.h. */

#include <string.h>
#include <sys/queue.h>
#include "bpf/hash.h"
#include "core/base/memory.h"
#include "reassembly.h"

#define BUCKETS 1024
#define UNIT 8 /* fragments begin at a multiple of this many bytes */
#define UNITS ((DATAGRAM_SIZE_MAX + UNIT) / UNIT)

struct datagram {
	TAILQ_ENTRY(datagram) by_age;
	LIST_ENTRY(datagram) of_bucket;
	struct fragment_key key;
	uint64_t began;
	size_t length;              /* of the datagram; 0: its last fragment has not arrived */
	size_t units;               /* number of units that have arrived */
	size_t room;                /* of `bytes` */
	uint8_t arrived[UNITS / 8]; /* a bit for each unit */
	uint8_t *bytes;
};

struct reassembly {
	__u64 secret[2];
	size_t count, bytes;
	uint64_t given_up;
	struct datagram *complete;        /* the result of the last call; not in the lists */
	TAILQ_HEAD(, datagram) datagrams; /* oldest first */
	LIST_HEAD(, datagram) buckets[BUCKETS];
};

struct reassembly *reassembly_new(const __u64 secret[2])
{
	struct reassembly *reassembly = allocate(1, sizeof(*reassembly));

	memcpy(reassembly->secret, secret, sizeof(reassembly->secret));
	TAILQ_INIT(&reassembly->datagrams);
	return reassembly;
}

/* --- datagrams */

static void free_datagram(struct datagram *datagram)
{
	if (datagram)
		free(datagram->bytes);
	free(datagram);
}

static void take_out(struct reassembly *reassembly, struct datagram *datagram)
{
	TAILQ_REMOVE(&reassembly->datagrams, datagram, by_age);
	LIST_REMOVE(datagram, of_bucket);
	reassembly->count--;
	reassembly->bytes -= datagram->room;
}

static void give_up(struct reassembly *reassembly, struct datagram *datagram)
{
	take_out(reassembly, datagram);
	free_datagram(datagram);
	reassembly->given_up++;
}

void reassembly_free(struct reassembly *reassembly)
{
	if (!reassembly)
		return;
	while (reassembly->count)
		give_up(reassembly, TAILQ_FIRST(&reassembly->datagrams));
	free_datagram(reassembly->complete);
	free(reassembly);
}

static uint32_t bucket_of(const struct reassembly *reassembly, const struct fragment_key *key)
{
	struct hash hash = hash_start(reassembly->secret);

	hash_address(&hash, &key->source);
	hash_address(&hash, &key->destination);
	hash_word(&hash, (uint64_t)key->id << 8 | key->protocol);
	return hash_finish(hash, reassembly->secret) % BUCKETS;
}

static struct datagram *find_or_make(struct reassembly *reassembly, const struct fragment_key *key, uint64_t now)
{
	uint32_t bucket = bucket_of(reassembly, key);
	struct datagram *datagram;

	LIST_FOREACH(datagram, &reassembly->buckets[bucket], of_bucket)
	if (!memcmp(&datagram->key, key, sizeof(*key)))
		return datagram;
	if (reassembly->count == REASSEMBLY_MOST)
		give_up(reassembly, TAILQ_FIRST(&reassembly->datagrams));
	datagram = allocate(1, sizeof(*datagram));
	datagram->key = *key;
	datagram->began = now;
	LIST_INSERT_HEAD(&reassembly->buckets[bucket], datagram, of_bucket);
	TAILQ_INSERT_TAIL(&reassembly->datagrams, datagram, by_age);
	reassembly->count++;
	return datagram;
}

static void make_room(struct reassembly *reassembly, struct datagram *datagram, size_t room)
{
	struct datagram *oldest;

	if (room <= datagram->room)
		return;
	reassembly->bytes += room - datagram->room;
	datagram->bytes = reallocate(datagram->bytes, room, 1);
	datagram->room = room;
	while (reassembly->bytes > REASSEMBLY_BYTES && (oldest = TAILQ_FIRST(&reassembly->datagrams)) != datagram)
		give_up(reassembly, oldest);
}

/* --- fragments */

static bool has_unit(const struct datagram *datagram, size_t unit)
{
	return datagram->arrived[unit / 8] & 1 << unit % 8;
}

/* The number of units of this part that earlier fragments have already delivered. */
static size_t count_arrived(const struct datagram *datagram, size_t first, size_t end)
{
	size_t count = 0;

	for (size_t unit = first; unit < end; unit++)
		count += has_unit(datagram, unit);
	return count;
}

static bool is_valid(const struct part *part)
{
	return part->length && part->at % UNIT == 0 && part->at + part->length <= DATAGRAM_SIZE_MAX &&
	       (!part->more || part->length % UNIT == 0);
}

enum fit {
	FIT_NEW,
	FIT_DUPLICATE,
	FIT_NONE, /* overlaps another part, or contradicts the length of the datagram */
};

static enum fit fit(const struct datagram *datagram, const struct part *part)
{
	size_t first = part->at / UNIT, end = (part->at + part->length + UNIT - 1) / UNIT;
	size_t arrived = count_arrived(datagram, first, end);

	if (datagram->length && part->at + part->length > datagram->length)
		return FIT_NONE;
	if (!part->more && count_arrived(datagram, end, UNITS))
		return FIT_NONE;
	if (arrived)
		return arrived == end - first ? FIT_DUPLICATE : FIT_NONE;
	return FIT_NEW;
}

/* Returns whether the datagram is complete. */
static bool store(struct reassembly *reassembly, struct datagram *datagram, const struct part *part)
{
	size_t end = part->at + part->length;

	make_room(reassembly, datagram, end);
	memcpy(datagram->bytes + part->at, part->bytes, part->length);
	for (size_t unit = part->at / UNIT; unit * UNIT < end; unit++, datagram->units++)
		datagram->arrived[unit / 8] |= 1 << unit % 8;
	if (!part->more)
		datagram->length = end;
	return datagram->length && datagram->units == (datagram->length + UNIT - 1) / UNIT;
}

/* If fragments overlap, the whole datagram is discarded (RFC 8200 section 4.5), because the receiver may use the bytes
 * of either fragment. */
const void *reassembly_add(struct reassembly *reassembly, const struct part *part, uint64_t now, size_t *length)
{
	struct datagram *datagram;

	free_datagram(reassembly->complete);
	reassembly->complete = NULL;
	reassembly_expire(reassembly, now);
	if (!is_valid(part))
		return NULL;
	datagram = find_or_make(reassembly, &part->key, now);
	switch (fit(datagram, part)) {
	case FIT_DUPLICATE:
		return NULL;
	case FIT_NONE:
		give_up(reassembly, datagram);
		return NULL;
	case FIT_NEW:
		break;
	}
	if (!store(reassembly, datagram, part))
		return NULL;
	take_out(reassembly, datagram);
	reassembly->complete = datagram;
	*length = datagram->length;
	return datagram->bytes;
}

void reassembly_expire(struct reassembly *reassembly, uint64_t now)
{
	struct datagram *datagram;

	while ((datagram = TAILQ_FIRST(&reassembly->datagrams)) && now > datagram->began + REASSEMBLY_NSEC)
		give_up(reassembly, datagram);
}

uint64_t reassembly_given_up(const struct reassembly *reassembly)
{
	return reassembly->given_up;
}
