// SPDX-License-Identifier: GPL-2.0
/* See join_connections.h. */
#include "join_connections.h"
#include "core/base/memory.h"

#define IPV6_NETWORK 64 /* bits; a host with one address of such a network has all of them */

static bool counts_with(const struct join_connection *a, const struct join_connection *b)
{
	return !a->ended && !b->ended && a->known == b->known && a->network.bits == b->network.bits &&
	       address_equal(&a->network.address, &b->network.address);
}

/* The connections of the same network, including this one. */
static size_t count_network(const struct join_connections *connections, const struct join_connection *of)
{
	const struct join_connection *connection;
	size_t count = 0;

	TAILQ_FOREACH(connection, connections, entry)
	count += counts_with(connection, of);
	return count;
}

static size_t count_kind(const struct join_connections *connections, bool known)
{
	const struct join_connection *connection;
	size_t count = 0;

	TAILQ_FOREACH(connection, connections, entry)
	count += !connection->ended && connection->known == known;
	return count;
}

/* The oldest connection of the network with the most connections. */
static struct join_connection *find_victim(struct join_connections *connections, bool known)
{
	struct join_connection *connection, *victim = NULL;
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

static struct join_connection *find_oldest(struct join_connections *connections, const struct join_connection *of)
{
	struct join_connection *connection;

	TAILQ_FOREACH(connection, connections, entry)
	if (counts_with(connection, of))
		return connection;
	return NULL;
}

struct join_connection *join_connections_add(struct join_connections *connections, const struct address *peer,
	bool known, uint64_t now, struct join_connection **ended)
{
	struct join_connection *connection = allocate(1, sizeof(*connection));
	bool one = known || address_is_ipv4(peer);

	*connection = (struct join_connection){.network = prefix_of(peer, one ? PREFIX_BITS : IPV6_NETWORK),
		.known = known,
		.due = now + JOIN_REQUEST_TIME};
	*ended = NULL;
	if (count_network(connections, connection) >= (one ? JOIN_CONNECTIONS_OF_ONE : JOIN_CONNECTIONS_OF_NETWORK))
		*ended = find_oldest(connections, connection);
	else if (count_kind(connections, known) >= (known ? JOIN_CONNECTIONS_KNOWN : JOIN_CONNECTIONS_STRANGERS))
		*ended = find_victim(connections, known);
	if (*ended)
		(*ended)->ended = true;
	TAILQ_INSERT_TAIL(connections, connection, entry);
	return connection;
}

void join_connections_remove(struct join_connections *connections, struct join_connection *connection)
{
	TAILQ_REMOVE(connections, connection, entry);
	free(connection);
}

struct join_connection *join_connections_overdue(struct join_connections *connections, uint64_t now, uint64_t late)
{
	struct join_connection *connection;

	TAILQ_FOREACH(connection, connections, entry)
	{
		if (connection->ended || connection->due > now)
			continue;
		connection->ended = connection->extended;
		if (connection->ended)
			return connection;
		connection->extended = true;
		connection->due = now + late + JOIN_GRACE;
	}
	return NULL;
}

uint64_t join_connections_due(const struct join_connections *connections)
{
	const struct join_connection *connection;
	uint64_t due = UINT64_MAX;

	TAILQ_FOREACH(connection, connections, entry)
	if (!connection->ended && connection->due < due)
		due = connection->due;
	return due;
}
