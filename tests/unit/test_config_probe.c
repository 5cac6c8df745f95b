// SPDX-License-Identifier: GPL-2.0
/* The key `probe:` of pools: valid and invalid values, and the probed service. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "config_text.h"

Test(config_probe, valid_values)
{
	static const struct reading rows[] = {
		{"none", EMPTY("probe: none"), "min_alive: 10\n    backends"},
		{"none, as a mapping", EMPTY("probe: {type: none}"), "min_alive: 10\n    backends"},
		{"a word", EMPTY("probe: options"),
			"    probe:\n      type: options\n      transport: udp\n    backends"},
		{"a word", EMPTY("probe: icmp"), "    probe:\n      type: icmp\n    backends"},
		{"the transport is that of the first service",
			EMPTY("probe: options") SERVICE("port: 5060, protocol: tcp"), "transport: tcp\n    backends"},
		{"the transport is that of the first service, not of the second",
			EMPTY("probe: register") "services: [{name: a, vip: 192.0.2.1, port: 1, pool: p},"
						 "{name: b, vip: 192.0.2.1, port: 1, pool: p, protocol: tcp}]",
			"transport: udp\n    backends"},
		{"a service uses a pool for one method",
			HEAD "pools: [{name: p, backends: []}, {name: q, backends: [], probe: options}]\n" SERVICE(
				"port: 1, methods: {REGISTER: q}"),
			"transport: udp\n    backends"},
		{"an explicit transport",
			EMPTY("probe: {type: options, transport: tls, port: 5061}") SERVICE("port: 5060"),
			"transport: tls\n      port: 5061\n    backends"},
		{"the default timeout is at most the interval", EMPTY("probe: {type: tcp, interval: 500ms}"),
			"type: tcp\n      interval: 500ms\n    backends"},
		{"a short timeout", EMPTY("probe: {type: tcp, interval: 1s, timeout: 10ms}"),
			"type: tcp\n      interval: 1s\n      timeout: 10ms\n    backends"},
		{"explicit defaults",
			EMPTY("probe: {type: tls, via: vip, port: 0, interval: 2s, timeout: 1s, fall: 3, rise: 2, "
			      "verify: true}"),
			"type: tls\n    backends"},
		{"a header with the load", EMPTY("probe: {type: options, port: 5060, load_header: X-Load}"),
			"load_header: X-Load\n"},
		{"keys of tls", EMPTY("probe: {type: tls, ca: /a b, sni: A.b, verify: false}"),
			"ca: '/a b'\n      sni: A.b\n      verify: false\n"},
		{"codes", EMPTY("probe: {type: options, ok_codes: [200, 2xx, 486, 699, 486]}"),
			"ok_codes: [2xx, 486, 699]\n"},
		{"the default codes", EMPTY("probe: {type: options, ok_codes: [2xx, 3xx, 4xx, 501, 6xx]}"),
			"transport: udp\n    backends"},
		{"an explicit port, if the services have none",
			EMPTY("probe: {type: options, port: 5060}") SERVICE("port: 0"), "port: 5060\n    backends"},
		{"icmp needs no port", EMPTY("probe: icmp") SERVICE("port: 0"), "type: icmp\n"},
		{"a pool without a service", EMPTY("probe: tls"), "type: tls\n"},
		{"a range has a port", EMPTY("probe: options") SERVICE("port: 5060-5080"), "type: options\n"},
	};

	check_readings(rows, COUNT(rows));
}

#define PROBE(more) EMPTY("probe: {type: " more "}")

Test(config_probe, invalid_values)
{
	static const struct row rows[] = {
		{"an unknown word", EMPTY("probe: ping"),
			{"3:40: 'probe' of pool p must be 'none', 'options', 'register', 'tcp', 'tls' or "
			 "'icmp', "
			 "not 'ping'"}},
		{"a list", EMPTY("probe: [tcp]"), {"3:40: 'probe' of pool p: expected a single value, found a list"}},
		{"an empty value", EMPTY("probe: "), {"3:40: 'probe' of pool p is empty"}},
		{"a missing type causes no further faults",
			EMPTY("probe: {interval: 1s, ca: /a, from: 'sip:a', tpye: tcp}"),
			{"3:40: the probe of pool p has no 'type'",
				"3:78: unknown key 'tpye' in the probe of pool p; did you mean 'type'?"}},
		{"an unknown type causes no further faults", PROBE("tpc, ca: /a, from: 'sip:a', transport: udp"),
			{"3:47: 'type' of the probe of pool p must be 'none'"}},
		{"an unknown transport causes no further faults", PROBE("options, ca: /a, transport: sctp"),
			{"3:75: 'transport' of the probe of pool p must be 'udp', 'tcp' or 'tls', not 'sctp'"}},
		{"keys that are invalid for none",
			PROBE("none, interval: 1s,\n timeout: 1s,\n fall: 1,\n rise: 1,\n via: vip,\n port: 1,\n "
			      "verify: true"),
			{"3:63: 'interval' of the probe of pool p: not for type none; remove it", "4:11: 'timeout'",
				"5:8: 'fall'", "6:8: 'rise'", "7:7: 'via'", "8:8: 'port'", "9:10: 'verify'"}},
		{"keys that are invalid for tcp",
			PROBE("tcp, transport: tcp,\n ok_codes: [200],\n from: 'sip:a',\n request_uri: 'sip:a',\n "
			      "user: a,\n"
			      " ca: /a,\n sni: a,\n verify: true"),
			{"3:63: 'transport' of the probe of pool p: only for types options and register; remove it",
				"4:12: 'ok_codes'", "5:8: 'from'", "6:15: 'request_uri'", "7:8: 'user'", "8:6: 'ca'",
				"9:7: 'sni'", "10:10: 'verify'"}},
		{"keys that are invalid for icmp", PROBE("icmp, port: 1"), {"3:59: not for types none and icmp"}},
		{"keys that are invalid for tls", PROBE("tls, transport: tls"),
			{"3:63: only for types options and register"}},
		{"keys that are invalid for options",
			PROBE("options, transport: udp,\n ca: /a,\n sni: a,\n verify: true"),
			{"4:6: 'ca' of the probe of pool p: only for type tls, and for options and register with "
			 "transport tls",
				"5:7: 'sni'", "6:10: 'verify'"}},
		{"a header with the load in other responses", PROBE("register, load_header: X-Load"),
			{"3:70: 'load_header' of the probe of pool p: only for type options; remove it"}},
		{"an invalid header", PROBE("options, load_header: 'X-Load:'"),
			{"3:69: 'load_header' of the probe of pool p must be the name of a SIP header, such as X-Load, "
			 "not 'X-Load:'"}},
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
		{"an unreadable interval causes no further faults", PROBE("tcp, timeout: 1h, interval: 5"),
			{"3:75: 'interval'"}},
		{"codes",
			PROBE("options, ok_codes: [1xx,\n 700,\n 2x,\n 2xxx,\n xxx,\n 20,\n 2000,\n 0xx,\n 4XX,\n "
			      "[200]]"),
			{"3:67: 'ok_codes' of the probe of pool p must be a final SIP status code, or a class of them, "
			 "such as "
			 "200 or 4xx, not '1xx'",
				"4:2: not '700'", "5:2: not '2x'", "6:2: not '2xxx'", "7:2: not 'xxx'", "8:2: not '20'",
				"9:2: not '2000'", "10:2: not '0xx'", "11:2: not '4XX'",
				"12:2: expected a single value"}},
		{"an empty list of codes", PROBE("options, ok_codes: []"),
			{"3:66: 'ok_codes' of the probe of pool p must not be empty"}},
		{"codes that are not a list", PROBE("options, ok_codes: 200"), {"3:66: expected a list"}},
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
		{"URIs that would break a header",
			PROBE("options, from: \"sip:a\\r\\nb\",\n request_uri: 'sip:',\n user: ''"),
			{"3:62: 'from' of", "4:15: not 'sip:'", "5:8: is empty"}},
		{"no service has a port", EMPTY("probe: options") SERVICE("port: 0"),
			{"3:9: pool p: the probe needs a 'port', because no udp service of the pool has one"}},
		{"no service of the protocol has a port", PROBE("options, transport: tls") SERVICE("port: 5060"),
			{"3:9: pool p: the probe needs a 'port', because no tcp service of the pool has one"}},
		{"no service of the protocol has a port", EMPTY("probe: tcp") SERVICE("port: 5060"),
			{"3:9: no tcp service"}},
		{"an unreadable port causes no further faults", EMPTY("probe: tcp") SERVICE("port: x"),
			{"4:54: 'port'"}},
	};

	check_rows(rows, COUNT(rows));
}

Test(config_probe, default_values)
{
	struct config *config = parse_good(EMPTY("probe: options"));
	const struct config_probe *probe = &config->pools[0].probe;
	unsigned int code;

	cr_expect(probe->interval == 2000 && probe->timeout == 1000 && probe->fall == 3 && probe->rise == 2);
	cr_expect(probe->verify && !probe->to_address && !probe->port);
	cr_expect(!probe->from && !probe->request_uri && !probe->user && !probe->ca && !probe->sni);
	for (code = 0; code < 1000; code++) {
		bool ok = (code >= 200 && code < 500) || code == 501 || (code >= 600 && code < 700);

		cr_expect_eq(config_has_code(probe->ok_codes, code), ok, "%u", code);
	}
	config_free(config);
}

/* The name of each pool is the name of the service that its probe must use. */
Test(config_probe, the_service_that_a_probe_uses)
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
