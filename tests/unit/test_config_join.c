// SPDX-License-Identifier: GPL-2.0
/* The key `join:`: valid and invalid values. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "config_text.h"

#define JOIN(more) HEAD POOLS "join: {" more "}\n"

Test(config_join, valid_values)
{
	static const struct reading rows[] = {
		{"IPv4", JOIN("listen: '10.0.0.2:7946', secret: 0123456789abcdef"),
			"join:\n  listen: '10.0.0.2:7946'\n  secret: '0123456789abcdef'\n  node_timeout: 10s\n"},
		{"IPv6", JOIN("listen: '[2001:DB8::2]:1', secret: '# is: \"a\" secret', node_timeout: 1h"),
			"listen: '[2001:db8::2]:1'\n  secret: '# is: \"a\" secret'\n  node_timeout: 1h\n"},
		{"networks",
			JOIN("listen: '10.0.0.2:1', secret: 0123456789abcdef, from: [10.0.0.0/8, '2001:DB8::/32', "
			     "'::1']"),
			"  from: ['10.0.0.0/8', '2001:db8::/32', '::1']\n  node_timeout"},
		{"one network", JOIN("listen: '10.0.0.2:1', secret: 0123456789abcdef, from: 10.0.0.7"),
			"  from: ['10.0.0.7']\n"},
		{"loopback", JOIN("listen: '127.0.0.1:65535', secret: 0123456789abcdef"), "listen: '127.0.0.1:65535'"},
		{"loopback", JOIN("listen: '[::1]:65535', secret: 0123456789abcdef"), "listen: '[::1]:65535'"},
	};
	struct config *config = parse_good(HEAD POOLS);

	check_readings(rows, COUNT(rows));
	cr_expect(config->join.listen.port == 0 && !config->join.secret, "without `join:`, no backend can join");
	config_free(config);
}

#define SECRET "secret: 0123456789abcdef"
#define LONG64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

Test(config_join, invalid_values)
{
	static const struct row rows[] = {
		{"an empty join", JOIN(""), {"7:7: join has no 'listen'", "7:7: join has no 'secret'"}},
		{"no port", JOIN("listen: 10.0.0.2, " SECRET),
			{"7:16: 'listen' of join must be an address of this machine and a port, such as 10.0.0.2:7946 "
			 "or "
			 "[2001:db8::2]:7946, not '10.0.0.2'"}},
		{"a name", JOIN("listen: 'lb.example.net:1', " SECRET), {"7:16: 'listen' of join must be an address"}},
		{"the unspecified address", JOIN("listen: '0.0.0.0:1', " SECRET), {"7:16: 'listen' of join"}},
		{"the unspecified address", JOIN("listen: '[::]:1', " SECRET), {"7:16: 'listen' of join"}},
		{"a multicast address", JOIN("listen: '224.0.0.1:1', " SECRET), {"7:16: 'listen' of join"}},
		{"a VIP, above", HEAD POOLS SERVICES "join: {listen: '192.0.2.10:1', " SECRET "}\n",
			{"12:16: 'listen' of join cannot be 192.0.2.10: it is a VIP of service sip (line 9)"}},
		{"a VIP, below", "join: {listen: '192.0.2.10:1', " SECRET "}\n" HEAD POOLS SERVICES,
			{"1:16: 'listen' of join cannot be 192.0.2.10: it is a VIP of service sip (line 10)"}},
		{"a short secret, which the message does not show",
			JOIN("listen: '10.0.0.2:1', secret: 0123456789abcde"),
			{"7:38: 'secret' of join must be 16 to 255 printable ASCII characters ('openssl rand -hex 16' "
			 "makes "
			 "one)"}},
		{"a long secret", JOIN("listen: '10.0.0.2:1', secret: " LONG64 LONG64 LONG64 LONG64),
			{"7:38: 'secret' of join must be 16 to 255"}},
		{"an unprintable secret", JOIN("listen: '10.0.0.2:1', secret: \"0123456789abcdef\\n\""),
			{"7:38: 'secret' of join must be 16 to 255"}},
		{"a hidden secret, as save writes it for other users than root",
			JOIN("listen: '10.0.0.2:1', secret: hidden"),
			{"7:38: 'secret' of join is hidden in this file: 'sipxdp-ctl save' writes it only for root"}},
		{"an empty list of networks", JOIN("listen: '10.0.0.2:1', from: [], " SECRET),
			{"7:36: 'from' of join"}},
		{"invalid networks", JOIN("listen: '10.0.0.2:1', from: [10.0.0.1/24, servers], " SECRET),
			{"7:37: 'from' of join must be a network or an address, such as 10.0.0.0/24 or 2001:db8::/64, "
			 "with all host bits 0, not '10.0.0.1/24'",
				"7:50: 'from' of join must be a network"}},
		{"a timeout that is too short", JOIN("listen: '10.0.0.2:1', node_timeout: 999ms, " SECRET),
			{"7:44: 'node_timeout' of join must be a time with its unit, from 1s to 1h"}},
	};

	check_rows(rows, COUNT(rows));
}

Test(config_join, no_message_shows_the_secret)
{
	static const char *const secrets[] = {
		"hush", "hush\xc3\xa9-0123456789abcdef", "[hush]", "{hush: a}", "&hush a"};
	struct faults faults;
	char text[512];
	size_t i, j;

	for (i = 0; i < COUNT(secrets); i++) {
		snprintf(text, sizeof(text), JOIN("listen: '10.0.0.2:1', secret: %s"), secrets[i]);
		cr_assert_null(parse(text, strlen(text), &faults));
		for (j = 0; j < faults.count; j++)
			cr_expect_null(strstr(faults.list[j].message, "hush"), "%s", faults.list[j].message);
		faults_free(&faults);
	}
}
