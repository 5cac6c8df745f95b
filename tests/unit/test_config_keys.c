// SPDX-License-Identifier: GPL-2.0
/* Keys of backends, services and pools: valid and invalid values. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "config_text.h"

/* --- backends */

Test(config_keys, forward_and_admin_of_backends)
{
	static const struct reading rows[] = {
		{"by default as the pool", BACKENDS("{name: b, address: 10.0.0.1}"),
			"{name: b, address: 10.0.0.1, weight: 1}\n"},
		{"one backend in a remote network", BACKENDS("{name: b, address: 10.0.0.1, forward: ipip}"),
			"weight: 1, forward: ipip}\n"},
		{"one backend in the balancer's network",
			POOL("forward: ipip, backends: [{name: b, address: 10.0.0.1, forward: dsr}]"),
			"weight: 1, forward: dsr}\n"},
		{"the same as the pool, set explicitly", BACKENDS("{name: b, address: 10.0.0.1, forward: dsr}"),
			"weight: 1, forward: dsr}\n"},
		{"drain", BACKENDS("{name: b, address: 10.0.0.1, admin: drain}"), "weight: 1, admin: drain}\n"},
		{"maint", BACKENDS("{name: b, address: 10.0.0.1, admin: maint}"), "weight: 1, admin: maint}\n"},
		{"an explicit ready differs from no admin", BACKENDS("{name: b, address: 10.0.0.1, admin: ready}"),
			"weight: 1, admin: ready}\n"},
	};
	static const struct row faults[] = {
		{"words", BACKENDS("{name: b, address: 10.0.0.1, forward: gre, admin: off}"),
			{"3:68: 'forward' of backend b must be 'dsr', 'ipip', 'gue' or 'nat', not 'gre'",
				"3:80: 'admin' of backend b must be 'ready', 'drain' or 'maint', not 'off'"}},
	};

	check_readings(rows, COUNT(rows));
	check_rows(faults, COUNT(faults));
}

/* --- load by calls */

Test(config_keys, balance_and_limits_of_calls)
{
	static const struct reading rows[] = {
		{"bounded", POOL("balance: bounded, bound: 110, backends: []"), "balance: bounded\n    bound: 110\n"},
		{"least-calls", POOL("balance: least-calls, max_calls: 400, overload: refuse, backends: []"),
			"balance: least-calls\n    max_calls: 400\n    overload: refuse\n"},
		{"a limit of one backend",
			POOL("balance: round-robin, backends: [{name: b, address: 10.0.0.1, max_calls: 7}]"),
			"weight: 1, max_calls: 7}\n"},
		{"a limit of calls with the hash", POOL("max_calls: 400, backends: []") SERVICE("port: 5060"),
			"max_calls: 400\n"},
		{"a limit of the load",
			POOL("load_limit: 90, probe: {type: options, load_header: X-Load}, backends: []")
				SERVICE("port: 5060"),
			"load_limit: 90\n"},
		{"rates with the hash",
			POOL("max_rate: 50, backends: [{name: b, address: 10.0.0.1, max_rate: 7}]")
				SERVICE("port: 5060"),
			"max_rate: 50\n    backends:\n      - {name: b, address: 10.0.0.1, weight: 1, max_rate: 7}\n"},
	};
	static const struct row faults[] = {
		{"words and numbers", POOL("balance: random, overload: drop, max_calls: 0, backends: []"),
			{"3:28: 'balance' of pool p must be 'hash', 'bounded', 'least-calls' or 'round-robin', not "
			 "'random'",
				"3:46: 'overload' of pool p must be 'hash' or 'refuse', not 'drop'",
				"3:63: 'max_calls' of pool p must be a whole number from 1 to 16777216, not '0'"}},
		{"a bound without balance: bounded", POOL("bound: 110, backends: []"),
			{"3:26: only for balance bounded"}},
		{"a limit of one backend of a TCP service",
			POOL("backends: [{name: b, address: 10.0.0.1, max_calls: 7}]")
				SERVICE("port: 5060, protocol: tcp"),
			{"4:12: service s: pool p has max_calls, which needs protocol udp and affinity call-id"}},
		{"a rate above a million", POOL("max_rate: 1000001, backends: []"),
			{"3:29: 'max_rate' of pool p must be a whole number from 1 to 1000000, not '1000001'"}},
		{"a load above 100", POOL("load_limit: 101, backends: []"),
			{"3:31: 'load_limit' of pool p must be a whole number from 1 to 100, not '101'"}},
		{"a load limit without loads", POOL("load_limit: 90, backends: []") SERVICE("port: 5060"),
			{"3:9: pool p: 'load_limit' needs loads: from heartbeats ('join'), or 'load_header' of the "
			 "probe"}},
		{"more calls than can be counted",
			POOL("backends: [{name: b, address: 10.0.0.1, max_calls: 1000000}]")
				SERVICE("port: 5060") "limits: {counted_calls: 1024}\n",
			{"3:9: pool p: 'max_calls' 1000000 is more than the 1024 calls that `limits: counted_calls` "
			 "has room for"}},
		{"a load limit of a TCP service",
			POOL("load_limit: 90, probe: {type: options, port: 5060, load_header: X-Load}, backends: []")
				SERVICE("port: 5060, protocol: tcp"),
			{"4:12: service s: pool p has load_limit, which needs protocol udp and affinity call-id"}},
		{"TCP", POOL("balance: least-calls, backends: []") SERVICE("port: 5060, protocol: tcp"),
			{"4:12: service s: pool p has balance least-calls, which needs protocol udp and affinity "
			 "call-id"}},
		{"a different affinity", POOL("balance: bounded, backends: []") SERVICE("port: 5060, affinity: source"),
			{"4:12: service s: pool p has balance bounded, which needs protocol udp and affinity call-id"}},
		{"the rate of a backend of a TCP service",
			POOL("backends: [{name: b, address: 10.0.0.1, max_rate: 7}]")
				SERVICE("port: 5060, protocol: tcp"),
			{"4:12: service s: pool p has max_rate, which needs protocol udp and affinity call-id"}},
	};

	check_readings(rows, COUNT(rows));
	check_rows(faults, COUNT(faults));
}

/* --- services */

Test(config_keys, ports_and_affinities_of_services)
{
	static const struct reading rows[] = {
		{"one port", BACKENDS("") SERVICE("port: 5060"), "port: 5060\n"},
		{"every port", BACKENDS("") SERVICE("port: 0"), "port: 0\n"},
		{"a range", BACKENDS("") SERVICE("port: 5060-5080"), "port: 5060-5080\n"},
		{"the largest range", BACKENDS("") SERVICE("port: 1-65535"), "port: 1-65535\n"},
		{"users", BACKENDS("") SERVICE("port: 1, affinity: from-user"), "affinity: from-user\n"},
		{"users", BACKENDS("") SERVICE("port: 1, affinity: to-user"), "affinity: to-user\n"},
		{"users", BACKENDS("") SERVICE("port: 1, affinity: request-user"), "affinity: request-user\n"},
		{"ping", BACKENDS("") SERVICE("port: 1, ping: true"), "ping: true\n"},
		{"adjacent ranges on one VIP",
			HEAD "pools: [{name: p, backends: []}]\nservices:\n"
			     "- {name: a, vip: 192.0.2.1, port: 5060-5069, pool: p}\n"
			     "- {name: b, vip: 192.0.2.1, port: 5070-5079, pool: p}\n"
			     "- {name: c, vip: 192.0.2.1, port: 5059, pool: p}\n"
			     "- {name: d, vip: 192.0.2.1, port: 0, pool: p}\n",
			"port: 5070-5079\n"},
		{"one range on two VIPs and two protocols",
			HEAD "pools: [{name: p, backends: []}]\nservices:\n"
			     "- {name: a, vip: [192.0.2.1, 192.0.2.2], port: 5060-5069, pool: p}\n"
			     "- {name: b, vip: 192.0.2.3, port: 5060-5069, pool: p}\n"
			     "- {name: c, vip: 192.0.2.1, port: 5060-5069, pool: p, protocol: tcp}\n",
			"protocol: tcp\n"},
	};

	check_readings(rows, COUNT(rows));
}

Test(config_keys, invalid_ports_of_services)
{
	static const struct row rows[] = {
		{"a range with the higher port first", EMPTY("") SERVICE("port: 5080-5060"),
			{"4:54: 'port' of service s must be a whole number from 0 to 65535, or a range such as "
			 "5060-5080, not '5080-5060'"}},
		{"a range from 0", EMPTY("") SERVICE("port: 0-100"),
			{"4:54: must be one port, or a range of at least two ports"}},
		{"a range of one port", EMPTY("") SERVICE("port: 5060-5060"), {"4:54: not '5060-5060'"}},
		{"a range beyond the last port", EMPTY("") SERVICE("port: 5060-65536"), {"4:54: not '5060-65536'"}},
		{"a range without an end", EMPTY("") SERVICE("port: 5060-"), {"4:54: not '5060-'"}},
		{"a range of three numbers", EMPTY("") SERVICE("port: 1-2-3"), {"4:54: not '1-2-3'"}},
		{"a range with spaces", EMPTY("") SERVICE("port: 1 - 2"), {"4:54: not '1 - 2'"}},
		{"a range with a leading zero", EMPTY("") SERVICE("port: 1-02"), {"4:54: not '1-02'"}},
		{"a ping that is not true or false", EMPTY("") SERVICE("port: 1, ping: yes"),
			{"4:63: 'ping' of service s must be 'true' or 'false', not 'yes'"}},
		{"overlapping ranges and ports",
			EMPTY("") "services:\n- {name: a, vip: 192.0.2.1, port: 5060-5080, pool: p}\n"
				  "- {name: b, vip: 192.0.2.1, port: 5080-5090, pool: p}\n"
				  "- {name: c, vip: 192.0.2.1, port: 5070, pool: p}\n"
				  "- {name: e, vip: 192.0.2.1, port: 5070, pool: p, protocol: tcp}\n"
				  "- {name: f, vip: 192.0.2.1, port: 5070-5071, pool: p, protocol: tcp}\n",
			{"6:18: 192.0.2.1 udp port 5080 already belongs to service a (line 5)",
				"7:18: 192.0.2.1 udp port 5070 already belongs to service a (line 5)",
				"9:18: 192.0.2.1 tcp port 5070 already belongs to service e (line 8)"}},
		{"a range that contains all others",
			EMPTY("") "services:\n- {name: a, vip: 192.0.2.1, port: 5060-5080, pool: p}\n"
				  "- {name: b, vip: 192.0.2.1, port: 1-65535, pool: p}\n"
				  "- {name: c, vip: 192.0.2.1, port: 65535, pool: p}\n",
			{"6:18: 192.0.2.1 udp ports 5060-5080 already belong to service a (line 5)",
				"7:18: 192.0.2.1 udp port 65535 already belongs to service b (line 6)"}},
	};

	check_rows(rows, COUNT(rows));
}

/* --- pools */

Test(config_keys, times_and_groups_of_pools)
{
	static const struct reading rows[] = {
		{"times", EMPTY("record_time: 0s, drain_timeout: 1s, slow_start: 1h"),
			"record_time: 0s\n    drain_timeout: 1s\n    slow_start: 1h\n"},
		{"explicit defaults", EMPTY("record_time: 32s, drain_timeout: 60m, slow_start: 0ms, min_alive: 10"),
			"min_alive: 10\n    backends"},
		{"the longest drain_timeout", EMPTY("drain_timeout: 7d"), "drain_timeout: 7d\n"},
		{"groups, above the backends",
			POOL("groups: [{name: g, backends: [b]}], backends: [{name: b, address: 10.0.0.1}]"),
			"groups:\n      - {name: g, backends: [b]}\n"},
		{"no groups", EMPTY("groups: []"), "backends: []\n"},
		{"the same names in a different pool",
			HEAD
			"pools:\n- {name: p, groups: [{name: g, backends: [b]}], backends: [{name: b, address: "
			"10.0.0.1}]}\n"
			"- {name: q, groups: [{name: g, backends: [b]}], backends: [{name: b, address: 10.0.0.1}]}\n",
			"groups:\n      - {name: g, backends: [b]}\n"},
	};

	check_readings(rows, COUNT(rows));
}

#define TWO "backends: [{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.2}], groups: [\n"

Test(config_keys, invalid_times_and_groups)
{
	static const struct row rows[] = {
		{"times", EMPTY("record_time: 2h,\n drain_timeout: 500ms,\n slow_start: 32"),
			{"3:46: 'record_time' of pool p must be a time with its unit, from 0s to 1h, not '2h'",
				"4:17: 'drain_timeout' of pool p must be a time with its unit, from 1s to 7d",
				"5:14: 'slow_start' of pool p must be a time with its unit, from 0s to 1h"}},
		{"a drain_timeout of more than a week", EMPTY("drain_timeout: 169h"), {"3:48: 'drain_timeout'"}},
		{"a backend in two groups", POOL(TWO "{name: g, backends: [a]},\n{name: h, backends: [b, a]}]"),
			{"5:25: backend a is already in group g (line 4)"}},
		{"a backend twice in a group", POOL(TWO "{name: g, backends: [a, a]}]"),
			{"4:25: backend a is already in group g (line 4)"}},
		{"a duplicate group", POOL(TWO "{name: g, backends: []},\n{name: g, backends: []}]"),
			{"5:8: duplicate group name g in this pool (first at line 4)"}},
		{"members that do not exist", POOL(TWO "{name: g, backends: [c, a b, {}]}]"),
			{"4:22: 'backends' of group g: the pool has no backend named c",
				"4:25: 'backends' of group g must be 1 to 63", "4:30: expected a single value"}},
		{"a member that may follow a syntax error",
			HEAD "pools: [{name: p, groups: [{name: g, backends: [b]}], backends: [{name: a, address: "
			     "10.0.0.1}, }\n",
			{"3:96: not YAML"}},
		{"an empty group", POOL(TWO "{},\n{name: g, backends: a}]"),
			{"4:1: a group has no 'name'", "4:1: a group has no 'backends'",
				"5:21: 'backends' of group g: expected a list"}},
		{"groups that are not a list", EMPTY("groups: {a: b}"),
			{"3:41: 'groups' of pool p: expected a list, found a mapping"}},
	};

	check_rows(rows, COUNT(rows));
}

Test(config_keys, group_names)
{
	struct config *config = parse_good(POOL("backends: [{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.2},"
						"{name: c, address: 10.0.0.3}], groups: [{name: g, backends: [c]},"
						"{name: h, backends: [a]}]"));
	const struct config_pool *pool = &config->pools[0];

	cr_expect_str_eq(config_group_name(pool, &pool->backends[0]), "h");
	cr_expect_null(config_group_name(pool, &pool->backends[1]));
	cr_expect_str_eq(config_group_name(pool, &pool->backends[2]), "g");
	config_free(config);
}

/* --- backends */

#define PX(n, more) "{name: px" #n ", address: 10.0.0.1" #n ", " more "}"

Test(config_keys, priorities_hints_and_ports_of_backends)
{
	static const struct reading rows[] = {
		{"the highest priority number", BACKENDS(PX(1, "priority: 255")), "weight: 1, priority: 255}"},
		{"the lowest priority number", BACKENDS(PX(1, "priority: 1")), "weight: 1}"},
		{"hints in the form that is compared",
			BACKENDS(PX(1, "hints: [PX1.Example.Net, 'px1.example.net:5062', 10.0.0.11, '10.0.0.11:5060', "
				       "'[2001:DB8:0::11]', '[2001:db8::11]:5060']")),
			"hints: [px1.example.net, 'px1.example.net:5062', '10.0.0.11', '10.0.0.11:5060', "
			"'[2001:db8::11]', '[2001:db8::11]:5060']}"},
		{"parameters as hints", BACKENDS(PX(1, "hints: [;Node=PX1, ';a.b_c-d=0']")),
			"hints: [';node=px1', ';a.b_c-d=0']}"},
		{"tags as hints", BACKENDS(PX(1, "hints: [TAG=PX1-, tag=0a., tag=a_]")),
			"hints: ['tag=px1-', 'tag=0a.', 'tag=a_']}"},
		{"ports of the VIP as hints, while one port remains for new calls",
			BACKENDS(PX(1, "hints: ['192.0.2.10:5061']") "," PX(2, "hints: ['192.0.2.10:5062']"))
				SERVICE("port: 5060-5062"),
			"hints: ['192.0.2.10:5062']}"},
		{"ports of the VIP of a different pool",
			HEAD "pools: [{name: p, backends: [" PX(
				1, "hints: ['192.0.2.10:5060', 10.0.0.12]") "]},\n"
									    "{name: q, backends: [" PX(
										    2, "") "]}]\n"
											   "services: [{name: s, vip: "
											   "192.0.2.10, port: 5060, "
											   "pool: q}]\n",
			"hints: ['192.0.2.10:5060', '10.0.0.12']}"},
		{"no hints", BACKENDS(PX(1, "hints: []")), "weight: 1}"},
		{"a hint in two pools",
			HEAD "pools: [{name: p, backends: [" PX(1, "hints: [a]") "]},\n"
										 "{name: q, backends: [" PX(
											 1, "hints: [a]") "]}]\n",
			"hints: [a]}"},
		{"one port", BACKENDS(PX(1, "ports: 30000-30000")), "ports: 30000}"},
		{"adjacent ports, port 0, and a service with a different protocol",
			BACKENDS(PX(1, "ports: 30000-30009") "," PX(
				2, "ports: 30010-30019")) "services:\n"
							  "- {name: a, vip: 192.0.2.1, port: 0, pool: p}\n"
							  "- {name: b, vip: 192.0.2.1, port: 30000-30010, pool: p, "
							  "protocol: tcp}\n",
			"ports: 30010-30019}"},
		{"the same ports on different VIPs",
			HEAD "pools: [{name: p, backends: [" PX(1,
				"ports: 30000-30009") "]},\n"
						      "{name: q, backends: [" PX(1,
							      "ports: 30000-30009") "]}]\nservices:\n"
										    "- {name: a, vip: 192.0.2.1, port: "
										    "5060, pool: p}\n"
										    "- {name: b, vip: 192.0.2.2, port: "
										    "30005, pool: p, protocol: tcp}\n"
										    "- {name: c, vip: 192.0.2.3, port: "
										    "5060, pool: q}\n",
			"ports: 30000-30009}"},
	};

	check_readings(rows, COUNT(rows));
}

Test(config_keys, invalid_priorities_hints_and_ports)
{
	static const struct row rows[] = {
		{"priorities", BACKENDS(PX(1, "priority: 0") ",\n" PX(2, "priority: 256")),
			{"3:72: 'priority' of backend px1 must be a whole number from 1 to 255, not '0'",
				"4:43: 'priority' of backend px2 must be a whole number from 1 to 255, not '256'"}},
		{"hints", BACKENDS(PX(1, "hints: [a_b,\n '2001:db8::1',\n a:0,\n '',\n [a]]")),
			{"3:70: 'hints' of backend px1 must be a host as in SIP messages, such as px1.example.net, "
			 "px1.example.net:5062, "
			 "10.0.0.11 or '[2001:db8::11]:5060', a parameter, such as ';node=px1', or a tag, such as "
			 "tag=px1-, "
			 "not 'a_b'",
				"4:2: not '2001:db8::1'", "5:2: not 'a:0'", "6:2: is empty",
				"7:2: expected a single value, found a list"}},
		{"parameters as hints",
			BACKENDS(PX(1, "hints: [;node,\n ;node=,\n ;=px1,\n ';node=a;b=c',\n ';node=a b',\n "
				       "';transport=udp',\n ';node=px1']") ",\n" PX(2, "hints: [;node=PX1]")),
			{"3:70: 'hints' of backend px1 must be a host", "4:2: not ';node='", "5:2: not ';=px1'",
				"6:2: not ';node=a;b=c'", "7:2: not ';node=a b'", "8:2: not ';transport=udp'",
				"10:41: ;node=px1 is already a hint of backend px1 of this pool (line 9)"}},
		{"tags as hints",
			BACKENDS(PX(1, "hints: ['tag=',\n tag=px1,\n tag=-,\n tag=a-b-,\n tag=a--,\n 'tag=a ',\n "
				       "'tag=px1-:5060',\n 'tag=px1-']") ",\n" PX(2, "hints: [tag=PX1-]")),
			{"3:70: 'hints' of backend px1 must be a host", "4:2: not 'tag=px1'", "5:2: not 'tag=-'",
				"6:2: not 'tag=a-b-'", "7:2: not 'tag=a--'", "8:2: not 'tag=a '",
				"9:2: not 'tag=px1-:5060'",
				"11:41: tag=px1- is already a hint of backend px1 of this pool (line 10)"}},
		{"a hint that matches all backends",
			BACKENDS(PX(1, "hints: [192.0.2.10,\n '192.0.2.10:5070']")) SERVICE("port: 5060"),
			{"3:70: a hint of backend px1 cannot be 192.0.2.10: it is a VIP of service s (line 5)"}},
		{"hints that new calls use: port 5060, and the only port of a service",
			BACKENDS(PX(1, "hints: ['192.0.2.10:5060',\n '192.0.2.11:5070',\n '192.0.2.12:5060',\n"
				       "'192.0.2.12:5061']")) "services: [{name: s, vip: 192.0.2.10, port: 5060-5061, "
							      "pool: p},\n"
							      "{name: t, vip: 192.0.2.11, port: 5070, pool: p},\n"
							      "{name: u, vip: 192.0.2.12, port: 0, pool: p}]\n",
			{"3:70: a hint of backend px1 cannot be port 5060 of 192.0.2.10: it is a port of service s "
			 "(line 7), "
			 "which new calls use; use a port that only this backend uses, or a different name",
				"4:2: port 5070 of 192.0.2.11: it is a port of service t (line 8)",
				"5:2: port 5060 of 192.0.2.12: it is a port of service u (line 9)"}},
		{"hints that are the address of a different backend, in any pool of a service",
			HEAD "pools:\n"
			     "- {name: p, backends: [{name: px1, address: 10.0.0.1,\n"
			     "hints: [10.0.0.2,\n '10.0.0.2:5061', '10.0.0.1:5060', 10.0.0.9]},\n"
			     "{name: px2, address: 10.0.0.2}]}\n"
			     "- {name: q, backends: [{name: qx, address: 10.0.0.3,\n hints: [10.0.0.1, 10.0.0.4]}]}\n"
			     "- {name: r, backends: [{name: rx, address: 10.0.0.4}]}\n"
			     "services:\n"
			     "- {name: s, vip: 192.0.2.10, port: 5060, pool: p, methods: {REGISTER: q}}\n"
			     "- {name: t, vip: 192.0.2.10, port: 5062, pool: r}\n",
			{"5:9: a hint of backend px1 cannot be 10.0.0.2: it is the address of backend px2 of pool p "
			 "(line 7)",
				"6:2: a hint of backend px1 cannot be 10.0.0.2: it is the address of backend px2",
				"9:10: a hint of backend qx cannot be 10.0.0.1: it is the address of backend px1 of "
				"pool p (line 4)"}},
		{"hints that are not a list", BACKENDS(PX(1, "hints: a")),
			{"3:69: 'hints' of backend px1: expected a list"}},
		{"a duplicate hint",
			BACKENDS(PX(1, "hints: [a.b, A.B,\n '[2001:db8::1]:1']") ",\n" PX(2, "hints: [a.b, 'a.b:1', "
											     "'[2001:DB8::1]:1']")),
			{"3:75: a.b is already a hint of backend px1 of this pool (line 3)",
				"5:41: a.b is already a hint of backend px1 of this pool (line 3)",
				"5:55: 2001:db8::1 port 1 is already a hint of backend px1 of this pool (line 4)"}},
		{"ports", BACKENDS(PX(1, "ports: 0") ",\n" PX(2, "ports: 2-1") ",\n" PX(3, "ports: 1-65536")),
			{"3:69: 'ports' of backend px1 must be a whole number from 1 to 65535, or a range such as "
			 "5060-5080, "
			 "not '0'",
				"4:40: not '2-1'", "5:40: not '1-65536'"}},
		{"ports of two backends conflict once, not again on their VIP",
			BACKENDS(PX(1, "ports: 30000-30009") ",\n" PX(2, "ports: 30009-30019")) SERVICE("port: 5060"),
			{"4:40: port 30009 already belongs to backend px1 of this pool (line 3)"}},
		{"ports of two backends in an unused pool",
			BACKENDS(PX(1, "ports: 30009-30019") ",\n" PX(2, "ports: 30000-40000")),
			{"4:40: ports 30009-30019 already belong to backend px1 of this pool (line 3)"}},
		{"ports of a service above the pools",
			"services:\n- {name: a, vip: [192.0.2.1, 192.0.2.2], port: 30000-30009, pool: q}\n"
			"- {name: b, vip: 192.0.2.1, port: 5060, pool: p}\n" HEAD
			"pools: [{name: q, backends: []}, {name: p, backends: [\n" PX(1, "ports: 30005-30019") "]}]\n",
			{"7:40: 192.0.2.1 udp ports 30005-30009 already belong to service a (line 2)"}},
		{"ports of a service below the pools", BACKENDS(PX(1, "ports: 30000-30009")) SERVICE("port: 30009"),
			{"3:69: 192.0.2.10 udp port 30009 already belongs to service s (line 4)"}},
		{"ports of backends of two pools on one VIP",
			HEAD "pools: [{name: p, backends: [\n" PX(1,
				"ports: 30000-30009") "]},\n"
						      "{name: q, backends: [\n" PX(1,
							      "ports: 30000-30009") "]}]\n" SERVICE("port: 1, methods: "
												    "{REGISTER: q}"),
			{"6:40: 192.0.2.10 udp ports 30000-30009 already belong to backend px1 (line 4)"}},
		{"an undefined pool and an invalid VIP cause no conflict",
			BACKENDS(PX(1,
				"ports: 30000-30009")) "services: [{name: a, vip: 192.0.2.1, pool: P, port: 30000},\n"
						       "{name: b, vip: x, pool: p, port: 30000}]\n",
			{"4:44: no pool is named P; define it", "5:16: 'vip' of service b must be"}},
	};

	check_rows(rows, COUNT(rows));
}

/* 256 backends with ports, and two services with the same VIPs. */
static struct config *many_ports(size_t vips, struct faults *faults)
{
	char *text = NULL;
	struct config *config;
	size_t length, i, j;
	FILE *out = open_memstream(&text, &length);

	fputs(HEAD "limits: {services: 65536}\npools:\n- name: p\n  backends:\n", out);
	for (i = 0; i < 256; i++)
		fprintf(out, "  - {name: px%zu, address: 10.0.0.%zu, ports: %zu}\n", i, i, 1 + i);
	fputs("services:\n", out);
	for (j = 0; j < 2; j++) {
		fprintf(out, "- {name: s%zu, pool: p, port: %zu, vip: [", j, 1000 * j);
		for (i = 0; i < vips; i++)
			fprintf(out, "%s192.0.%zu.%zu", i ? ", " : "", 2 + i / 200, 1 + i % 200);
		fputs("]}\n", out);
	}
	fclose(out);
	config = parse(text, length, faults);
	free(text);
	return config;
}

Test(config_keys, ports_on_too_many_vips)
{
	struct faults faults;
	struct config *config = many_ports(256, &faults);

	cr_expect(config, "%s", faults.list[0].message);
	config_free(config);
	cr_expect_null(many_ports(257, &faults));
	cr_assert_eq(faults.count, 1);
	cr_expect(fault_is(&faults.list[0], "7:43: too many 'ports'"), "%s", faults.list[0].message);
	faults_free(&faults);
}

/* --- damaged files */

static const char whole_text[] =
	HEAD "join: {listen: '10.0.0.2:7946', secret: 0123456789abcdef, node_timeout: 30s}\n"
	     "metrics: {listen: '127.0.0.1:9464'}\n"
	     "capture: {to: 'udp:10.0.0.50:9060', id: 1, sample: 2, password: a, node: b}\n"
	     "services:\n"
	     "- {name: s, vip: 192.0.2.1, port: 5060-5080, pool: p, affinity: from-user, ping: true}\n"
	     "pools:\n"
	     "- name: p\n"
	     "  probe: {type: options, transport: tls, port: 5061, via: address, interval: 2s, timeout: 1s,\n"
	     "    fall: 3, rise: 2, ok_codes: [200, 4xx], from: 'sip:a@b', request_uri: 'sip:c', user: d,\n"
	     "    ca: /e, sni: f.g, verify: false}\n"
	     "  record_time: 32s\n"
	     "  drain_timeout: 7d\n"
	     "  slow_start: 1m\n"
	     "  groups: [{name: g, backends: [a, b]}, {name: h, backends: []}]\n"
	     "  backends:\n"
	     "  - {name: a, address: 10.0.0.1, priority: 2, hints: [a.b, 'a.b:1', '[2001:db8::1]'], ports: 1-2}\n"
	     "  - {name: b, address: 10.0.0.2, hints: [b.b], ports: 3}\n";

Test(config_keys, a_file_truncated_at_any_byte_is_read_or_refused)
{
	struct faults faults;
	size_t length;

	for (length = 0; length <= strlen(whole_text); length++) {
		config_free(parse(whole_text, length, &faults));
		faults_free(&faults);
	}
	config_free(parse_good(whole_text));
}

Test(config_keys, a_file_with_any_byte_changed_is_read_or_refused)
{
	static const char bytes[] = "\0\n \"#',-0:[]{}~\x80";
	char text[sizeof(whole_text)];
	struct faults faults;
	size_t i, j;

	for (i = 0; i < strlen(whole_text); i++) {
		for (j = 0; j < sizeof(bytes) - 1; j++) {
			memcpy(text, whole_text, sizeof(text));
			text[i] = bytes[j];
			config_free(parse(text, sizeof(text) - 1, &faults));
			faults_free(&faults);
		}
	}
}

Test(config_keys, outer_source)
{
	static const struct reading rows[] = {
		{"IPv4", EMPTY("forward: ipip, outer_source: 172.16.0.0/16"), "outer_source: '172.16.0.0/16'\n"},
		{"IPv6", EMPTY("forward: ipip, outer_source: '2001:db8:5::/64'"), "outer_source: '2001:db8:5::/64'\n"},
		{"the smallest network", EMPTY("forward: ipip, outer_source: 172.16.0.2/31"),
			"outer_source: '172.16.0.2/31'\n"},
	};
	static const struct row faults[] = {
		{"one address", EMPTY("outer_source: 172.16.0.1"),
			{"3:47: 'outer_source' of pool p must be a network such as"}},
		{"host bits", EMPTY("outer_source: 172.16.0.1/16"), {"3:47: 'outer_source' of pool p must be"}},
		{"a network that is too large", EMPTY("outer_source: 172.0.0.0/7"),
			{"3:47: 'outer_source' of pool p must be"}},
		{"a text", EMPTY("outer_source: x"), {"3:47: 'outer_source' of pool p must be"}},
	};

	check_readings(rows, COUNT(rows));
	check_rows(faults, COUNT(faults));
}
