// SPDX-License-Identifier: GPL-2.0
/* The connections to an HTTP listener: the connection that must be closed for a new connection, and the time. Also
 * tests the set of known addresses. */
#include <criterion/criterion.h>
#include <stdio.h>
#include "core/net/address_set.h"
#include "core/net/connections.h"

#define REQUEST_TIME 2000 /* ms */
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static struct address address_of(const char *format, unsigned int number)
{
	struct address address;
	char text[64];

	snprintf(text, sizeof(text), format, number);
	cr_assert_eq(address_parse(text, &address), 0, "%s", text);
	return address;
}

/* Adds a connection from PEER. Returns the number of the connection that must be closed to make room; -1: none. */
static int take(struct connections *connections, struct address peer, bool known, int number)
{
	struct connection *ended, *connection = connections_add(connections, &peer, known, 1000 + REQUEST_TIME, &ended);
	int gone = ended ? ended->fd : -1;

	connection->fd = number;
	if (ended)
		connections_remove(connections, ended);
	return gone;
}

static void empty(struct connections *connections)
{
	while (!TAILQ_EMPTY(connections))
		connections_remove(connections, TAILQ_FIRST(connections));
}

/* In each row, `count` connections arrive from addresses of this format; the placeholder is the number of the
 * connection. */
static const struct {
	const char *sentence;
	const char *peers;
	bool known;
	unsigned int count;
	int first; /* the new connection for which the oldest must end */
} rows[] = {
	{"one IPv6 network, many addresses", "2001:db8::%x", false, 100, CONNECTIONS_OF_NETWORK},
	{"known clients: each address has its own limit", "2001:db8::%x", true, 300, CONNECTIONS_KNOWN},
	{"many IPv6 networks", "2001:db8:%x::1", false, 300, CONNECTIONS_STRANGERS},
	{"one IPv4 address", "10.0.0.1", false, 40, CONNECTIONS_OF_ONE},
	{"one IPv4 address, known", "10.0.0.1", true, 40, CONNECTIONS_OF_ONE},
	{"many networks of one owner", "2001:db8:4:%x::1", false, 300, CONNECTIONS_STRANGERS},
};

Test(connections, a_new_connection_ends_the_oldest_at_the_limit)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct connections connections = TAILQ_HEAD_INITIALIZER(connections);

		for (int n = 0; n < (int)rows[i].count; n++) {
			int gone = take(&connections, address_of(rows[i].peers, n), rows[i].known, n);

			cr_expect_eq(gone, n < rows[i].first ? -1 : n - rows[i].first, "%s: for %d, %d",
				rows[i].sentence, n, gone);
		}
		empty(&connections);
	}
}

Test(connections, networks_with_few_connections_are_spared)
{
	struct connections connections = TAILQ_HEAD_INITIALIZER(connections);
	struct address server = address_of("2001:db8:ffff::%u", 1);

	take(&connections, server, false, 9999);
	for (int n = 0; n < 1000; n++)
		cr_expect_neq(take(&connections, address_of("2001:db8:%x::1", n / 16), false, n), 9999, "for %d", n);
	for (int n = 0; n < 1000; n++)
		cr_expect_neq(take(&connections, address_of("2001:db8:%x::1", n / 16), false, n), 9999);
	empty(&connections);
}

Test(connections, unknown_clients_take_no_connection_of_known_servers)
{
	struct connections connections = TAILQ_HEAD_INITIALIZER(connections);

	for (int n = 0; n < 10; n++)
		take(&connections, address_of("2001:db8::%x", n), true, 10000 + n);
	for (int n = 0; n < 1000; n++)
		cr_expect_lt(take(&connections, address_of("2001:db8::%x", n), false, n), 10000);
	empty(&connections);
}

Test(connections, received_bytes_are_read_before_a_connection_ends)
{
	struct connections connections = TAILQ_HEAD_INITIALIZER(connections);
	struct connection *connection;

	cr_expect_eq(connections_due(&connections), UINT64_MAX);
	take(&connections, address_of("10.0.0.%u", 1), false, 1);
	cr_expect_eq(connections_due(&connections), 1000 + REQUEST_TIME);
	cr_expect_null(connections_overdue(&connections, 2999, 0));
	cr_expect_null(connections_overdue(&connections, 8000, 5000), "the daemon was late by 5 s");
	cr_expect_eq(connections_due(&connections), 8000 + 5000 + CONNECTIONS_GRACE);
	cr_expect_null(connections_overdue(&connections, 13099, 0));
	connection = connections_overdue(&connections, 13100, 0);
	cr_expect(connection && connection->fd == 1);
	cr_expect_null(connections_overdue(&connections, 99999, 0), "each once");
	cr_expect_eq(connections_due(&connections), UINT64_MAX);
	empty(&connections);
}

/* --- Known addresses */

Test(address_set, contains_all_added_addresses)
{
	struct address_set set = {0};
	size_t cursor = 0, members = 0;
	struct address address;

	for (unsigned int i = 0; i < 20000; i++) {
		address = address_of("2001:db8::%x", i * 3);
		cr_expect_not(address_set_has(&set, &address));
		address_set_add(&set, &address);
		address_set_add(&set, &address);
	}
	cr_expect_eq(set.count, 20000);
	for (unsigned int i = 0; i < 65536; i++) {
		address = address_of("2001:db8::%x", i);
		cr_expect_eq(address_set_has(&set, &address), i % 3 == 0 && i < 60000);
	}
	while (address_set_next(&set, &cursor, &address)) {
		cr_expect(address_set_has(&set, &address));
		members++;
	}
	cr_expect_eq(members, 20000);
	address_set_clear(&set);
	cr_expect_not(address_set_has(&set, &address));
}
