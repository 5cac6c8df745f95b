// SPDX-License-Identifier: GPL-2.0
/* See connections.h. */
#include "connections.h"
#include "core/base/memory.h"

#define IPV6_NETWORK 64 /* bits; a host can use all addresses of such a network */

static bool counts_with(const struct connection *a, const struct connection *b)
{
	return !a->ended && !b->ended && a->known == b->known && a->network.bits == b->network.bits &&
	       address_equal(&a->network.address, &b->network.address);
}

/* The number of connections from the network of `of`, including `of` itself. */
static size_t count_network(const struct connections *connections, const struct connection *of)
{
	const struct connection *connection;
	size_t count = 0;

	TAILQ_FOREACH(connection, connections, entry)
	count += counts_with(connection, of);
	return count;
}

static size_t count_kind(const struct connections *connections, bool known)
{
	const struct connection *connection;
	size_t count = 0;

	TAILQ_FOREACH(connection, connections, entry)
	count += !connection->ended && connection->known == known;
	return count;
}

/* The oldest connection of the network with the most connections. */
static struct connection *find_victim(struct connections *connections, bool known)
{
	struct connection *connection, *victim = NULL;
	size_t most = 0, count;

	TAILQ_FOREACH(connection, connections, entry)
	{
		count = connection->ended || connection->known != known ? 0 : count_network(connections, connection);
		if (count > most) {
			most = count;
			victim = connection;
		}
	}
	return victim;
}

static struct connection *find_oldest(struct connections *connections, const struct connection *of)
{
	struct connection *connection;

	TAILQ_FOREACH(connection, connections, entry)
	if (counts_with(connection, of))
		return connection;
	return NULL;
}

struct connection *connections_add(struct connections *connections, const struct address *peer, bool known,
	uint64_t due, struct connection **ended)
{
	struct connection *connection = allocate(1, sizeof(*connection));
	bool one = known || address_is_ipv4(peer);

	*connection = (struct connection){
		.network = prefix_of(peer, one ? PREFIX_BITS : IPV6_NETWORK), .known = known, .due = due};
	*ended = NULL;
	if (count_network(connections, connection) >= (one ? CONNECTIONS_OF_ONE : CONNECTIONS_OF_NETWORK))
		*ended = find_oldest(connections, connection);
	else if (count_kind(connections, known) >= (known ? CONNECTIONS_KNOWN : CONNECTIONS_STRANGERS))
		*ended = find_victim(connections, known);
	if (*ended)
		(*ended)->ended = true;
	TAILQ_INSERT_TAIL(connections, connection, entry);
	return connection;
}

void connections_remove(struct connections *connections, struct connection *connection)
{
	TAILQ_REMOVE(connections, connection, entry);
	free(connection);
}

struct connection *connections_overdue(struct connections *connections, uint64_t now, uint64_t late)
{
	struct connection *connection;

	TAILQ_FOREACH(connection, connections, entry)
	{
		if (connection->ended || connection->due > now)
			continue;
		connection->ended = connection->extended;
		if (connection->ended)
			return connection;
		connection->extended = true;
		connection->due = now + late + CONNECTIONS_GRACE;
	}
	return NULL;
}

uint64_t connections_due(const struct connections *connections)
{
	const struct connection *connection;
	uint64_t due = UINT64_MAX;

	TAILQ_FOREACH(connection, connections, entry)
	if (!connection->ended && connection->due < due)
		due = connection->due;
	return due;
}
