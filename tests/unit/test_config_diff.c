// SPDX-License-Identifier: GPL-2.0
/* Changes each key of the file once, and checks the message and whether calls move. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "core/config/config_private.h"
#include "core/config/config_diff.h"
#include "config_text.h"

static const char base[] =
	"interfaces: [eth0]\n"
	"hash_key: 000102030405060708090a0b0c0d0e0f\n"
	"limits: {slots: 1024, pools: 4, services: 8, backends: 12, tracked_calls: 2048, counted_calls: 2048, "
	"guarded_sources: 2048}\n"
	"join: {listen: '10.0.0.2:7946', secret: 0123456789abcdef, node_timeout: 10s}\n"
	"metrics: {listen: '127.0.0.1:9464'}\n"
	"capture: {to: 'udp:10.0.0.50:9060', id: 101, sample: 0, password: a, node: lb1}\n"
	"group: {name: edge, node: lb1, agree: any, alone_after: 5s}\n"
	"guard:\n"
	"  mode: observe\n"
	"  source: {ipv4: 32, ipv6: 64}\n"
	"  scanners: false\n"
	"  scanner_names: [evil]\n"
	"  broken: forward\n"
	"  emergency: [112]\n"
	"  resource_priority: [esnet]\n"
	"  retry_after: 0\n"
	"  limit_sets: [{name: office, invite: {rate: 50, burst: 500}}]\n"
	"  limits: default\n"
	"  lists: [{name: carriers, action: trust, prefixes: [203.0.113.0/24]}]\n"
	"services:\n"
	"  - {name: sip, vip: 192.0.2.10, port: 5060, protocol: udp, affinity: call-id, pool: proxies}\n"
	"pools:\n"
	"  - name: proxies\n"
	"    forward: dsr\n"
	"    min_alive: 10\n"
	"    probe: {type: register, transport: tls, ca: /a, sni: a.example.net, verify: true, via: address, port: "
	"5061,\n"
	"      interval: 2s, timeout: 1s, fall: 3, rise: 2, ok_codes: [2xx], from: 'sip:a@example.net',\n"
	"      request_uri: 'sip:example.net', user: a}\n"
	"    record_time: 32s\n"
	"    drain_timeout: 1h\n"
	"    slow_start: 0s\n"
	"    backends:\n"
	"      - {name: px1, address: 10.0.0.11, weight: 1, priority: 1, mac: '02:00:00:00:00:11',\n"
	"         hints: [px1.example.net], ports: 30000-30009, forward: dsr, admin: ready}\n"
	"      - {name: px2, address: 10.0.0.12}\n"
	"    groups: [{name: rack1, backends: [px1]}, {name: rack2, backends: []}]\n"
	"  - {name: others, balance: least-calls, forward: nat, port: 5080, passive: true, backends: [{name: o1, "
	"address: "
	"10.0.0.31, port: 5090},\n"
	"      {name: o2, address: 10.0.0.32}]}\n"
	"  - {name: third, balance: bounded, probe: {type: options, port: 5060, load_header: X-Load}, backends: []}\n";

struct change {
	const struct key *keys; /* the table of the key */
	const char *key;
	const char *from, *to; /* the changed part of the text */
	const char *line;      /* the expected line; NULL: none, the steps of the plan report it */
	const char *danger;    /* NULL: none */
};

static const struct change changes[] = {
	{config_file_keys, "interfaces", "[eth0]", "[eth0, eth1]", "interfaces [eth0, eth1], was [eth0] (", NULL},
	{config_file_keys, "hash_key", "0e0f", "0e10", "hash_key has a new value", NULL},
	{config_file_keys, "macs", "interfaces: [eth0]\n", "interfaces: [eth0]\nmacs: ['02:00:5e:00:01:01']\n",
		"macs ['02:00:5e:00:01:01'], was none", NULL},
	{config_limit_keys, "slots", "slots: 1024", "slots: 2048", "limits: slots 2048, was 1024 (", NULL},
	{config_limit_keys, "pools", "pools: 4", "pools: 5", "limits: pools 5, was 4 (", NULL},
	{config_limit_keys, "services", "services: 8", "services: 9", "limits: services 9, was 8 (", NULL},
	{config_limit_keys, "backends", "backends: 12", "backends: 13", "limits: backends 13, was 12 (", NULL},
	{config_limit_keys, "tracked_calls", "tracked_calls: 2048", "tracked_calls: 4096",
		"limits: tracked_calls 4096, was 2048 (", NULL},
	{config_limit_keys, "counted_calls", "counted_calls: 2048", "counted_calls: 4096",
		"limits: counted_calls 4096, was 2048 (", NULL},
	{config_limit_keys, "guarded_sources", "guarded_sources: 2048", "guarded_sources: 4096",
		"limits: guarded_sources 4096, was 2048 (", NULL},
	{config_join_keys, "listen", "0.2:7946", "0.2:7947", "join: listen '10.0.0.2:7947', was '10.0.0.2:7946'", NULL},
	{config_join_keys, "from", "node_timeout: 10s", "node_timeout: 10s, from: [10.0.0.0/24]",
		"join: from ['10.0.0.0/24'], was none", NULL},
	{config_join_keys, "secret", "9abcdef", "9abcde0", "join: secret has a new value", NULL},
	{config_join_keys, "node_timeout", "node_timeout: 10s", "node_timeout: 5s", "join: node_timeout 5s, was 10s",
		NULL},
	{config_join_keys, "guard", "node_timeout: 10s", "node_timeout: 10s, guard: true",
		"join: guard true, was false", NULL},
	{config_metrics_keys, "listen", "0.1:9464", "0.1:9465",
		"metrics: listen '127.0.0.1:9465', was '127.0.0.1:9464'", NULL},
	{config_capture_keys, "to", "50:9060", "50:9061", "capture: to 'udp:10.0.0.50:9061', was 'udp:10.0.0.50:9060'",
		NULL},
	{config_capture_keys, "id", "id: 101", "id: 102", "capture: id 102, was 101", NULL},
	{config_capture_keys, "sample", "sample: 0", "sample: 8", "capture: sample 8, was 0", NULL},
	{config_capture_keys, "password", "password: a", "password: b", "capture: password has a new value", NULL},
	{config_capture_keys, "node", "node: lb1", "node: lb2", "capture: node lb2, was lb1", NULL},
	{config_membership_keys, "name", "name: edge", "name: core", "group: name core, was edge", NULL},
	{config_membership_keys, "node", "edge, node: lb1", "edge, node: lb2", "group: node lb2, was lb1", NULL},
	{config_membership_keys, "agree", "agree: any", "agree: own", "group: agree own, was any", NULL},
	{config_membership_keys, "alone_after", "alone_after: 5s", "alone_after: 6s", "group: alone_after 6s, was 5s",
		NULL},
	{config_guard_keys, "mode", "mode: observe", "mode: enforce", "guard: mode enforce, was observe", NULL},
	{config_guard_keys, "source", "ipv4: 32", "ipv4: 24",
		"guard: source {ipv4: 24, ipv6: 64}, was {ipv4: 32, ipv6: 64}", NULL},
	{config_guard_keys, "scanners", "scanners: false", "scanners: true", "guard: scanners true, was false", NULL},
	{config_guard_keys, "scanner_names", "[evil]", "[evil, 'b@d']",
		"guard: scanner_names [evil, 'b@d'], was [evil]", NULL},
	{config_guard_keys, "broken", "broken: forward", "broken: drop", "guard: broken drop, was forward", NULL},
	{config_guard_keys, "emergency", "[112]", "[]", "guard: emergency [], was ['112']", NULL},
	{config_guard_keys, "resource_priority", "[esnet]", "[ets]", "guard: resource_priority [ets], was [esnet]",
		NULL},
	{config_guard_keys, "retry_after", "retry_after: 0", "retry_after: 5", "guard: retry_after 5, was 0", NULL},
	{config_guard_keys, "limit_sets", "burst: 500", "burst: 400",
		"guard: limit_sets [{name: office, invite: {rate: 50, burst: 400, action: drop}}], was [{name: office, "
		"invite: {rate: 50, burst: 500, action: drop}}]",
		NULL},
	{config_guard_keys, "limits", "limits: default", "limits: office", "guard: limits office, was default", NULL},
	{config_guard_keys, "lists", "action: trust", "action: deny",
		"guard: lists [{name: carriers, action: deny, prefixes: ['203.0.113.0/24']}], was [{name: carriers, "
		"action: trust, prefixes: ['203.0.113.0/24']}]",
		NULL},
	{config_service_keys, "guard", "pool: proxies", "pool: proxies, guard: {mode: enforce, lists: []}",
		"service sip: guard {mode: enforce, lists: []}, was none", NULL},
	{config_pool_keys, "backend_surge", "slow_start: 0s", "slow_start: 0s\n    backend_surge: {rate: 9, burst: 10}",
		"pool proxies: backend_surge {rate: 9, burst: 10, action: refuse}, was none", NULL},
	{config_pool_keys, "balance", "slow_start: 0s", "slow_start: 0s\n    balance: round-robin",
		"pool proxies: balance round-robin, was hash", NULL},
	{config_pool_keys, "bound", "balance: bounded", "balance: bounded, bound: 150",
		"pool third: bound 150, was 125", NULL},
	{config_pool_keys, "max_calls", "balance: least-calls", "balance: least-calls, max_calls: 400",
		"pool others: max_calls 400, was none", NULL},
	{config_pool_keys, "load_limit", "slow_start: 0s", "slow_start: 0s\n    load_limit: 90",
		"pool proxies: load_limit 90, was none", NULL},
	{config_pool_keys, "max_rate", "slow_start: 0s", "slow_start: 0s\n    max_rate: 50",
		"pool proxies: max_rate 50, was none", NULL},
	{config_pool_keys, "overload", "slow_start: 0s", "slow_start: 0s\n    overload: refuse",
		"pool proxies: overload refuse, was hash", NULL},
	{config_backend_keys, "max_rate", "{name: o2, address: 10.0.0.32}",
		"{name: o2, address: 10.0.0.32, max_rate: 7}", "backend others/o2: max_rate 7, was none", NULL},
	{config_backend_keys, "max_calls", "{name: o2, address: 10.0.0.32}",
		"{name: o2, address: 10.0.0.32, max_calls: 7}", "backend others/o2: max_calls 7, was none", NULL},
	{config_service_keys, "port", "port: 5060,", "port: 5062,", "service sip: port 5062, was 5060", NULL},
	{config_service_keys, "port", "port: 5060,", "port: 5060-5063,", "service sip: port 5060-5063, was 5060", NULL},
	{config_service_keys, "protocol", "udp, affinity: call-id", "tcp, affinity: flow",
		"service sip: protocol tcp, was udp", NULL},
	{config_service_keys, "vip", "192.0.2.10", "192.0.2.11", NULL, NULL},
	{config_service_keys, "affinity", "call-id", "source", NULL, NULL},
	{config_service_keys, "pool", "pool: proxies", "pool: others", NULL,
		"service sip: pool proxies is no longer used"},
	{config_service_keys, "methods", "pool: proxies", "pool: proxies, methods: {BYE: others}", NULL, NULL},
	{config_service_keys, "ping", "pool: proxies", "pool: proxies, ping: true", "service sip: ping true, was false",
		NULL},
	{config_service_keys, "message_counters", "pool: proxies", "pool: proxies, message_counters: false",
		"service sip: message_counters false, was true", NULL},
	{config_pool_keys, "forward", "    forward: dsr", "    forward: ipip", "pool proxies: forward ipip, was dsr",
		NULL},
	{config_pool_keys, "gue_port", "    forward: dsr", "    forward: dsr\n    gue_port: 6081",
		"pool proxies: gue_port 6081, was 6080", NULL},
	{config_pool_keys, "outer_source", "    forward: dsr", "    forward: dsr\n    outer_source: 172.16.0.0/16",
		"pool proxies: outer_source '172.16.0.0/16', was none", NULL},
	{config_pool_keys, "forward", "    forward: dsr", "    forward: nat", "pool proxies: forward nat, was dsr",
		NULL},
	{config_pool_keys, "min_alive", "min_alive: 10", "min_alive: 50", "pool proxies: min_alive 50, was 10", NULL},
	{config_pool_keys, "passive", "passive: true", "passive: {fall: 5}",
		"pool others: passive {fall: 5, codes: [503, 504], window: 10s, share: 50}, was {fall: 3, codes: [503, "
		"504], window: 10s, share: 50}",
		NULL},
	{config_pool_keys, "passive", "passive: true, ", "",
		"pool others: passive none, was {fall: 3, codes: [503, 504], window: 10s, share: 50}", NULL},
	{config_pool_keys, "record_time", "record_time: 32s", "record_time: 10s",
		"pool proxies: record_time 10s, was 32s", NULL},
	{config_pool_keys, "drain_timeout", "drain_timeout: 1h", "drain_timeout: 2h",
		"pool proxies: drain_timeout 2h, was 1h", NULL},
	{config_pool_keys, "slow_start", "slow_start: 0s", "slow_start: 30s", "pool proxies: slow_start 30s, was 0s",
		NULL},
	{config_probe_keys, "type", "type: register", "type: options", "pool proxies: probe options, was register",
		NULL},
	{config_probe_keys, "transport", "tls, ca: /a, sni: a.example.net, verify: true", "tcp",
		"pool proxies: probe transport tcp, was tls", NULL},
	{config_probe_keys, "via", "via: address", "via: vip", "pool proxies: probe via vip, was address", NULL},
	{config_probe_keys, "port", "port: 5061", "port: 5063", "pool proxies: probe port 5063, was 5061", NULL},
	{config_probe_keys, "interval", "interval: 2s", "interval: 5s", "pool proxies: probe interval 5s, was 2s",
		NULL},
	{config_probe_keys, "timeout", "timeout: 1s", "timeout: 500ms", "pool proxies: probe timeout 500ms, was 1s",
		NULL},
	{config_probe_keys, "fall", "fall: 3", "fall: 4", "pool proxies: probe fall 4, was 3", NULL},
	{config_probe_keys, "rise", "rise: 2", "rise: 1", "pool proxies: probe rise 1, was 2", NULL},
	{config_probe_keys, "ok_codes", "[2xx]", "[2xx, 404]", "pool proxies: probe ok_codes [2xx, 404], was [2xx]",
		NULL},
	{config_probe_keys, "from", "sip:a@", "sip:b@",
		"pool proxies: probe from 'sip:b@example.net', was 'sip:a@example.net'", NULL},
	{config_probe_keys, "request_uri", "request_uri: 'sip:example.net', ", "",
		"pool proxies: probe request_uri none, was 'sip:example.net'", NULL},
	{config_probe_keys, "user", "user: a}", "user: b}", "pool proxies: probe user b, was a", NULL},
	{config_probe_keys, "ca", "ca: /a,", "ca: /b,", "pool proxies: probe ca '/b', was '/a'", NULL},
	{config_probe_keys, "sni", "sni: a.", "sni: b.", "pool proxies: probe sni b.example.net, was a.example.net",
		NULL},
	{config_probe_keys, "load_header", "X-Load", "X-Busy", "pool third: probe load_header X-Busy, was X-Load",
		NULL},
	{config_probe_keys, "verify", "verify: true", "verify: false", "pool proxies: probe verify false, was true",
		NULL},
	{config_backend_keys, "name", "name: px2, address", "name: px3, address", NULL, NULL},
	{config_backend_keys, "address", "10.0.0.11", "10.0.0.21", NULL, NULL},
	{config_backend_keys, "weight", "weight: 1", "weight: 2", NULL, NULL},
	{config_backend_keys, "priority", "priority: 1", "priority: 2", "backend proxies/px1: priority 2, was 1", NULL},
	{config_backend_keys, "mac", "00:11'", "00:22'",
		"backend proxies/px1: mac '02:00:00:00:00:22', was '02:00:00:00:00:11'", NULL},
	{config_backend_keys, "hints", "[px1.example.net]", "[px1.example.net, px1.example.org]",
		"backend proxies/px1: hints [px1.example.net, px1.example.org], was [px1.example.net]", NULL},
	{config_backend_keys, "hints", "hints: [px1.example.net], ", "",
		"backend proxies/px1: hints none, was [px1.example.net]", "px1.example.net is removed"},
	{config_backend_keys, "ports", "30009", "30019", "backend proxies/px1: ports 30000-30019, was 30000-30009",
		NULL},
	{config_backend_keys, "ports", "30000-30009", "30001-30009",
		"backend proxies/px1: ports 30001-30009, was 30000-30009", "px1: ports:"},
	{config_backend_keys, "ports", "ports: 30000-30009, ", "", "backend proxies/px1: ports none, was 30000-30009",
		"px1: ports:"},
	{config_backend_keys, "forward", "forward: dsr, admin", "forward: ipip, admin",
		"backend proxies/px1: forward ipip, was dsr", NULL},
	{config_pool_keys, "port", "port: 5080", "port: 5081", "pool others: port 5081, was 5080", NULL},
	{config_backend_keys, "port", "port: 5090", "port: 5091", "backend others/o1: port 5091, was 5090", NULL},
	{config_backend_keys, "admin", "admin: ready", "admin: drain", NULL, NULL},
	{NULL, "group", "[px1]}, {name: rack2, backends: []}", "[]}, {name: rack2, backends: [px1]}",
		"backend proxies/px1: group rack2, was rack1", NULL},
};

/* Returns the base text with one change. The caller must free it. */
static char *changed_text(const struct change *change)
{
	const char *at = strstr(base, change->from);
	char *text;

	cr_assert(at, "'%s' is not in the text", change->from);
	cr_assert(asprintf(&text, "%.*s%s%s", (int)(at - base), base, change->to, at + strlen(change->from)) > 0);
	return text;
}

static bool is_in(const struct messages *words, const char *text)
{
	for (size_t i = 0; i < words->count; i++)
		if (strstr(words->list[i], text))
			return true;
	return false;
}

/* A change of these keys also changes other keys of the probe. */
static bool is_root_of_others(const struct change *change)
{
	return !strcmp(change->key, "type") || !strcmp(change->key, "transport");
}

static void check(const struct change *change)
{
	char *text = changed_text(change);
	struct config *before = parse_good(base), *after = parse_good(text);
	struct messages lines = {0}, disruptions = {0};

	config_diff(before, after, &lines, &disruptions);
	cr_expect(
		lines.count == !!change->line || is_root_of_others(change), "%s: %zu lines", change->key, lines.count);
	cr_expect(!change->line || is_in(&lines, change->line), "%s: '%s' in place of '%s'", change->key,
		lines.count ? lines.list[0] : "nothing", change->line);
	cr_expect_eq(disruptions.count, change->danger ? 1 : 0, "%s: %zu disruptions", change->key, disruptions.count);
	cr_expect(!change->danger || is_in(&disruptions, change->danger), "%s: %s", change->key,
		disruptions.count ? disruptions.list[0] : "no danger");
	messages_free(&lines);
	messages_free(&disruptions);
	config_free(before);
	config_free(after);
	free(text);
}

Test(config_diff, each_change_is_in_a_line_or_in_the_steps)
{
	for (size_t i = 0; i < COUNT(changes); i++)
		check(&changes[i]);
}

static bool has_row(const struct key *keys, const struct key *key)
{
	for (size_t i = 0; i < COUNT(changes); i++)
		if (changes[i].keys == keys && !strcmp(changes[i].key, key->name) &&
			!changes[i].line == !!(key->flags & KEY_IN_STEPS))
			return true;
	return false;
}

/* Each key has a text form, which can be written and compared, or is a list or mapping with keys of its own. */
Test(config_diff, every_key_is_covered)
{
	static const struct key *const tables[] = {config_file_keys, config_limit_keys, config_join_keys,
		config_metrics_keys, config_capture_keys, config_membership_keys, config_guard_keys,
		config_service_keys, config_pool_keys, config_probe_keys, config_backend_keys};
	static const char nested[] =
		" name limits join metrics capture group guard services pools probe backends groups ";

	for (size_t i = 0; i < COUNT(tables); i++)
		for (const struct key *key = tables[i]; key->name; key++) {
			char word[64];

			snprintf(word, sizeof(word), " %s ", key->name);
			cr_expect(key->write ? has_row(tables[i], key) : !!strstr(nested, word),
				"a new key, '%s', needs a row of `changes`", key->name);
		}
}

Test(config_diff, a_file_does_not_differ_from_itself)
{
	check(&(struct change){.key = "none", .from = "eth0", .to = "eth0"});
}

Test(config_diff, a_probe_with_a_new_type_is_compared_with_the_defaults_of_that_type)
{
#define PROBED(probe)                                                                                                  \
	HEAD "pools:\n  - name: proxies\n" probe "    backends:\n      - {name: px1, address: 10.0.0.11}\n" SERVICES
	static const char *const rows[][3] = {
		{PROBED(""), PROBED("    probe: {type: options, interval: 5s}\n"),
			"pool proxies: probe options, was none"},
		{PROBED("    probe: {type: icmp, interval: 5s}\n"),
			PROBED("    probe: {type: options, interval: 5s}\n"), "pool proxies: probe options, was icmp"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct config *before = parse_good(rows[i][0]), *after = parse_good(rows[i][1]);
		struct messages lines = {0}, disruptions = {0};

		config_diff(before, after, &lines, &disruptions);
		cr_assert_eq(lines.count, 2, "%zu: %zu", i, lines.count);
		cr_expect_str_eq(lines.list[0], rows[i][2]);
		cr_expect_str_eq(lines.list[1], "pool proxies: probe interval 5s");
		messages_free(&lines);
		config_free(before);
		config_free(after);
	}
}

/* Objects are matched by name. New and removed objects are in the steps of the plan. */
Test(config_diff, the_order_of_objects_does_not_matter)
{
	struct config *before =
		parse_good(HEAD "pools: [{name: a, backends: [{name: x, address: 10.0.0.1}, {name: y,\n"
				" address: 10.0.0.2}]}, {name: b, backends: []}, {name: c, backends: []}]");
	struct config *after =
		parse_good(HEAD "pools: [{name: d, min_alive: 1, backends: []}, {name: b, backends: []},\n"
				" {name: a, backends: [{name: y, address: 10.0.0.2, priority: 3}, {name: z,\n"
				" address: 10.0.0.3, priority: 4}, {name: x, address: 10.0.0.1}]}]");
	struct messages lines = {0}, disruptions = {0};

	config_diff(before, after, &lines, &disruptions);
	cr_assert_eq(lines.count, 1);
	cr_expect_str_eq(lines.list[0], "backend a/y: priority 3, was 1");
	messages_free(&lines);
	config_free(before);
	config_free(after);
}
