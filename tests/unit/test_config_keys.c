// SPDX-License-Identifier: GPL-2.0
/* Ranges of ports, probes, times, groups, hints and join of the YAML file: what is taken as
 * what, and what is refused. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "config_text.h"

/* Line 3 of a file: a pool, with more keys of it or with backends; and a service of it. */
#define POOL(more) HEAD "pools: [{name: p, " more "}]\n"
#define EMPTY(more) POOL("backends: [], " more)
#define BACKENDS(list) POOL("backends: [" list "]")
#define SERVICE(more) "services: [{name: s, vip: 192.0.2.10, pool: p, " more "}]\n"
#define JOIN(more) HEAD POOLS "join: {" more "}\n"

/* A text that is right, and what config_write makes of one line of it. */
struct reading {
	const char *name;
	const char *text;
	const char *written;
};

static void check_readings(const struct reading *rows, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		struct config *config = parse_good(rows[i].text);
		char *text = write_text(config);

		cr_expect(strstr(text, rows[i].written), "%s: '%s' is not in\n%s", rows[i].name, rows[i].written, text);
		config_free(config);
		free(text);
	}
}

/* --- backends */

Test(config_keys, forward_and_admin_of_backends)
{
	static const struct reading rows[] = {
		{"as the pool", BACKENDS("{name: b, address: 10.0.0.1}"), "{name: b, address: 10.0.0.1, weight: 1}\n"},
		{"one in another network", BACKENDS("{name: b, address: 10.0.0.1, forward: ipip}"),
			"weight: 1, forward: ipip}\n"},
		{"one nearby", POOL("forward: ipip, backends: [{name: b, address: 10.0.0.1, forward: dsr}]"),
			"weight: 1, forward: dsr}\n"},
		{"what the pool says, too", BACKENDS("{name: b, address: 10.0.0.1, forward: dsr}"),
			"weight: 1, forward: dsr}\n"},
		{"drain", BACKENDS("{name: b, address: 10.0.0.1, admin: drain}"), "weight: 1, admin: drain}\n"},
		{"maint", BACKENDS("{name: b, address: 10.0.0.1, admin: maint}"), "weight: 1, admin: maint}\n"},
		{"ready is something else than nothing", BACKENDS("{name: b, address: 10.0.0.1, admin: ready}"),
			"weight: 1, admin: ready}\n"},
	};
	static const struct row faults[] = {
		{"words", BACKENDS("{name: b, address: 10.0.0.1, forward: gre, admin: off}"),
			{"3:68: 'forward' of backend b must be 'dsr' or 'ipip', not 'gre'",
				"3:80: 'admin' of backend b must be 'ready', 'drain' or 'maint', not 'off'"}},
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
		{"the greatest range", BACKENDS("") SERVICE("port: 1-65535"), "port: 1-65535\n"},
		{"users", BACKENDS("") SERVICE("port: 1, affinity: from-user"), "affinity: from-user\n"},
		{"users", BACKENDS("") SERVICE("port: 1, affinity: to-user"), "affinity: to-user\n"},
		{"users", BACKENDS("") SERVICE("port: 1, affinity: request-user"), "affinity: request-user\n"},
		{"ping", BACKENDS("") SERVICE("port: 1, ping: true"), "ping: true\n"},
		{"ranges side by side, of one VIP",
			HEAD "pools: [{name: p, backends: []}]\nservices:\n"
			     "- {name: a, vip: 192.0.2.1, port: 5060-5069, pool: p}\n"
			     "- {name: b, vip: 192.0.2.1, port: 5070-5079, pool: p}\n"
			     "- {name: c, vip: 192.0.2.1, port: 5059, pool: p}\n"
			     "- {name: d, vip: 192.0.2.1, port: 0, pool: p}\n",
			"port: 5070-5079\n"},
		{"one range, of two VIPs and two protocols",
			HEAD "pools: [{name: p, backends: []}]\nservices:\n"
			     "- {name: a, vip: [192.0.2.1, 192.0.2.2], port: 5060-5069, pool: p}\n"
			     "- {name: b, vip: 192.0.2.3, port: 5060-5069, pool: p}\n"
			     "- {name: c, vip: 192.0.2.1, port: 5060-5069, pool: p, protocol: tcp}\n",
			"protocol: tcp\n"},
	};

	check_readings(rows, COUNT(rows));
}

Test(config_keys, refuses_ports_of_services)
{
	static const struct row rows[] = {
		{"from the greater to the less", EMPTY("") SERVICE("port: 5080-5060"),
			{"4:54: 'port' of service s must be a whole number from 0 to 65535, or a range such as "
			 "5060-5080, not '5080-5060'"}},
		{"from nothing on", EMPTY("") SERVICE("port: 0-100"),
			{"4:54: must be one port, or a range of at least two ports"}},
		{"of one", EMPTY("") SERVICE("port: 5060-5060"), {"4:54: not '5060-5060'"}},
		{"too far", EMPTY("") SERVICE("port: 5060-65536"), {"4:54: not '5060-65536'"}},
		{"without an end", EMPTY("") SERVICE("port: 5060-"), {"4:54: not '5060-'"}},
		{"of three", EMPTY("") SERVICE("port: 1-2-3"), {"4:54: not '1-2-3'"}},
		{"with spaces", EMPTY("") SERVICE("port: 1 - 2"), {"4:54: not '1 - 2'"}},
		{"with a leading zero", EMPTY("") SERVICE("port: 1-02"), {"4:54: not '1-02'"}},
		{"a ping that is no truth", EMPTY("") SERVICE("port: 1, ping: yes"),
			{"4:63: 'ping' of service s must be 'true' or 'false', not 'yes'"}},
		{"ranges and ports that meet",
			EMPTY("") "services:\n- {name: a, vip: 192.0.2.1, port: 5060-5080, pool: p}\n"
				  "- {name: b, vip: 192.0.2.1, port: 5080-5090, pool: p}\n"
				  "- {name: c, vip: 192.0.2.1, port: 5070, pool: p}\n"
				  "- {name: e, vip: 192.0.2.1, port: 5070, pool: p, protocol: tcp}\n"
				  "- {name: f, vip: 192.0.2.1, port: 5070-5071, pool: p, protocol: tcp}\n",
			{"6:18: 192.0.2.1 udp port 5080 already belongs to service a (line 5)",
				"7:18: 192.0.2.1 udp port 5070 already belongs to service a (line 5)",
				"9:18: 192.0.2.1 tcp port 5070 already belongs to service e (line 8)"}},
		{"a range that holds all others",
			EMPTY("") "services:\n- {name: a, vip: 192.0.2.1, port: 5060-5080, pool: p}\n"
				  "- {name: b, vip: 192.0.2.1, port: 1-65535, pool: p}\n"
				  "- {name: c, vip: 192.0.2.1, port: 65535, pool: p}\n",
			{"6:18: 192.0.2.1 udp ports 5060-5080 already belong to service a (line 5)",
				"7:18: 192.0.2.1 udp port 65535 already belongs to service b (line 6)"}},
	};

	check_rows(rows, COUNT(rows));
}

/* --- probes */

Test(config_keys, probes)
{
	static const struct reading rows[] = {
		{"none", EMPTY("probe: none"), "min_alive: 10\n    backends"},
		{"none, at length", EMPTY("probe: {type: none}"), "min_alive: 10\n    backends"},
		{"a word", EMPTY("probe: options"),
			"    probe:\n      type: options\n      transport: udp\n    backends"},
		{"a word", EMPTY("probe: icmp"), "    probe:\n      type: icmp\n    backends"},
		{"the transport is the first service's", EMPTY("probe: options") SERVICE("port: 5060, protocol: tcp"),
			"transport: tcp\n    backends"},
		{"the transport is the first service's, whoever else there is",
			EMPTY("probe: register") "services: [{name: a, vip: 192.0.2.1, port: 1, pool: p},"
						 "{name: b, vip: 192.0.2.1, port: 1, pool: p, protocol: tcp}]",
			"transport: udp\n    backends"},
		{"a service uses a pool by a method, too",
			HEAD "pools: [{name: p, backends: []}, {name: q, backends: [], probe: options}]\n" SERVICE(
				"port: 1, methods: {REGISTER: q}"),
			"transport: udp\n    backends"},
		{"the transport that is said",
			EMPTY("probe: {type: options, transport: tls, port: 5061}") SERVICE("port: 5060"),
			"transport: tls\n      port: 5061\n    backends"},
		{"a timeout is never longer than the interval", EMPTY("probe: {type: tcp, interval: 500ms}"),
			"type: tcp\n      interval: 500ms\n    backends"},
		{"a short timeout", EMPTY("probe: {type: tcp, interval: 1s, timeout: 10ms}"),
			"type: tcp\n      interval: 1s\n      timeout: 10ms\n    backends"},
		{"defaults, said",
			EMPTY("probe: {type: tls, via: vip, port: 0, interval: 2s, timeout: 1s, fall: 3, rise: 2, "
			      "verify: true}"),
			"type: tls\n    backends"},
		{"what tls can have", EMPTY("probe: {type: tls, ca: /a b, sni: A.b, verify: false}"),
			"ca: '/a b'\n      sni: A.b\n      verify: false\n"},
		{"codes", EMPTY("probe: {type: options, ok_codes: [100, 1xx, 486, 699, 486]}"),
			"ok_codes: [1xx, 486, 699]\n"},
		{"the default codes", EMPTY("probe: {type: options, ok_codes: [2xx, 3xx, 4xx, 501, 6xx]}"),
			"transport: udp\n    backends"},
		{"a port of its own where the services have none",
			EMPTY("probe: {type: options, port: 5060}") SERVICE("port: 0"), "port: 5060\n    backends"},
		{"icmp needs no port", EMPTY("probe: icmp") SERVICE("port: 0"), "type: icmp\n"},
		{"nobody to ask for", EMPTY("probe: tls"), "type: tls\n"},
		{"a range has a port", EMPTY("probe: options") SERVICE("port: 5060-5080"), "type: options\n"},
	};

	check_readings(rows, COUNT(rows));
}

#define PROBE(more) EMPTY("probe: {type: " more "}")

Test(config_keys, refuses_probes)
{
	static const struct row rows[] = {
		{"a word that is none", EMPTY("probe: ping"),
			{"3:40: 'probe' of pool p must be 'none', 'options', 'register', 'tcp', 'tls' or "
			 "'icmp', "
			 "not 'ping'"}},
		{"a list", EMPTY("probe: [tcp]"), {"3:40: 'probe' of pool p: expected a single value, found a list"}},
		{"nothing", EMPTY("probe: "), {"3:40: 'probe' of pool p is empty"}},
		{"no type: no key is refused for it", EMPTY("probe: {interval: 1s, ca: /a, from: 'sip:a', tpye: tcp}"),
			{"3:40: the probe of pool p has no 'type'",
				"3:78: unknown key 'tpye' in the probe of pool p; did you mean 'type'?"}},
		{"an unknown type: no key is refused for it", PROBE("tpc, ca: /a, from: 'sip:a', transport: udp"),
			{"3:47: 'type' of the probe of pool p must be 'none'"}},
		{"an unknown transport: no key is refused for it", PROBE("options, ca: /a, transport: sctp"),
			{"3:75: 'transport' of the probe of pool p must be 'udp', 'tcp' or 'tls', not 'sctp'"}},
		{"what none cannot use",
			PROBE("none, interval: 1s,\n timeout: 1s,\n fall: 1,\n rise: 1,\n via: vip,\n port: 1,\n "
			      "verify: true"),
			{"3:63: 'interval' of the probe of pool p: not for type none; remove it", "4:11: 'timeout'",
				"5:8: 'fall'", "6:8: 'rise'", "7:7: 'via'", "8:8: 'port'", "9:10: 'verify'"}},
		{"what tcp cannot use",
			PROBE("tcp, transport: tcp,\n ok_codes: [200],\n from: 'sip:a',\n request_uri: 'sip:a',\n "
			      "user: a,\n"
			      " ca: /a,\n sni: a,\n verify: true"),
			{"3:63: 'transport' of the probe of pool p: only for types options and register; remove it",
				"4:12: 'ok_codes'", "5:8: 'from'", "6:15: 'request_uri'", "7:8: 'user'", "8:6: 'ca'",
				"9:7: 'sni'", "10:10: 'verify'"}},
		{"what icmp cannot use", PROBE("icmp, port: 1"), {"3:59: not for types none and icmp"}},
		{"what tls cannot use", PROBE("tls, transport: tls"), {"3:63: only for types options and register"}},
		{"what options cannot use", PROBE("options, transport: udp,\n ca: /a,\n sni: a,\n verify: true"),
			{"4:6: 'ca' of the probe of pool p: only for type tls, and for options and register with "
			 "transport tls",
				"5:7: 'sni'", "6:10: 'verify'"}},
		{"numbers and words", PROBE("tcp, via: both,\n port: 65536,\n fall: 0,\n rise: 101"),
			{"3:57: 'via' of the probe of pool p must be 'vip' or 'address', not 'both'",
				"4:8: from 0 to 65535",
				"5:8: 'fall' of the probe of pool p must be a whole number from 1 to 100",
				"6:8: 'rise'"}},
		{"times of a probe", PROBE("tcp, interval: 99ms,\n timeout: 2h"),
			{"3:62: 'interval' of the probe of pool p must be a time with its unit, from 100ms to 1h, not "
			 "'99ms'",
				"4:11: 'timeout' of the probe of pool p must be a time with its unit, from 10ms to "
				"1h"}},
		{"a number without a unit", PROBE("tcp, interval: 2"), {"3:62: a time with its unit"}},
		{"a timeout that is too long", PROBE("tcp, timeout: 3s"),
			{"3:61: 'timeout' of the probe of pool p must be at most the interval, 2s, not '3s'"}},
		{"the interval may come later", PROBE("tcp, timeout: 3s, interval: 2500ms"),
			{"3:61: the interval, 2500ms"}},
		{"an interval that is not known limits nothing", PROBE("tcp, timeout: 1h, interval: 5"),
			{"3:75: 'interval'"}},
		{"codes",
			PROBE("options, ok_codes: [99,\n 700,\n 2x,\n 2xxx,\n xxx,\n 20,\n 2000,\n 0xx,\n 4XX,\n "
			      "[200]]"),
			{"3:67: 'ok_codes' of the probe of pool p must be a SIP status code, or a class of them, "
			 "such as "
			 "200 or 4xx, not '99'",
				"4:2: not '700'", "5:2: not '2x'", "6:2: not '2xxx'", "7:2: not 'xxx'", "8:2: not '20'",
				"9:2: not '2000'", "10:2: not '0xx'", "11:2: not '4XX'",
				"12:2: expected a single value"}},
		{"no codes", PROBE("options, ok_codes: []"),
			{"3:66: 'ok_codes' of the probe of pool p must not be empty"}},
		{"codes that are no list", PROBE("options, ok_codes: 200"), {"3:66: expected a list"}},
		{"texts",
			PROBE("options, transport: tls, from: 'tel:1',\n request_uri: 'sip:a b',\n user: 'a@b',\n ca: "
			      "ca.pem,\n"
			      " sni: 10.0.0.1,\n verify: 1"),
			{"3:78: 'from' of the probe of pool p must be a SIP URI, such as sip:probe@example.net, not "
			 "'tel:1'",
				"4:15: 'request_uri' of the probe of pool p must be a SIP URI",
				"5:8: must be the user part of a SIP URI, such as probe, not 'a@b'",
				"6:6: must be the absolute path of a file, such as /etc/sipxdp/ca.pem, not 'ca.pem'",
				"7:7: must be the name of a host, such as sip.example.net, not '10.0.0.1'",
				"8:10: must be 'true' or 'false', not '1'"}},
		{"URIs that end or break a header",
			PROBE("options, from: \"sip:a\\r\\nb\",\n request_uri: 'sip:',\n user: ''"),
			{"3:62: 'from' of", "4:15: not 'sip:'", "5:8: is empty"}},
		{"no port to be had", EMPTY("probe: options") SERVICE("port: 0"),
			{"3:9: pool p: the probe needs a 'port', because no udp service of the pool has one"}},
		{"no port of the protocol to be had", PROBE("options, transport: tls") SERVICE("port: 5060"),
			{"3:9: pool p: the probe needs a 'port', because no tcp service of the pool has one"}},
		{"no port of the protocol to be had", EMPTY("probe: tcp") SERVICE("port: 5060"),
			{"3:9: no tcp service"}},
		{"a port that is unknown is not missed", EMPTY("probe: tcp") SERVICE("port: x"), {"4:54: 'port'"}},
	};

	check_rows(rows, COUNT(rows));
}

Test(config_keys, default_probe)
{
	struct config *config = parse_good(EMPTY("probe: options"));
	const struct config_probe *probe = &config->pools[0].probe;
	unsigned int code;

	cr_expect(probe->interval == 2000 && probe->timeout == 1000 && probe->fall == 3 && probe->rise == 2);
	cr_expect(probe->verify && !probe->to_address && !probe->port);
	cr_expect(!probe->from && !probe->request_uri && !probe->user && !probe->ca && !probe->sni);
	for (code = 0; code < 1000; code++) {
		bool ok = (code >= 200 && code < 500) || code == 501 || (code >= 600 && code < 700);

		cr_expect_eq(config_code_is_ok(probe, code), ok, "%u", code);
	}
	config_free(config);
}

/* Each pool's name says which service must be the one that is asked for. */
Test(config_keys, the_service_that_a_probe_asks_for)
{
	static const char text[] =
		HEAD "services:\n"
		     "- {name: other, vip: 192.0.2.1, port: 1, pool: none}\n"
		     "- {name: first, vip: 192.0.2.1, port: 0, pool: port, methods: {REGISTER: first, INVITE: tls}}\n"
		     "- {name: port, vip: 192.0.2.2, port: 2, pool: port, methods: {INVITE: tls}}\n"
		     "- {name: tls, vip: 192.0.2.2, port: 2, pool: tls, protocol: tcp}\n"
		     "pools:\n"
		     "- {name: first, backends: [], probe: icmp}\n"
		     "- {name: port, backends: [], probe: options}\n"
		     "- {name: tls, backends: [], probe: {type: options, transport: tls}}\n"
		     "- {name: nobody, backends: [], probe: options}\n"
		     "- {name: none, backends: []}\n";
	struct config *config = parse_good(text);
	size_t i;

	for (i = 0; i < 3; i++)
		cr_expect_str_eq(config_probed_service(config, &config->pools[i])->name, config->pools[i].name);
	cr_expect_null(config_probed_service(config, &config->pools[3]));
	cr_expect(config_service_uses_pool(&config->services[1], 0));
	cr_expect(config_service_uses_pool(&config->services[1], 1));
	cr_expect_not(config_service_uses_pool(&config->services[1], 4));
	config_free(config);
}

/* --- pools */

Test(config_keys, times_and_groups_of_pools)
{
	static const struct reading rows[] = {
		{"times", EMPTY("record_time: 0s, drain_timeout: 1s, slow_start: 1h"),
			"record_time: 0s\n    drain_timeout: 1s\n    slow_start: 1h\n"},
		{"defaults, said", EMPTY("record_time: 32s, drain_timeout: 60m, slow_start: 0ms, min_alive: 10"),
			"min_alive: 10\n    backends"},
		{"the longest drain", EMPTY("drain_timeout: 7d"), "drain_timeout: 7d\n"},
		{"groups, above the backends",
			POOL("groups: [{name: g, backends: [b]}], backends: [{name: b, address: 10.0.0.1}]"),
			"groups:\n      - {name: g, backends: [b]}\n"},
		{"no groups", EMPTY("groups: []"), "backends: []\n"},
		{"the same names in another pool",
			HEAD
			"pools:\n- {name: p, groups: [{name: g, backends: [b]}], backends: [{name: b, address: "
			"10.0.0.1}]}\n"
			"- {name: q, groups: [{name: g, backends: [b]}], backends: [{name: b, address: 10.0.0.1}]}\n",
			"groups:\n      - {name: g, backends: [b]}\n"},
	};

	check_readings(rows, COUNT(rows));
}

#define TWO "backends: [{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.2}], groups: [\n"

Test(config_keys, refuses_times_and_groups)
{
	static const struct row rows[] = {
		{"times", EMPTY("record_time: 2h,\n drain_timeout: 500ms,\n slow_start: 32"),
			{"3:46: 'record_time' of pool p must be a time with its unit, from 0s to 1h, not '2h'",
				"4:17: 'drain_timeout' of pool p must be a time with its unit, from 1s to 7d",
				"5:14: 'slow_start' of pool p must be a time with its unit, from 0s to 1h"}},
		{"a drain of more than a week", EMPTY("drain_timeout: 169h"), {"3:48: 'drain_timeout'"}},
		{"a backend in two groups", POOL(TWO "{name: g, backends: [a]},\n{name: h, backends: [b, a]}]"),
			{"5:25: backend a is already in group g (line 4)"}},
		{"a backend twice in a group", POOL(TWO "{name: g, backends: [a, a]}]"),
			{"4:25: backend a is already in group g (line 4)"}},
		{"a group twice", POOL(TWO "{name: g, backends: []},\n{name: g, backends: []}]"),
			{"5:8: duplicate group name g in this pool (first at line 4)"}},
		{"who is not there", POOL(TWO "{name: g, backends: [c, a b, {}]}]"),
			{"4:22: 'backends' of group g: the pool has no backend named c",
				"4:25: 'backends' of group g must be 1 to 63", "4:30: expected a single value"}},
		{"who may be there, below bad syntax",
			HEAD "pools: [{name: p, groups: [{name: g, backends: [b]}], backends: [{name: a, address: "
			     "10.0.0.1}, }\n",
			{"3:96: not YAML"}},
		{"nothing", POOL(TWO "{},\n{name: g, backends: a}]"),
			{"4:1: a group has no 'name'", "4:1: a group has no 'backends'",
				"5:21: 'backends' of group g: expected a list"}},
		{"no list", EMPTY("groups: {a: b}"), {"3:41: 'groups' of pool p: expected a list, found a mapping"}},
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
		{"the last to take calls", BACKENDS(PX(1, "priority: 255")), "weight: 1, priority: 255}"},
		{"the first", BACKENDS(PX(1, "priority: 1")), "weight: 1}"},
		{"hints as they are compared",
			BACKENDS(PX(1, "hints: [PX1.Example.Net, 'px1.example.net:5062', 10.0.0.11, '10.0.0.11:5060', "
				       "'[2001:DB8:0::11]', '[2001:db8::11]:5060']")),
			"hints: [px1.example.net, 'px1.example.net:5062', '10.0.0.11', '10.0.0.11:5060', "
			"'[2001:db8::11]', '[2001:db8::11]:5060']}"},
		{"ports of the VIP as hints, where one is left for new calls",
			BACKENDS(PX(1, "hints: ['192.0.2.10:5061']") "," PX(2, "hints: ['192.0.2.10:5062']"))
				SERVICE("port: 5060-5062"),
			"hints: ['192.0.2.10:5062']}"},
		{"ports of a VIP that is another pool's",
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
		{"ports side by side, a port 0, and a service in another protocol",
			BACKENDS(PX(1, "ports: 30000-30009") "," PX(
				2, "ports: 30010-30019")) "services:\n"
							  "- {name: a, vip: 192.0.2.1, port: 0, pool: p}\n"
							  "- {name: b, vip: 192.0.2.1, port: 30000-30010, pool: p, "
							  "protocol: tcp}\n",
			"ports: 30010-30019}"},
		{"the same ports behind other VIPs",
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

Test(config_keys, refuses_priorities_hints_and_ports)
{
	static const struct row rows[] = {
		{"priorities", BACKENDS(PX(1, "priority: 0") ",\n" PX(2, "priority: 256")),
			{"3:72: 'priority' of backend px1 must be a whole number from 1 to 255, not '0'",
				"4:43: 'priority' of backend px2 must be a whole number from 1 to 255, not '256'"}},
		{"hints", BACKENDS(PX(1, "hints: [a_b,\n '2001:db8::1',\n a:0,\n '',\n [a]]")),
			{"3:70: 'hints' of backend px1 must be a host as in SIP messages, such as px1.example.net, "
			 "px1.example.net:5062, "
			 "10.0.0.11 or '[2001:db8::11]:5060', not 'a_b'",
				"4:2: not '2001:db8::1'", "5:2: not 'a:0'", "6:2: is empty",
				"7:2: expected a single value, found a list"}},
		{"a hint that names all backends",
			BACKENDS(PX(1, "hints: [192.0.2.10,\n '192.0.2.10:5070']")) SERVICE("port: 5060"),
			{"3:70: a hint of backend px1 cannot be 192.0.2.10: it is a VIP of service s (line 5)"}},
		{"hints that new calls name: SIP's port, and the only one",
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
		{"hints that are another's address, in any pool of a service",
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
		{"hints that are no list", BACKENDS(PX(1, "hints: a")),
			{"3:69: 'hints' of backend px1: expected a list"}},
		{"a hint twice",
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
		{"ports of two backends, and of a VIP of theirs: told once",
			BACKENDS(PX(1, "ports: 30000-30009") ",\n" PX(2, "ports: 30009-30019")) SERVICE("port: 5060"),
			{"4:40: port 30009 already belongs to backend px1 of this pool (line 3)"}},
		{"ports of two backends of a pool that nobody uses",
			BACKENDS(PX(1, "ports: 30009-30019") ",\n" PX(2, "ports: 30000-40000")),
			{"4:40: ports 30009-30019 already belong to backend px1 of this pool (line 3)"}},
		{"a service's ports, wherever it stands",
			"services:\n- {name: a, vip: [192.0.2.1, 192.0.2.2], port: 30000-30009, pool: q}\n"
			"- {name: b, vip: 192.0.2.1, port: 5060, pool: p}\n" HEAD
			"pools: [{name: q, backends: []}, {name: p, backends: [\n" PX(1, "ports: 30005-30019") "]}]\n",
			{"7:40: 192.0.2.1 udp ports 30005-30009 already belong to service a (line 2)"}},
		{"a service below", BACKENDS(PX(1, "ports: 30000-30009")) SERVICE("port: 30009"),
			{"3:69: 192.0.2.10 udp port 30009 already belongs to service s (line 4)"}},
		{"ports of backends of two pools that have a VIP in common",
			HEAD "pools: [{name: p, backends: [\n" PX(1,
				"ports: 30000-30009") "]},\n"
						      "{name: q, backends: [\n" PX(1,
							      "ports: 30000-30009") "]}]\n" SERVICE("port: 1, methods: "
												    "{REGISTER: q}"),
			{"6:40: 192.0.2.10 udp ports 30000-30009 already belong to backend px1 (line 4)"}},
		{"a pool and a VIP that are not known have no ports",
			BACKENDS(PX(1,
				"ports: 30000-30009")) "services: [{name: a, vip: 192.0.2.1, pool: P, port: 30000},\n"
						       "{name: b, vip: x, pool: p, port: 30000}]\n",
			{"4:44: no pool is named P; define it", "5:16: 'vip' of service b must be"}},
	};

	check_rows(rows, COUNT(rows));
}

/* 256 backends with ports, and two services that have these VIPs in common. */
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

Test(config_keys, ports_of_more_vips_than_there_is_room_for)
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

/* --- join */

Test(config_keys, join)
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
	cr_expect(config->join.port == 0 && !config->join.secret, "nobody may join unless told");
	config_free(config);
}

#define SECRET "secret: 0123456789abcdef"
#define LONG64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

Test(config_keys, refuses_join)
{
	static const struct row rows[] = {
		{"nothing", JOIN(""), {"7:7: join has no 'listen'", "7:7: join has no 'secret'"}},
		{"no port", JOIN("listen: 10.0.0.2, " SECRET),
			{"7:16: 'listen' of join must be an address of this machine and a port, such as 10.0.0.2:7946 "
			 "or "
			 "[2001:db8::2]:7946, not '10.0.0.2'"}},
		{"a name", JOIN("listen: 'lb.example.net:1', " SECRET), {"7:16: 'listen' of join must be an address"}},
		{"every address", JOIN("listen: '0.0.0.0:1', " SECRET), {"7:16: 'listen' of join"}},
		{"every address", JOIN("listen: '[::]:1', " SECRET), {"7:16: 'listen' of join"}},
		{"many", JOIN("listen: '224.0.0.1:1', " SECRET), {"7:16: 'listen' of join"}},
		{"a VIP, above", HEAD POOLS SERVICES "join: {listen: '192.0.2.10:1', " SECRET "}\n",
			{"12:16: 'listen' of join cannot be 192.0.2.10: it is a VIP of service sip (line 9)"}},
		{"a VIP, below", "join: {listen: '192.0.2.10:1', " SECRET "}\n" HEAD POOLS SERVICES,
			{"1:16: 'listen' of join cannot be 192.0.2.10: it is a VIP of service sip (line 10)"}},
		{"a short secret, that is not shown", JOIN("listen: '10.0.0.2:1', secret: 0123456789abcde"),
			{"7:38: 'secret' of join must be 16 to 255 printable ASCII characters ('openssl rand -hex 16' "
			 "makes "
			 "one)"}},
		{"a long secret", JOIN("listen: '10.0.0.2:1', secret: " LONG64 LONG64 LONG64 LONG64),
			{"7:38: 'secret' of join must be 16 to 255"}},
		{"a secret that cannot be printed", JOIN("listen: '10.0.0.2:1', secret: \"0123456789abcdef\\n\""),
			{"7:38: 'secret' of join must be 16 to 255"}},
		{"of a file that save wrote for others than root", JOIN("listen: '10.0.0.2:1', secret: hidden"),
			{"7:38: 'secret' of join is hidden in this file: 'sipxdp-ctl save' writes it only for root"}},
		{"no network", JOIN("listen: '10.0.0.2:1', from: [], " SECRET), {"7:36: 'from' of join"}},
		{"networks that are none", JOIN("listen: '10.0.0.2:1', from: [10.0.0.1/24, servers], " SECRET),
			{"7:37: 'from' of join must be a network or an address, such as 10.0.0.0/24 or 2001:db8::/64, "
			 "with all host bits 0, not '10.0.0.1/24'",
				"7:50: 'from' of join must be a network"}},
		{"a time", JOIN("listen: '10.0.0.2:1', node_timeout: 999ms, " SECRET),
			{"7:44: 'node_timeout' of join must be a time with its unit, from 1s to 1h"}},
	};

	check_rows(rows, COUNT(rows));
}

Test(config_keys, no_message_shows_the_secret)
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

/* --- all of it, damaged */

static const char whole_text[] =
	HEAD "join: {listen: '10.0.0.2:7946', secret: 0123456789abcdef, node_timeout: 30s}\n"
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

Test(config_keys, survives_a_cut_at_every_byte)
{
	struct faults faults;
	size_t length;

	for (length = 0; length <= strlen(whole_text); length++) {
		config_free(parse(whole_text, length, &faults));
		faults_free(&faults);
	}
	config_free(parse_good(whole_text));
}

Test(config_keys, survives_every_byte_changed)
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
