// SPDX-License-Identifier: GPL-2.0
/* The key `metrics:`: valid and invalid values. */
#include <criterion/criterion.h>
#include "config_text.h"

#define METRICS(more) HEAD POOLS "metrics: {" more "}\n"
#define JOIN "join: {listen: '10.0.0.2:1', secret: 0123456789abcdef}\n"

Test(config_metrics, valid_values)
{
	static const struct reading rows[] = {
		{"IPv4", METRICS("listen: '127.0.0.1:9464'"), "metrics:\n  listen: '127.0.0.1:9464'\n"},
		{"IPv6", METRICS("listen: '[2001:DB8::2]:9464'"), "metrics:\n  listen: '[2001:db8::2]:9464'\n"},
		{"a different port than join", HEAD POOLS JOIN "metrics: {listen: '10.0.0.2:2'}\n",
			"metrics:\n  listen: '10.0.0.2:2'\n"},
	};
	struct config *config = parse_good(HEAD POOLS);

	check_readings(rows, COUNT(rows));
	cr_expect_eq(config->metrics.listen.port, 0, "without `metrics:`, the daemon does not listen");
	config_free(config);
}

Test(config_metrics, invalid_values)
{
	static const struct row rows[] = {
		{"an empty mapping", METRICS(""), {"7:10: metrics has no 'listen'"}},
		{"no port", METRICS("listen: 127.0.0.1"),
			{"7:19: 'listen' of metrics must be an address of this machine and a port, such as "
			 "127.0.0.1:9464 or [2001:db8::2]:9464, not '127.0.0.1'"}},
		{"every address of the machine, which includes the VIPs", METRICS("listen: '0.0.0.0:9464'"),
			{"7:19: 'listen' of metrics must be"}},
		{"a VIP", HEAD POOLS SERVICES "metrics: {listen: '192.0.2.10:9464'}\n",
			{"12:19: 'listen' of metrics cannot be 192.0.2.10: it is a VIP of service sip (line 9)"}},
		{"the socket of join", HEAD POOLS JOIN "metrics: {listen: '10.0.0.2:1'}\n",
			{"8:10: 'listen' of metrics cannot be 10.0.0.2:1: it is 'listen' of join; use a different "
			 "port"}},
		{"the socket of join, before it", HEAD POOLS "metrics: {listen: '10.0.0.2:1'}\n" JOIN,
			{"7:10: 'listen' of metrics cannot be 10.0.0.2:1: it is 'listen' of join"}},
	};

	check_rows(rows, COUNT(rows));
}
