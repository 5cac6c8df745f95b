// SPDX-License-Identifier: GPL-2.0
/* Invalid YAML files: each error with its position and message. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "config_text.h"

Test(config_refused, text_that_is_not_yaml)
{
	static const struct row rows[] = {
		{"an empty text", "", {"1:1: the file is empty"}},
		{"only comments", "# later\n", {"1:1: the file is empty"}},
		{"an empty document", "---\n", {"2:1: the file: expected a mapping of keys and values, found nothing"}},
		{"a word", "hello\n", {"1:1: the file: expected a mapping of keys and values, found a single value"}},
		{"a list", "- a\n", {"1:1: found a list"}},
		{"a tab before a key", HEAD "pools:\n\t- name: a\n", {"4:1: a tab"}},
		{"an unclosed bracket", "interfaces: [eth0\nhash_key: 5\n",
			{"1:14: not 'eth0 hash_key'", "2:9: not YAML: did not find expected ',' or ']' (while parsing "
						      "a flow sequence that begins "
						      "at "
						      "line 1)"}},
		{"an unclosed quote", "interfaces: [\"eth0]\n",
			{"2:1: found unexpected end of stream (while scanning a quoted scalar that begins at line 1)"}},
		{"an extra colon", "interfaces: a: b\n",
			{"1:13: expected a list, found a single value",
				"1:14: not YAML: mapping values are not allowed in this context"}},
		{"faults above a syntax error are reported, objects that may follow it are not missed",
			"interfaces: [a/b]\nhash_kay: 5\nservices:\n- {name: a, pool: later}\n- {name: b, vip: [}\n",
			{"1:14: the name of an interface",
				"2:1: unknown key 'hash_kay' in the file; did you mean 'hash_key'?",
				"4:3: service a has no 'port'", "4:3: service a has no 'vip'",
				"5:19: not YAML: did not find expected node content"}},
		{"a pool that may follow a syntax error is not missed",
			HEAD "services: [{name: a, vip: 192.0.2.1, port: 1, pool: later}]\n"
			     "pools:\n- {name: a, backends: []}\n- }\n",
			{"6:3: not YAML"}},
		{"a second document", HEAD POOLS "---\na: b\n",
			{"7:1: a second YAML document begins here; a file must have only one"}},
		{"an alias", HEAD "pools: *all\n", {"3:8: aliases ('*') are not supported"}},
		{"an anchor", HEAD "pools: &all\n- {name: a, backends: []}\n",
			{"3:8: anchors ('&') are not supported"}},
		{"an anchor on a word", HEAD "pools:\n- {name: &a a, backends: []}\n", {"4:10: anchors ('&')"}},
		{"a tag", HEAD "pools: [!!map {name: !!str a, backends: !b []}]\n",
			{"3:9: tags ('!') are not supported", "3:22: tags ('!')", "3:41: tags ('!')"}},
		{"anchors and aliases in a typical place",
			"interfaces: &i [eth0]\nhash_key: &k 000102030405060708090a0b0c0d0e0f\npools: *i\n*k : 5\n",
			{"1:13: anchors", "2:11: anchors", "3:8: aliases", "4:1: aliases"}},
		{"a merge key", HEAD POOLS "<<: {a: b}\n",
			{"7:1: unknown key '<<' in the file; valid keys: interfaces"}},
		{"sixteen levels", "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", {"1:1: found a list"}},
		{"seventeen levels", "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", {"1:1: found a list", "1:17: too deep"}},
		{"an escaped NUL", HEAD "pools: [{name: \"a\\0\", backends: []}]\n",
			{"3:16: must not contain a NUL character"}},
		{"a key that is a list", HEAD POOLS "[a]: b\n", {"7:1: a key in the file must be a word, not a list"}},
		{"an unknown directive version", "%YAML 9.9\n---\na: b\n", {"1:1: incompatible YAML document"}},
		{"bytes that are not UTF-8, and the faults above them", "interfaces: []\n# caf\xe9\nhash_key: 5\n",
			{"1:13: must not be empty", "2:6: not UTF-8 text: invalid trailing UTF-8 octet (byte 0xe9)"}},
		{"UTF-16", "\xff\xfei", {"1:1: not UTF-8 text: invalid leading UTF-8 octet (byte 0xff)"}},
		{"a bell", "interfaces: [\a]\n", {"1:14: control characters are not allowed (byte 0x07)"}},
	};

	check_rows(rows, COUNT(rows));
}

Test(config_refused, unknown_missing_and_duplicate_keys_and_wrong_kinds)
{
	static const struct row rows[] = {
		{"a file without required keys", "services: []\n",
			{"1:1: the file has no 'interfaces'", "1:1: the file has no 'hash_key'",
				"1:1: the file has no 'pools'"}},
		{"an empty mapping", "{}", {"1:1: no 'interfaces'", "1:1: no 'hash_key'", "1:1: no 'pools'"}},
		{"an empty service", HEAD POOLS "services: [{}]\n",
			{"7:12: a service has no 'name'", "7:12: a service has no 'port'",
				"7:12: a service has no 'vip'", "7:12: a service has no 'pool'"}},
		{"an empty pool and an empty backend", HEAD "pools:\n- {}\n- {name: a, backends: [{}, {name: b}]}\n",
			{"4:3: a pool has no 'name'", "4:3: a pool has no 'backends'", "5:24: a backend has no 'name'",
				"5:24: a backend has no 'address'", "5:28: backend b has no 'address'"}},
		{"misspelled keys",
			HEAD "limit: {}\npools:\n- nmae: a\n  name: a\n  min-alive: 5\n  foward: dsr\n"
			     "  backends: [{adress: 10.0.0.1, name: b, address: 10.0.0.1}]\n",
			{"3:1: unknown key 'limit' in the file; did you mean 'limits'?",
				"5:3: unknown key 'nmae' in pool a; did you mean 'name'?",
				"7:3: unknown key 'min-alive' in pool a; did you mean 'min_alive'?",
				"8:3: unknown key 'foward' in pool a; did you mean 'forward'?",
				"9:15: unknown key 'adress' in backend b; did you mean 'address'?"}},
		{"unknown keys", HEAD POOLS "limits: {cpus: 4}\nversion: 2\n'': 3\nName: a\n",
			{"7:10: unknown key 'cpus' in limits; valid keys: slots, pools, services, backends, "
			 "tracked_calls, counted_calls, guarded_sources",
				"8:1: unknown key 'version' in the file; valid keys: interfaces, macs, hash_key, "
				"limits, "
				"join, metrics, capture, group, guard, pools, services",
				"9:1: unknown key ''", "10:1: unknown key 'Name'"}},
		{"a key of an earlier version", HEAD POOLS "limits: {notes: 65536, slots: 256}\n",
			{"7:10: 'notes' in limits is now called 'tracked_calls'; rename it"}},
		{"a key with control characters", HEAD POOLS "\"a\\e[2Jb\\xe9\": 1\n", {"7:1: unknown key 'a?[2Jb"}},
		{"duplicate keys", HEAD POOLS "pools: []\nhash_key: 5\n",
			{"7:1: duplicate key 'pools' in the file (first at line 3)",
				"8:1: duplicate key 'hash_key' in the file (first at line 2)"}},
		{"a key three times in a backend",
			HEAD "pools: [{name: p, backends: [{name: a, address: 10.0.0.1,\n  name: b, name: c}]}]\n",
			{"4:3: duplicate key 'name' in backend c (first at line 3)",
				"4:12: duplicate key 'name' in backend c"}},
		{"mappings in place of lists",
			"interfaces: {eth0: 1}\nhash_key: 000102030405060708090a0b0c0d0e0f\nservices: {sip: {}}\n"
			"pools: {proxies: {}}\n",
			{"1:13: 'interfaces' of the file: expected a list, found a mapping",
				"3:11: 'services' of the file: expected a list, found a mapping",
				"4:8: 'pools' of the file: expected a list, found a mapping"}},
		{"words in place of lists", "interfaces: eth0\nhash_key: [5]\npools: [{name: a, backends: 10.0.0.1}]\n",
			{"1:13: expected a list, found a single value",
				"2:11: 'hash_key' of the file: expected a single value, found a list",
				"3:29: 'backends' of pool a: expected a list, found a single value"}},
		{"lists and words in place of mappings", HEAD "limits: [slots]\npools: [a, [b], ]\nservices: [a]\n",
			{"3:9: 'limits' of the file: expected a mapping",
				"4:9: 'pools' of the file: expected a mapping",
				"4:12: 'pools' of the file: expected a mapping of keys and values, found a list",
				"5:12: 'services' of the file: expected a mapping"}},
		{"keys without a value", "interfaces:\nhash_key:\nlimits:\npools:\n",
			{"1:12: expected a list, found nothing", "2:10: 'hash_key' of the file is empty",
				"3:8: expected a mapping of keys and values, found nothing",
				"4:7: expected a list, found nothing"}},
		{"empty lists",
			"interfaces: []\nhash_key: 000102030405060708090a0b0c0d0e0f\npools: []\n"
			"services: [{name: a, vip: [], port: 1, pool: p}]\n",
			{"1:13: 'interfaces' of the file must not be empty",
				"3:8: 'pools' of the file must not be empty",
				"4:27: 'vip' of service a must not be empty"}},
		{"unknown methods", HEAD POOLS SERVICES "    methods: {REGISTER: registrars, register: proxies}\n",
			{"12:25: 'pool' of 'methods': no pool is named registrars",
				"12:37: unknown key 'register' in 'methods'"}},
		{"methods and affinities that are invalid for tcp",
			HEAD POOLS SERVICES
			"    methods: {REGISTER: registrars, register: proxies}\n    protocol: tcp\n    affinity: "
			"from-user\n"
			"  - {name: b, vip: 192.0.2.11, port: 1, pool: proxies, protocol: tcp, affinity: call-id}\n"
			"  - {name: c, vip: 192.0.2.11, port: 2, pool: proxies, protocol: tcp, affinity: to-user}\n"
			"  - {name: d, vip: 192.0.2.11, port: 3, pool: proxies, protocol: tcp, affinity: "
			"request-user}\n",
			{"12:14: 'methods' of service sip: only for protocol udp",
				"14:15: 'affinity' of service sip must be source or flow for protocol tcp",
				"15:81: 'affinity' of service b must be source or flow for protocol tcp",
				"16:81: 'affinity' of service c must be source or flow for protocol tcp",
				"17:81: 'affinity' of service d must be source or flow for protocol tcp"}},
	};

	check_rows(rows, COUNT(rows));
}

Test(config_refused, invalid_values)
{
	static const struct row rows[] = {
		{"weights and min_alive",
			HEAD
			"pools: [{name: p, min_alive: 101, backends: [\n  {name: a, address: 10.0.0.1, weight: 1001},\n"
			"  {name: b, address: 10.0.0.2, weight: two}]}]\n",
			{"3:30: 'min_alive' of pool p must be a whole number from 0 to 100, not '101'",
				"4:40: 'weight' of backend a must be a whole number from 0 to 1000, not '1001'",
				"5:40: 'weight' of backend b must be a whole number from 0 to 1000, not 'two'"}},
		{"limits out of range",
			HEAD POOLS "limits: {slots: 128, pools: 0, services: 65537, backends: 65536,\n"
				   "  tracked_calls: 1023, guarded_sources: 16777217}\n",
			{"7:17: 'slots' of limits must be a whole number from 256 to 1048576, not '128'",
				"7:29: 'pools' of limits must be a whole number from 1 to 1024, not '0'",
				"7:42: from 1 to 65536, not '65537'", "7:59: from 1 to 65535, not '65536'",
				"8:18: 'tracked_calls' of limits must be a whole number from 1024 to 16777216, not "
				"'1023'",
				"8:41: from 1024 to 16777216, not '16777217'"}},
		{"slots that are not a power of two", HEAD POOLS "limits: {slots: 1000}\n",
			{"7:17: 'slots' of limits must be a power of two, not '1000'"}},
		{"too many slots", HEAD POOLS "limits: {slots: 2097152}\n", {"7:17: from 256 to 1048576"}},
		{"MAC addresses that are not unicast",
			HEAD POOLS "macs: ['01:00:5e:00:00:01', '00:00:00:00:00:00', x]\n",
			{"7:8: 'macs' of the file must be a unicast MAC address", "7:29: not '00:00:00:00:00:00'",
				"7:50: not 'x'"}},
		{"a short hash key, which the message does not show", "interfaces: [a]\nhash_key: 0123\n" POOLS,
			{"2:11: 'hash_key' of the file must be exactly 32 hex digits ('openssl rand -hex 16' makes "
			 "one)"}},
		{"a long hash key", "interfaces: [a]\nhash_key: 000102030405060708090a0b0c0d0e0f0\n" POOLS,
			{"2:11: exactly 32 hex digits"}},
		{"a hash key with 0x", "interfaces: [a]\nhash_key: 0x0102030405060708090a0b0c0d0e0f\n" POOLS,
			{"2:11: exactly 32 hex digits"}},
		{"invalid interface names",
			"interfaces:\n- a/b\n- a b\n- abcdefghijklmnop\n- .\n- ..\n- a:1\n- ''\n- \"a\\tb\"\n- [a]\n"
			"hash_key: 000102030405060708090a0b0c0d0e0f\n" POOLS,
			{"2:3: must be the name of an interface, such as eth0, not 'a/b'", "3:3: not 'a b'",
				"4:3: not 'abcdefghijklmnop'", "5:3: not '.'", "6:3: not '..'", "7:3: not 'a:1'",
				"8:3: is empty", "9:3: not 'a?b'", "10:3: expected a single value, found a list"}},
		{"names",
			HEAD
			"pools:\n- {name: a b, backends: []}\n- {name: a/b, backends: []}\n- {name: Ä, backends: []}\n"
			"- {name: '', backends: []}\n- {name: [a], backends: []}\n"
			"- {name: a234567890123456789012345678901234567890123456789012345678901234, backends: []}\n",
			{"4:10: 'name' of a pool must be 1 to 63 of the characters A-Z a-z 0-9 . _ -, not 'a b'",
				"5:10: not 'a/b'", "6:10: must be 1 to 63", "7:10: 'name' of a pool is empty",
				"8:10: 'name' of a pool: expected a single value, found a list",
				"9:10: must be 1 to 63"}},
		{"addresses of backends",
			HEAD "pools:\n- name: p\n  backends:\n  - {name: a, address: 10.0.0.300}\n"
			     "  - {name: b, address: 10.0.0.0/8}\n  - {name: c, address: 127.0.0.1}\n"
			     "  - {name: d, address: 224.0.0.1}\n  - {name: e, address: 0.0.0.0}\n"
			     "  - {name: f, address: '::1'}\n  - {name: g, address: fe80::1}\n"
			     "  - {name: h, address: ff02::1}\n  - {name: i, address: '::'}\n"
			     "  - {name: j, address: 255.255.255.255}\n  - {name: k, address: px1.example.net}\n"
			     "  - {name: l, address: 169.254.1.1}\n",
			{"6:24: 'address' of backend a must be an IPv4 or IPv6 address, not '10.0.0.300'",
				"7:24: must be an address without a prefix length, not '10.0.0.0/8'",
				"8:24: 'address' of backend c must be a host address", "9:24: a host address",
				"10:24: a host address", "11:24: a host address", "12:24: a host address",
				"13:24: a host address", "14:24: a host address", "15:24: a host address",
				"16:24: an IPv4 or IPv6 address, not 'px1.example.net'", "17:24: a host address"}},
		{"VIPs",
			HEAD POOLS
			"services: [{name: a, port: 1, pool: proxies, vip: [192.0.2.1/32, 127.0.0.1, {}, '']}]\n",
			{"7:52: 'vip' of service a must be an address without a prefix length", "7:66: a host address",
				"7:77: 'vip' of service a: expected a single value, found a mapping",
				"7:81: 'vip' of service a is empty"}},
		{"MACs",
			HEAD
			"pools: [{name: p, backends: [\n  {name: a, address: 10.0.0.1, mac: '01:00:5e:00:00:01'},\n"
			"  {name: b, address: 10.0.0.2, mac: 2}]}]\n",
			{"4:37: 'mac' of backend a must be a unicast MAC address",
				"5:37: 'mac' of backend b must be a unicast MAC"}},
		{"words", HEAD POOLS "    forward: gre\n" SERVICES "    protocol: UDP\n    affinity: callid\n",
			{"7:14: 'forward' of pool proxies must be 'dsr', 'ipip', 'gue' or 'nat', not 'gre'",
				"13:15: 'protocol' of service sip must be 'udp' or 'tcp', not 'UDP'",
				"14:15: 'affinity' of service sip must be 'call-id', 'from-user', "
				"'to-user', 'request-user', 'source' or 'flow', not 'callid'"}},
	};

	check_rows(rows, COUNT(rows));
}

Test(config_refused, numbers_that_are_not_plain_decimal)
{
	static const char *const numbers[] = {"0x10", "1e3", "-1", "' 5 '", "99999999999", "05060", "65536", "+5",
		"'5 '", "5060.0", "4294967297", "00", "5_060", "five", "'\u0665'", "~", "18446744073709551617", "1:30"};
	struct row row = {.faults = {"3:43: 'port' of service a must be a whole number from 0 to 65535"}};
	char text[512];
	size_t i;

	for (i = 0; i < COUNT(numbers); i++) {
		snprintf(text, sizeof(text),
			HEAD "services: [{name: a, pool: proxies, port: %s, vip: 192.0.2.1}]\n" POOLS, numbers[i]);
		row.name = numbers[i];
		row.text = text;
		check_row(&row);
	}
}

Test(config_refused, an_unreadable_limit_causes_no_further_faults)
{
	static const struct {
		const char *name;
		const char *end;
		const char *fault;
	} rows[] = {
		{"the default applies", "", "36:3: too many pools: the limit is 32; raise it in 'limits'"},
		{"the limit of the file applies", "limits: {pools: 31}\n", "35:3: too many pools: the limit is 31"},
		{"a limit that is not a number", "limits: {pools: x}\n", "44:17: 'pools' of limits must be"},
		{"limits that may follow a syntax error", "services: [}\n", "44:12: not YAML"},
	};
	char text[4096];
	size_t i, j, length;

	for (i = 0; i < COUNT(rows); i++) {
		struct row row = {rows[i].name, text, {rows[i].fault}};

		length = snprintf(text, sizeof(text), HEAD "pools:\n");
		for (j = 0; j < 40; j++)
			length += snprintf(text + length, sizeof(text) - length, "- {name: p%zu, backends: []}\n", j);
		snprintf(text + length, sizeof(text) - length, "%s", rows[i].end);
		check_row(&row);
	}
}

Test(config_refused, contradictions)
{
	static const struct row rows[] = {
		{"duplicate names of interfaces, pools, services and backends",
			"interfaces: [eth0, eth1, eth0]\nhash_key: 000102030405060708090a0b0c0d0e0f\n" POOLS
			"      - {address: 10.0.0.12, name: px1}\n  - {name: proxies, backends: []}\n" SERVICES
			"  - {vip: 192.0.2.10, port: 5061, pool: proxies, name: sip}\n",
			{"1:26: duplicate interface eth0 (first at line 1)",
				"7:36: duplicate backend name px1 in this pool (first at line 6)",
				"8:12: duplicate pool name proxies (first at line 4)",
				"14:56: duplicate service name sip (first at line 10)"}},
		{"a name three times",
			HEAD "pools:\n- {name: a, backends: []}\n- {name: a, backends: []}\n"
			     "- {name: a, backends: []}\n",
			{"5:10: duplicate pool name a (first at line 4)",
				"6:10: duplicate pool name a (first at line 4)"}},
		{"an address twice in a pool, once in a different form",
			HEAD POOLS
			"      - {name: px2, address: '::ffff:10.0.0.11'}\n      - {name: px3, address: 10.0.0.11}\n",
			{"7:30: 10.0.0.11 is already the address of backend px1 of this pool (line 6)",
				"8:30: 10.0.0.11 is already the address of backend px1 of this pool (line 6)"}},
		{"an address twice in a pool, the first without a name",
			HEAD "pools: [{name: p, backends: [{address: '2001:db8::1'},\n {name: b, address: "
			     "'2001:DB8::1'}]}]\n",
			{"3:30: a backend has no 'name'",
				"4:21: 2001:db8::1 is already the address of backend (no name) "
				"of this pool (line 3)"}},
		{"a VIP twice",
			HEAD POOLS SERVICES "  - {name: b, vip: [192.0.2.11, 192.0.2.10], port: 5060, pool: proxies}\n",
			{"12:33: 192.0.2.10 udp port 5060 already belongs to service sip (line 9)"}},
		{"a VIP twice in one service",
			HEAD POOLS
			"services: [{name: a, vip: ['2001:db8::1', '2001:DB8::1'], port: 0, pool: proxies}]\n",
			{"7:43: 2001:db8::1 udp port 0 already belongs to service a (line 7)"}},
		{"unreadable ports and protocols cause no conflict",
			HEAD POOLS SERVICES
			"  - {name: b, vip: 192.0.2.10, pool: proxies}\n"
			"  - {name: c, vip: 192.0.2.10, port: x, pool: proxies}\n"
			"  - {name: d, vip: 192.0.2.10, port: 5060, pool: proxies, protocol: sctp}\n",
			{"12:5: service b has no 'port'", "13:38: 'port' of service c must be",
				"14:69: 'protocol' of service d must be"}},
		{"backends with the address of a VIP",
			HEAD SERVICES "pools:\n- {name: proxies, backends: [{name: a, address: 192.0.2.10}]}\n"
				      "- {name: b, backends: [{name: c, address: 192.0.2.10}]}\n",
			{"9:49: backend a cannot have the address 192.0.2.10: it is a VIP of service sip (line 5)",
				"10:43: backend c cannot have the address 192.0.2.10: it is a VIP of service sip (line "
				"5)"}},
		{"an undefined pool", HEAD POOLS "services: [{name: a, vip: 192.0.2.1, port: 1, pool: proxeis}]\n",
			{"7:53: 'pool' of service a: no pool is named proxeis; did you mean proxies?"}},
		{"an undefined pool without a similar name",
			HEAD POOLS "services: [{name: a, vip: 192.0.2.1, port: 1, pool: sbc}]\n",
			{"7:53: 'pool' of service a: no pool is named sbc; define it under 'pools'"}},
		{"more pools than the limit",
			HEAD "limits: {pools: 1}\npools:\n- {name: a, backends: []}\n- {name: b, backends: []}\n"
			     "- {name: c, backends: []}\n",
			{"6:3: too many pools: the limit is 1; raise it in 'limits' (at most 1024)"}},
		{"more backends than the limit",
			HEAD POOLS "  - {name: b, backends: [{name: c, address: 10.0.0.1}]}\nlimits: {backends: 1}\n",
			{"7:26: too many backends: the limit is 1; raise it in 'limits' (at most 65535)"}},
		{"more services than the limit: each VIP counts",
			HEAD POOLS "limits: {services: 1}\n"
				   "services: [{name: a, vip: [192.0.2.1, 192.0.2.2], port: 1, pool: proxies}]\n",
			{"8:39: too many services (each VIP counts): the limit is 1"}},
		{"an unreadable limit is not applied", HEAD POOLS "limits: {pools: x}\n",
			{"7:17: 'pools' of limits must be a whole number"}},
		{"all faults in one run, in the order of the file",
			"services:\n- {name: sip, vip: 10.0.0.11, port: 70000, pool: proxy, colour: red}\n"
			"pools:\n- name: proxies\n  forward: tunnel\n  backends:\n  - {name: px1, address: 10.0.0.11, "
			"weight: -1}\n"
			"  - {name: px1, address: 10.0.0.12/8}\ninterfaces: [eth0, eth0]\nhash_key: none\nlimits: "
			"{slots: 0}\n",
			{"2:37: 'port' of service sip must be a whole number from 0 to 65535, or a range such as "
			 "5060-5080, not '70000'",
				"2:50: no pool is named proxy; define it", "2:57: unknown key 'colour' in service sip",
				"5:12: 'forward' of pool proxies must be 'dsr', 'ipip', 'gue' or 'nat', not 'tunnel'",
				"7:26: backend px1 cannot have the address 10.0.0.11: it is a VIP of service sip (line "
				"2)",
				"7:45: 'weight' of backend px1 must be a whole number from 0 to 1000, not '-1'",
				"8:12: duplicate backend name px1 in this pool (first at line 7)",
				"8:26: 'address' of backend px1 must be an address without a prefix length, not "
				"'10.0.0.12/8'",
				"9:20: duplicate interface eth0 (first at line 9)",
				"10:11: 'hash_key' of the file must be exactly",
				"11:17: 'slots' of limits must be a whole number from 256 to 1048576, not '0'"}},
	};

	check_rows(rows, COUNT(rows));
}
