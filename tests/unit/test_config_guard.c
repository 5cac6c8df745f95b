// SPDX-License-Identifier: GPL-2.0
/* The key `guard:` of the file, of services and of pools: valid and invalid values. */
#include <criterion/criterion.h>
#include <string.h>
#include "config_text.h"

#define GUARD(more) HEAD "guard: {" more "}\n" POOLS SERVICES
#define OF_SERVICE(more) HEAD "guard: {" LISTS "}\n" POOLS SERVICES "    guard: " more "\n"
#define LISTS                                                                                                          \
	"limit_sets: [{name: office, invite: {rate: 50, burst: 500}}], "                                               \
	"lists: [{name: a, action: trust, prefixes: [10.0.0.0/8]}, {name: b, action: deny, file: /etc/b}]"

Test(config_guard, valid_values)
{
	static const struct reading rows[] = {
		{"no keys", GUARD(""), "guard:\n  mode: observe\nservices"},
		{"nothing at all", HEAD "guard:\n" POOLS SERVICES, "guard:\n  mode: observe\nservices"},
		{"the mode", GUARD("mode: enforce"), "guard:\n  mode: enforce\n"},
		{"sources", GUARD("source: {ipv4: 24}"), "  source: {ipv4: 24, ipv6: 64}\n"},
		{"scanners", GUARD("scanners: true"), "  scanners: true\n"},
		{"further scanners", GUARD("scanners: true, scanner_names: [my-scanner]"),
			"  scanner_names: [my-scanner]\n"},
		{"scanners with a mode", GUARD("scanners: observe"), "  scanners: observe\n"},
		{"broken messages", GUARD("broken: drop"), "  broken: drop\n"},
		{"broken messages with a mode", GUARD("broken: enforce"), "  broken: enforce\n"},
		{"a service whose rules have modes", OF_SERVICE("{scanners: enforce, broken: observe}"),
			"    guard: {scanners: enforce, broken: observe}\n"},
		{"a service without rules", OF_SERVICE("{scanners: false, broken: forward}"),
			"    guard: {scanners: false, broken: forward}\n"},
		{"other emergency numbers", GUARD("emergency: [110, 'urn:service:sos']"),
			"  emergency: ['110', 'urn:service:sos']\n"},
		{"no emergency numbers", GUARD("emergency: []"), "  emergency: []\n"},
		{"priorities", GUARD("resource_priority: [esnet]"), "  resource_priority: [esnet]\n"},
		{"Retry-After", GUARD("retry_after: 30"), "  retry_after: 30\n"},
		{"the highest rate", GUARD("limit_sets: [{name: s, packets: {rate: 100000, burst: 1}}]"),
			"packets: {rate: 100000, burst: 1, action: drop}"},
		{"the longest burst", GUARD("limit_sets: [{name: s, options: {rate: 1, burst: 1000}}]"),
			"options: {rate: 1, burst: 1000, action: drop}"},
		{"a limit that only counts",
			GUARD("limit_sets: [{name: s, options: {rate: 1, burst: 1, action: count}}]"),
			"options: {rate: 1, burst: 1, mode: observe, action: drop}"},
		{"a set of limits",
			GUARD("limits: s, limit_sets: [{name: s, invite: {rate: 1, burst: 2, action: refuse, mode: "
			      "enforce}, "
			      "register: none, tcp_syn: {rate: 9, burst: 9, action: drop}}]"),
			"{name: s, invite: {rate: 1, burst: 2, mode: enforce, action: refuse}, register: none, "
			"tcp_syn: "
			"{rate: 9, burst: 9, action: drop}}"},
		{"lists",
			GUARD("limit_sets: [{name: s}], lists: [{name: a, action: limit, limits: s, mode: enforce, "
			      "prefixes: "
			      "[10.0.0.0/8, '2001:db8::/32']}, {name: b, action: trust, prefixes: [10.1.0.0/16]}, "
			      "{name: c, action: deny, file: /etc/sipxdp/deny.txt}, {name: d, action: deny, prefixes: "
			      "[]}]"),
			"lists: [{name: a, action: limit, limits: s, mode: enforce, prefixes: ['10.0.0.0/8', "
			"'2001:db8::/32']}, {name: b, action: trust, prefixes: ['10.1.0.0/16']}, "
			"{name: c, action: deny, file: '/etc/sipxdp/deny.txt'}, {name: d, action: deny, prefixes: "
			"[]}]\n"},
		{"a service without guard", OF_SERVICE("off"), "    guard: 'off'\n"},
		{"a service with settings of its own",
			OF_SERVICE("{mode: enforce, limits: office, lists: [b, a], scanners: true, broken: drop, "
				   "retry_after: 5, surge: {rate: 400, burst: 400, action: drop, mode: observe}}"),
			"    guard: {mode: enforce, limits: office, lists: [b, a], scanners: true, broken: drop, "
			"retry_after: 5, surge: {rate: 400, burst: 400, mode: observe, action: drop}}\n"},
		{"a service without lists", OF_SERVICE("{lists: []}"), "    guard: {lists: []}\n"},
		{"a surge", OF_SERVICE("{surge: {rate: 400, burst: 400}}"),
			"    guard: {surge: {rate: 400, burst: 400, action: refuse}}\n"},
		{"a surge of a backend",
			HEAD "guard: {}\npools: [{name: p, backends: [], backend_surge: {rate: 9, burst: 8}}]\n",
			"    backend_surge: {rate: 9, burst: 8, action: refuse}\n"},
	};

	check_readings(rows, COUNT(rows));
}

Test(config_guard, invalid_values)
{
	static const struct row rows[] = {
		{"an unknown mode", GUARD("mode: on"),
			{"3:15: 'mode' of guard must be 'observe' or 'enforce', not 'on'"}},
		{"unknown modes of rules", GUARD("scanners: drop, broken: true"),
			{"3:19: 'scanners' of guard must be 'false', 'true', 'observe' or 'enforce', not 'drop'",
				"3:33: 'broken' of guard must be 'forward', 'drop', 'observe' or 'enforce', not "
				"'true'"}},
		{"unknown limits", GUARD("limits: ofice, limit_sets: [{name: office}]"),
			{"3:17: 'limits' of guard: no limit set is named ofice; did you mean office?"}},
		{"duplicate names",
			GUARD("limit_sets: [{name: s}, {name: s}], lists: [{name: a, action: deny, prefixes: []}, "
			      "{name: a, "
			      "action: deny, prefixes: []}]"),
			{"3:40: duplicate limit set name s (first at line 3)",
				"3:99: duplicate list name a (first at line 3)"}},
		{"rates",
			GUARD("limit_sets: [{name: s, invite: {rate: 0, burst: 1}, options: {rate: 100001, burst: 1}, "
			      "register: "
			      "{rate: 1, burst: 0}}]"),
			{"3:47: must be a whole number from 1 to 100000, not '0'",
				"3:77: must be a whole number from 1 to 100000, not '100001'",
				"3:123: must be a whole number from 1 to 10000000, not '0'"}},
		{"a burst that is too long", GUARD("limit_sets: [{name: s, invite: {rate: 1, burst: 1001}}]"),
			{"3:40: 'invite' of limit set s: a source with this burst needs more than 1000 s to use its "
			 "rate again; lower 'burst' or raise 'rate'"}},
		{"a rate without a burst", GUARD("limit_sets: [{name: s, invite: {rate: 1}}]"),
			{"3:40: 'invite' of limit set s has no 'burst'"}},
		{"an answer to REGISTER",
			GUARD("limit_sets: [{name: s, register: {rate: 1, burst: 1, action: refuse}}]"),
			{"3:70: 'action' of 'register' of limit set s must be 'drop' or 'count', not 'refuse'"}},
		{"sources", GUARD("source: {ipv4: 33, ipv6: 129}"),
			{"3:24: must be a whole number from 8 to 32, not '33'",
				"3:34: must be a whole number from 16 to 128"}},
		{"a prefix with host bits", GUARD("lists: [{name: a, action: deny, prefixes: [10.0.0.1/8]}]"),
			{"3:52: 'prefixes' of list a must be a network or an address"}},
		{"one prefix on two lists",
			GUARD("lists: [{name: a, action: deny, prefixes: [10.0.0.0/8]}, {name: b, action: trust, "
			      "prefixes: "
			      "[10.0.0.0/8]}]"),
			{"3:102: 10.0.0.0/8 is already in list a (line 3)"}},
		{"prefixes and a file", GUARD("lists: [{name: a, action: deny, prefixes: [], file: /a}]"),
			{"3:61: 'file' of list a: only without `prefixes`; remove it"}},
		{"neither", GUARD("lists: [{name: a, action: deny}]"), {"3:17: list a needs 'prefixes' or 'file'"}},
		{"a relative file", GUARD("lists: [{name: a, action: deny, file: a}]"),
			{"3:47: 'file' of list a must be an absolute path of a file"}},
		{"limits of a trusted list", GUARD("lists: [{name: a, action: trust, limits: default, prefixes: []}]"),
			{"3:50: 'limits' of list a: only with `action: limit`; remove it"}},
		{"a text that is too long", GUARD("emergency: ['1234567890123456789012345678901']"),
			{"3:21: 'emergency' of guard must be 1 to 30 printable ASCII characters"}},
		{"an unknown list of a service", OF_SERVICE("{lists: [c]}"),
			{"13:21: 'lists' of service sip: no list is named c"}},
		{"a list twice", OF_SERVICE("{lists: [a, a]}"), {"13:24: 'lists' of service sip: duplicate list a"}},
		{"a list instead of settings", OF_SERVICE("[observe]"),
			{"13:12: 'guard' of service sip must be off, or a mapping of keys and values, not a list"}},
		{"a surge over TCP", OF_SERVICE("{surge: {rate: 1, burst: 1}}\n    protocol: tcp"),
			{"13:12: 'surge' of service sip is possible only for protocol udp"}},
		{"a service without a guard of the file", HEAD POOLS SERVICES "    guard: {mode: enforce}\n",
			{"12:12: 'guard' of service sip needs `guard:` at the top of the file"}},
		{"a surge of a pool without a guard of the file", EMPTY("backend_surge: {rate: 1, burst: 1}"),
			{"3:48: 'backend_surge' of pool p needs `guard:` at the top of the file"}},
	};

	check_rows(rows, COUNT(rows));
}

Test(config_guard, a_copy_is_equal_and_independent)
{
	struct config *config = parse_good(OF_SERVICE("{lists: [a], surge: {rate: 1, burst: 1}}"));
	struct config *copy = config_copy(config);
	char *text = write_text(config), *copied;

	config_free(config);
	copied = write_text(copy);
	cr_expect_str_eq(text, copied);
	free(text);
	free(copied);
	config_free(copy);
}
