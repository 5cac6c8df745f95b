// SPDX-License-Identifier: GPL-2.0
/* `passive:` of a pool: valid and invalid values, and the files that it refuses. */
#include <criterion/criterion.h>
#include "config_text.h"

#define PASSIVE(value) EMPTY("forward: nat, passive: " value)
#define USUAL "passive: {fall: 3, codes: [503, 504], window: 10s, share: 50}\n"

Test(config_passive, values)
{
	static const struct reading rows[] = {
		{"the default values", PASSIVE("true"), USUAL},
		{"an empty mapping", PASSIVE("{}"), USUAL},
		{"all keys", PASSIVE("{fall: 1, codes: [500, 603], window: 1s, share: 100}"),
			"passive: {fall: 1, codes: [500, 603], window: 1s, share: 100}\n"},
		{"classes of codes", PASSIVE("{codes: [5xx, 600]}"), "codes: [5xx, 600]"},
		{"the largest values", PASSIVE("{fall: 1000, window: 1m, share: 1}"),
			"passive: {fall: 1000, codes: [503, 504], window: 1m, share: 1}\n"},
		{"a service with UDP, and one with TCP",
			PASSIVE("true") "services: [{name: s, vip: 192.0.2.1, port: 5060, pool: p},\n"
					"  {name: t, vip: 192.0.2.1, port: 5060, protocol: tcp, pool: p}]\n",
			USUAL},
		{"a service without message counters that uses a different pool",
			HEAD "pools: [{name: p, forward: nat, passive: true, backends: []}, {name: q, backends: []}]\n"
			     "services: [{name: s, vip: 192.0.2.1, port: 5060, pool: q, message_counters: false}]\n",
			USUAL},
		{"none, set explicitly", EMPTY("passive: false"), "min_alive"},
	};

	check_readings(rows, COUNT(rows));
}

Test(config_passive, invalid_values)
{
	static const struct row rows[] = {
		{"without nat", EMPTY("passive: true"),
			{"3:42: 'passive' of pool p: only for forward nat, because only then do the responses of the "
			 "backends pass the balancer; remove it"}},
		{"a word", PASSIVE("yes"), {"3:56: 'passive' of pool p must be 'true' or 'false', not 'yes'"}},
		{"codes of clients", PASSIVE("{codes: [503,\n 404,\n 4xx,\n 200]}"),
			{"4:2: 'codes' of 'passive' of pool p must be a status code from 500 to 699, 5xx or 6xx (4xx "
			 "codes report faults of clients), not '404'",
				"5:2: not '4xx'", "6:2: not '200'"}},
		{"no codes", PASSIVE("{codes: []}"), {"3:64: 'codes' of 'passive' of pool p must not be empty"}},
		{"a fall of 0", PASSIVE("{fall: 0}"), {"3:63: 'fall'"}},
		{"a share of 0", PASSIVE("{share: 0}"), {"3:64: a whole number from 1 to 100"}},
		{"a long window", PASSIVE("{window: 61s}"), {"3:65: a time with its unit, from 1s to 1m"}},
		{"an unknown key", PASSIVE("{rise: 2}"), {"3:57: unknown key 'rise'"}},
		{"only TCP", PASSIVE("true") SERVICE("port: 5060, protocol: tcp, affinity: source"),
			{"3:56: 'passive' of pool p: no service with protocol udp uses the pool, and the balancer "
			 "reads no responses in TCP connections; remove it"}},
		{"a service without message counters", PASSIVE("true") SERVICE("port: 5060, message_counters: false"),
			{"3:56: 'passive' of pool p needs the message counters of service s; remove "
			 "`message_counters: false` there"}},
	};

	check_rows(rows, COUNT(rows));
}
