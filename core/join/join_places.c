// SPDX-License-Identifier: GPL-2.0
/* See join_places.h. */
#include "join_places.h"
#include "core/base/memory.h"

#define IPV6_NETWORK 64 /* bits: a host with one address of such a network has all */

static bool counts_with(const struct join_place *a, const struct join_place *b)
{
	return !a->ended && !b->ended && a->known == b->known && a->network.bits == b->network.bits &&
	       address_equal(&a->network.address, &b->network.address);
}

/* Those of the same network, itself included. */
static size_t count_network(const struct join_places *places, const struct join_place *of)
{
	const struct join_place *place;
	size_t count = 0;

	TAILQ_FOREACH(place, places, entry)
	count += counts_with(place, of);
	return count;
}

static size_t count_kind(const struct join_places *places, bool known)
{
	const struct join_place *place;
	size_t count = 0;

	TAILQ_FOREACH(place, places, entry)
	count += !place->ended && place->known == known;
	return count;
}

/* The oldest of the network that has most. */
static struct join_place *find_victim(struct join_places *places, bool known)
{
	struct join_place *place, *victim = NULL;
	size_t most = 0, count;

	TAILQ_FOREACH(place, places, entry)
	{
		count = place->ended || place->known != known ? 0 : count_network(places, place);
		if (count > most) {
			most = count;
			victim = place;
		}
	}
	return victim;
}

static struct join_place *find_oldest(struct join_places *places, const struct join_place *of)
{
	struct join_place *place;

	TAILQ_FOREACH(place, places, entry)
	if (counts_with(place, of))
		return place;
	return NULL;
}

struct join_place *join_places_take(
	struct join_places *places, const struct address *peer, bool known, uint64_t now, struct join_place **ended)
{
	struct join_place *place = allocate(1, sizeof(*place));
	bool one = known || address_is_ipv4(peer);

	*place = (struct join_place){.network = prefix_of(peer, one ? PREFIX_BITS : IPV6_NETWORK),
		.known = known,
		.due = now + JOIN_REQUEST_TIME};
	*ended = NULL;
	if (count_network(places, place) >= (one ? JOIN_PLACES_OF_ONE : JOIN_PLACES_OF_NETWORK))
		*ended = find_oldest(places, place);
	else if (count_kind(places, known) >= (known ? JOIN_PLACES_KNOWN : JOIN_PLACES_STRANGERS))
		*ended = find_victim(places, known);
	if (*ended)
		(*ended)->ended = true;
	TAILQ_INSERT_TAIL(places, place, entry);
	return place;
}

void join_places_leave(struct join_places *places, struct join_place *place)
{
	TAILQ_REMOVE(places, place, entry);
	free(place);
}

struct join_place *join_places_overdue(struct join_places *places, uint64_t now, uint64_t late)
{
	struct join_place *place;

	TAILQ_FOREACH(place, places, entry)
	{
		if (place->ended || place->due > now)
			continue;
		place->ended = place->extended;
		if (place->ended)
			return place;
		place->extended = true;
		place->due = now + late + JOIN_GRACE;
	}
	return NULL;
}

uint64_t join_places_due(const struct join_places *places)
{
	const struct join_place *place;
	uint64_t due = UINT64_MAX;

	TAILQ_FOREACH(place, places, entry)
	if (!place->ended && place->due < due)
		due = place->due;
	return due;
}
