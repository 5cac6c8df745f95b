// SPDX-License-Identifier: GPL-2.0

#include <string.h>
#include "rows.h"
#include "stages.h"

enum setup {
	DROP,
	TX,
	MAC_SWAP,
	ADJUST_HEAD,
	DSR,
	DSR_FLOW,
	IPIP_FLOW,
	IPIP_IDLE,
	IPIP,
	IPIP6,
	GUE,
	GUE6,
	FLOWS_1,
	FLOWS_64K_IDLE,
	FLOWS_64K,
	IPIP_64K,
	FLOWS_1K,
	IPIP_1K,
	CORPUS_IDLE,
	CORPUS,
	CORPUS_RUNS,
	SINGLE_IDLE,
	SINGLE,
	VARY_IDLE,
	BACKENDS_1,
	BACKENDS_100,
	BACKENDS_1000,
	BACKENDS_10000,
	SLOTS_4K,
	SLOTS_1M,
	SERVICES_IDLE,
	SERVICES_1,
	SERVICES_64,
	SERVICES_512,
	POOLS_8,
	POOLS_64,
	FARM,
	COUNTED,
	GUARD_OBSERVES,
	GUARD_ENFORCES,
	GUARD_SEARCHES,
	GUARD_DENIES,
	GUARD_TRUSTS,
	GUARD_LIMITS,
	GUARD_KNOWS,
	SOURCES_IDLE,
	SOURCES_64K,
	GUARD_64K,
	OBSERVED_NOT,
	OBSERVED_SOURCE,
	OBSERVED_CALL,
	OBSERVED_COUNTS,
	OBSERVED_ALL,
	FROM_USER,
	REQUEST_USER,
	HINTED,
	HINTED_REQUESTS,
	TAGGED,
	TAGGED_REQUESTS,
	ALL_USER,
	ALL_CALL_ID,
	HINT_IDLE,
	HINTS_1,
	HINTS_100,
	HINTS_1000,
	HINTS_10000,
	HINTS_NO_NAME,
	MIGRATION_FAR,
	MIGRATION_NEAR,
	TRACKED_1000,
	TRACKED_10000,
	TRACKED_100000,
	TRACKED_NEW,
	BALANCED,
	SPILLING,
	TAKING_TURNS,
	PLACED_1000,
	PLACED_100000,
	PLACED_1000000,
	PLACED_FULL,
	NAT_IN,
	NAT_OUT_IDLE,
	NAT_OUT,
	RETURN_IDLE,
	RETURN,
	RETURN_COUNTED,
	ECHO_IDLE,
	ECHO,
	TIMED_IDLE,
	TIMED_FLOW,
	TIMED,
	TIMED_HINTED,
	TIMED_MIGRATION,
	TIMED_FLOW_TABLE,
	STAGE_FIRST, /* one for each stage */
	SETUP_COUNT = STAGE_FIRST + STAGE_COUNT_OF,
};

#define DRIVE .object = "tests/bench/drive", .program = "drive"
#define FLOW_TABLE .object = "tests/bench/flow_table", .program = "flow_table"
#define FLOOR .object = "tests/bench/floors"
#define TIMED_DRIVE .object = "tests/bench/drive", .program = "timed"
#define VARIED .letters = MESSAGE_TYPICAL_CALL_ID
#define NAMED(n) DRIVE, .letters = MESSAGE_VIA_LETTERS, .hints = n, .words = n
#define TRACKED(n) DRIVE, VARIED, .migration = MIGRATION_HERE, .words = n, .warm = 600000
#define PLACED(n) DRIVE, VARIED, .balance = BALANCE_BY_TURN, .words = n, .counted_calls = 1 << 20
#define BALANCER .object = "bpf/balancer", .program = "balancer"
#define OBSERVING .object = "bpf/observer", .program = "observer"
#define SOURCES .sources = 65536, .warm = 400000
#define SOME_SOURCES .sources = 1024, .warm = 20000
#define EVERYTHING BALANCER, .hints = 64, .route = true, .methods = true, .migration = MIGRATION_HERE
#define SERVED(n) DRIVE, VARIED, .services = n, .several_services = n

const struct subject_setup setups[] = {[DROP] = {FLOOR, .program = "floor_drop"},
	[TX] = {FLOOR, .program = "floor_tx"},
	[MAC_SWAP] = {FLOOR, .program = "floor_mac_swap"},
	[ADJUST_HEAD] = {FLOOR, .program = "floor_adjust_head"},
	[DSR] = {BALANCER},
	[DSR_FLOW] = {BALANCER, .affinity = AFFINITY_FLOW},
	[IPIP_FLOW] = {DRIVE, .undo = 1, .forward = FORWARD_IPIP, .affinity = AFFINITY_FLOW},
	[IPIP_IDLE] = {DRIVE, .undo = 1, .idle = 1},
	[IPIP] = {DRIVE, .undo = 1, .forward = FORWARD_IPIP},
	[IPIP6] = {DRIVE, .undo = 1, .forward = FORWARD_IPIP, .ipv6_backends = true},
	[GUE] = {DRIVE, .undo = 1, .forward = FORWARD_GUE},
	[GUE6] = {DRIVE, .undo = 1, .forward = FORWARD_GUE, .ipv6_backends = true},
	[FLOWS_1] = {FLOW_TABLE, .undo = 1, .forward = FORWARD_IPIP},
	[FLOWS_64K_IDLE] = {DRIVE, SOURCES, .undo = 1, .idle = 1},
	[FLOWS_64K] = {FLOW_TABLE, SOURCES, .undo = 1, .forward = FORWARD_IPIP},
	[IPIP_64K] = {DRIVE, SOURCES, .undo = 1, .forward = FORWARD_IPIP},
	[FLOWS_1K] = {FLOW_TABLE, SOME_SOURCES, .undo = 1, .forward = FORWARD_IPIP},
	[IPIP_1K] = {DRIVE, SOME_SOURCES, .undo = 1, .forward = FORWARD_IPIP},
	[CORPUS_IDLE] = {DRIVE, .messages = CORPUS_MESSAGES, .idle = 1},
	[CORPUS] = {DRIVE, .messages = CORPUS_MESSAGES},
	[CORPUS_RUNS] = {DRIVE, .messages = CORPUS_MESSAGES, .run = 63},
	[SINGLE_IDLE] = {DRIVE, .messages = 1, .first = CORPUS_MESSAGES, .idle = 1},
	[SINGLE] = {DRIVE, .messages = 1, .first = CORPUS_MESSAGES},
	[VARY_IDLE] = {DRIVE, VARIED, .idle = 1},
	[BACKENDS_1] = {DRIVE, VARIED, .backends = 1},
	[BACKENDS_100] = {DRIVE, VARIED, .backends = 100},
	[BACKENDS_1000] = {DRIVE, VARIED, .backends = 1000},
	[BACKENDS_10000] = {DRIVE, VARIED, .backends = 10000},
	[SLOTS_4K] = {DRIVE, VARIED, .slots = 4096},
	[SLOTS_1M] = {DRIVE, VARIED, .slots = 1 << 20},
	[SERVICES_IDLE] = {SERVED(512), .idle = 1},
	[SERVICES_1] = {SERVED(1)},
	[SERVICES_64] = {SERVED(64)},
	[SERVICES_512] = {SERVED(512)},
	[POOLS_8] = {SERVED(512), .pools = 8},
	[POOLS_64] = {SERVED(512), .pools = 64},
	[FARM] = {SERVED(512), .pools = 64, .backends = 10000},
	[COUNTED] = {BALANCER, .counters = true},
	[GUARD_OBSERVES] = {BALANCER, .guard = GUARDED_OBSERVE},
	[GUARD_ENFORCES] = {BALANCER, .guard = GUARDED_ENFORCE},
	[GUARD_SEARCHES] = {BALANCER, .guard = GUARDED_SCANNERS},
	[GUARD_DENIES] = {BALANCER, .guard = GUARDED_DENY},
	[GUARD_TRUSTS] = {BALANCER, .guard = GUARDED_TRUST},
	[GUARD_LIMITS] = {BALANCER, .guard = GUARDED_LIMIT},
	[GUARD_KNOWS] = {BALANCER, .guard = GUARDED_MILLION},
	[SOURCES_IDLE] = {DRIVE, SOURCES, .idle = 1},
	[SOURCES_64K] = {DRIVE, SOURCES},
	[GUARD_64K] = {DRIVE, SOURCES, .guard = GUARDED_ENFORCE},
	[OBSERVED_NOT] = {BALANCER},
	[OBSERVED_SOURCE] = {OBSERVING, .observer = OBSERVER_OTHER_SOURCE},
	[OBSERVED_CALL] = {OBSERVING, .observer = OBSERVER_OTHER_CALL},
	[OBSERVED_COUNTS] = {OBSERVING, .observer = OBSERVER_COUNTS},
	[OBSERVED_ALL] = {OBSERVING, .observer = OBSERVER_ALL},
	[FROM_USER] = {BALANCER, .affinity = AFFINITY_FROM_USER},
	[REQUEST_USER] = {BALANCER, .affinity = AFFINITY_REQUEST_USER},
	[HINTED] = {BALANCER, .hints = 64},
	[HINTED_REQUESTS] = {BALANCER, .hints = 64, .route = true},
	[TAGGED] = {BALANCER, .hints = 64, .tag = true},
	[TAGGED_REQUESTS] = {BALANCER, .hints = 64, .route = true, .tag = true},
	[ALL_USER] = {EVERYTHING, .affinity = AFFINITY_FROM_USER},
	[ALL_CALL_ID] = {EVERYTHING},
	[HINT_IDLE] = {NAMED(1000), .idle = 1},
	[HINTS_1] = {NAMED(1)},
	[HINTS_100] = {NAMED(100)},
	[HINTS_1000] = {NAMED(1000)},
	[HINTS_10000] = {NAMED(10000)},
	[HINTS_NO_NAME] = {DRIVE, .letters = MESSAGE_VIA_LETTERS, .hints = 10000},
	[MIGRATION_FAR] = {BALANCER, .migration = MIGRATION_ELSEWHERE},
	[MIGRATION_NEAR] = {BALANCER, .migration = MIGRATION_HERE},
	[TRACKED_1000] = {TRACKED(1000)},
	[TRACKED_10000] = {TRACKED(10000)},
	[TRACKED_100000] = {TRACKED(100000)},
	[TRACKED_NEW] = {TRACKED(0)},
	[BALANCED] = {BALANCER, .balance = BALANCE_NONE},
	[SPILLING] = {BALANCER, .balance = BALANCE_MAY_SPILL},
	[TAKING_TURNS] = {BALANCER, .balance = BALANCE_BY_TURN},
	[PLACED_1000] = {PLACED(1000), .warm = 20000},
	[PLACED_100000] = {PLACED(100000), .warm = 600000},
	[PLACED_1000000] = {PLACED(1000000), .warm = 4000000},
	[PLACED_FULL] = {DRIVE, VARIED, .balance = BALANCE_BY_TURN, .counted_calls = 1024, .warm = 20000},
	[NAT_IN] = {DRIVE, .messages = 1, .first = CORPUS_MESSAGES, .forward = FORWARD_NAT},
	[NAT_OUT_IDLE] = {DRIVE, .messages = 1, .first = CORPUS_MESSAGES, .copied = MESSAGE_FROM_BACKEND, .idle = 1},
	[NAT_OUT] = {DRIVE, .messages = 1, .first = CORPUS_MESSAGES, .copied = MESSAGE_FROM_BACKEND,
		.forward = FORWARD_NAT},
	[RETURN_IDLE] = {DRIVE, .messages = 1, .first = CORPUS_MESSAGES, .copied = MESSAGE_RETURNED, .idle = 1},
	[RETURN] = {DRIVE, .messages = 1, .first = CORPUS_MESSAGES, .copied = MESSAGE_RETURNED, .forward = FORWARD_NAT},
	[RETURN_COUNTED] = {DRIVE, .messages = 1, .first = CORPUS_MESSAGES, .copied = MESSAGE_RETURNED,
		.forward = FORWARD_NAT, .counters = true},
	[ECHO_IDLE] = {DRIVE, .messages = 1, .first = CORPUS_MESSAGES, .copied = MESSAGE_ECHO, .idle = 1},
	[ECHO] = {DRIVE, .messages = 1, .first = CORPUS_MESSAGES, .copied = MESSAGE_ECHO},
	[TIMED_IDLE] = {TIMED_DRIVE, .idle = 1},
	[TIMED_FLOW] = {TIMED_DRIVE, .affinity = AFFINITY_FLOW},
	[TIMED] = {TIMED_DRIVE},
	[TIMED_HINTED] = {TIMED_DRIVE, .hints = 10000},
	[TIMED_MIGRATION] = {TIMED_DRIVE, .migration = MIGRATION_HERE},
	[TIMED_FLOW_TABLE] = {.object = "tests/bench/flow_table", .program = "timed"},
#define STAGE_SETUP(name, text)                                                                                        \
	[STAGE_FIRST + STAGE_##name] = {                                                                               \
		.object = "tests/bench/stages", .program = "stage_after", .stage = STAGE_##name},
	STAGES(STAGE_SETUP)
#undef STAGE_SETUP
};

#define ROW(key, in, what, setup_index, message_name, of, by, end, counter)                                            \
	.id = key, .group = in, .text = what, .setup = setup_index, .message = MESSAGE_##message_name, .floor = of,    \
	.flow = by, .action = end, .verdict = VERDICT_##counter

#define DIRECT(key, message, counter)                                                                                  \
	ROW(key, "Messages, by direct server return", NULL, DSR, message, "mac-swap", "dsr-flow", XDP_TX, counter)
#define PASSED(key, message, counter)                                                                                  \
	ROW(key, "Passed to the kernel", NULL, DSR, message, "tx", "dsr-flow", XDP_PASS, counter)
#define TUNNEL(key, what, setup, message, floor, counter)                                                              \
	ROW(key, "By IP-in-IP", what, setup, message, floor, "ipip-flow", XDP_TX, counter)
#define DRIVEN(key, in, what, setup, floor) ROW(key, in, what, setup, TYPICAL, floor, "dsr-flow", XDP_TX, call_id)
#define BARE(key, in, what, setup) ROW(key, in, what, setup, TYPICAL, "", NULL, XDP_TX, CONTINUE)

#define FEATURE(key, what, setup, message, counter)                                                                    \
	ROW(key, "Optional features, by direct server return", what, setup, message, "mac-swap", "dsr-flow", XDP_TX,   \
		counter)
#define WORST(key, setup, message, counter)                                                                            \
	ROW("all-" key, "Hints, methods, user or Call-ID affinity, slot migrating", NULL, setup, message, "mac-swap",  \
		"dsr-typical", XDP_TX, counter)
#define NAMES(key, what, setup, counter)                                                                               \
	ROW(key, "Hints, a different name in each response", what, setup, VIA_NAME, "hints-floor", "dsr-flow", XDP_TX, \
		counter)
#define TRACKED_ROW(key, what, setup)                                                                                  \
	DRIVEN(key, "All slots migrating, a different Call-ID in each packet", what, setup, "vary-floor")
#define PLACED_ROW(key, what, setup)                                                                                   \
	DRIVEN(key, "All calls placed by turn, a different Call-ID in each packet", what, setup, "vary-floor")
#define COLD(key, what, setup, message, counter)                                                                       \
	ROW("cold-" key, COLD_GROUP, what, setup, message, "cold-floor", "cold-flow", XDP_TX, counter),                \
		.sweep = COLD_SWEEP
#define FAR(key, what, setup, message, counter)                                                                        \
	ROW("far-" key, FAR_GROUP, what, setup, message, "far-floor", "far-flow", XDP_TX, counter), .sweep = FAR_SWEEP

#define COLD_GROUP "One packet, after reading 8 MiB of other memory"
#define COLD_SWEEP 8
#define FAR_GROUP "One packet, after reading 1 GiB of other memory"
#define FAR_SWEEP 1024
#define CORPUS_GROUP "Corpus"
#define GROWTH "Growth, a different Call-ID in each packet"

const struct row rows[] = {{ROW("drop", "Floors", "XDP_DROP", DROP, TYPICAL, "", NULL, XDP_DROP, CONTINUE)},
	{BARE("tx", "Floors", "XDP_TX", TX)}, {BARE("mac-swap", "Floors", "MAC addresses swapped, XDP_TX", MAC_SWAP)},
	{BARE("adjust-head", "Floors", "head moved by 20 bytes and back, XDP_TX", ADJUST_HEAD)},
	{BARE("ipip-floor", "Floors", "head moved and back, 18 bytes restored, XDP_TX", IPIP_IDLE)},

	{ROW("dsr-flow", "Messages, by direct server return", "typical, service with affinity: flow", DSR_FLOW, TYPICAL,
		"mac-swap", NULL, XDP_TX, flow)},
	{DIRECT("dsr-typical", TYPICAL, call_id)}, {DIRECT("dsr-128", AT_128, call_id)},
	{DIRECT("dsr-512", AT_512, call_id)}, {DIRECT("dsr-776", AT_776, call_id)},
	{DIRECT("dsr-937", AT_937, call_id)}, {DIRECT("dsr-1288", AT_1288, call_id)},
	{DIRECT("dsr-compact", COMPACT, call_id)}, {DIRECT("dsr-last", LAST, call_id)},
	{DIRECT("dsr-none", NONE, no_call_id)}, {DIRECT("dsr-response", RESPONSE, call_id)},
	{DIRECT("dsr-route", ROUTE, call_id)}, {DIRECT("dsr-register", REGISTER, call_id)},
	{DIRECT("dsr-newline-c", NEWLINE_C, call_id_too_far)},
	{DIRECT("dsr-header-like", HEADER_LIKE, call_id_too_far)}, {DIRECT("dsr-blanks", BLANKS, call_id_too_far)},
	{DIRECT("dsr-newlines", NEWLINES, not_sip)}, {DIRECT("dsr-high-bytes", HIGH_BYTES, call_id_too_far)},
	{DIRECT("dsr-not-sip", NOT_SIP, not_sip)}, {DIRECT("dsr-stun", STUN, not_sip)},
	{DIRECT("dsr-keepalive", KEEPALIVE, not_sip)}, {DIRECT("dsr-ipv6", IPV6, call_id)},
	{DIRECT("dsr-ipv6-not-sip", IPV6_NOT_SIP, not_sip)}, {DIRECT("dsr-vlan", VLAN, call_id)},
	{DIRECT("dsr-qinq", QINQ, call_id)}, {DIRECT("dsr-first-fragment", FIRST_FRAGMENT, call_id)},
	{DIRECT("dsr-later-fragment", LATER_FRAGMENT, fragment), .needs = "dsr-first-fragment"},
	{DIRECT("dsr-tcp", TCP, flow)}, {PASSED("pass-other-vip", OTHER_VIP, not_service)},
	{PASSED("pass-arp", ARP, not_ip)},

	{ROW("ipip-flow", "By IP-in-IP", "typical, service with affinity: flow", IPIP_FLOW, TYPICAL, "ipip-floor", NULL,
		XDP_TX, flow)},
	{TUNNEL("ipip-not-sip", NULL, IPIP, NOT_SIP, "ipip-floor", not_sip)},
	{TUNNEL("ipip-typical", NULL, IPIP, TYPICAL, "ipip-floor", call_id)},
	{TUNNEL("ipip6-typical", "... in IPv6", IPIP6, TYPICAL, "ipip-floor", call_id)},
	{TUNNEL("gue-typical", "... by GUE", GUE, TYPICAL, "ipip-floor", call_id)},
	{TUNNEL("gue6-typical", "... by GUE in IPv6", GUE6, TYPICAL, "ipip-floor", call_id)},
	{TUNNEL("flow-table-1", "... and a flow table (LRU) of one flow", FLOWS_1, TYPICAL, "ipip-floor", call_id)},
	{BARE("flows-floor", "By IP-in-IP", "floor: writing a source address", FLOWS_64K_IDLE)},
	{TUNNEL("ipip-1k", "typical, 1,024 sources", IPIP_1K, TYPICAL, "flows-floor", call_id)},
	{TUNNEL("flow-table-1k", "... and a flow table of 1,024 flows", FLOWS_1K, TYPICAL, "flows-floor", call_id)},
	{TUNNEL("ipip-64k", "typical, 65,536 sources", IPIP_64K, TYPICAL, "flows-floor", call_id)},
	{TUNNEL("flow-table-64k", "... and a flow table of 65,536 flows", FLOWS_64K, TYPICAL, "flows-floor", call_id)},

	{BARE("single-floor", CORPUS_GROUP, "floor: copying the typical message", SINGLE_IDLE)},
	{DRIVEN("single", CORPUS_GROUP, "typical message, copied each time", SINGLE, "single-floor")},
	{BARE("corpus-floor", CORPUS_GROUP, "floor: copying one of 1,024 messages", CORPUS_IDLE)},
	{DRIVEN("corpus", CORPUS_GROUP, "1,024 messages in random order", CORPUS, "corpus-floor")},
	{DRIVEN("corpus-runs", CORPUS_GROUP, "... each 64 times in a row, copied once", CORPUS_RUNS, "mac-swap")},

	{BARE("vary-floor", GROWTH, "floor: writing a Call-ID", VARY_IDLE)},
	{DRIVEN("backends-1", GROWTH, "1 backend", BACKENDS_1, "vary-floor")},
	{DRIVEN("backends-100", GROWTH, "100 backends", BACKENDS_100, "vary-floor")},
	{DRIVEN("backends-1000", GROWTH, "1,000 backends", BACKENDS_1000, "vary-floor")},
	{DRIVEN("backends-10000", GROWTH, "10,000 backends", BACKENDS_10000, "vary-floor")},
	{DRIVEN("slots-4k", GROWTH, "64 backends, 4,096 slots", SLOTS_4K, "vary-floor")},
	{DRIVEN("slots-1m", GROWTH, "64 backends, 1,048,576 slots", SLOTS_1M, "vary-floor")},
	{BARE("services-floor", GROWTH, "floor: writing Call-ID and VIP", SERVICES_IDLE)},
	{DRIVEN("services-1", GROWTH, "1 service", SERVICES_1, "services-floor")},
	{DRIVEN("services-64", GROWTH, "64 services, one pool", SERVICES_64, "services-floor")},
	{DRIVEN("services-512", GROWTH, "512 services, one pool", SERVICES_512, "services-floor")},
	{DRIVEN("pools-8", GROWTH, "512 services, 8 pools", POOLS_8, "services-floor")},
	{DRIVEN("pools-64", GROWTH, "512 services, 64 pools", POOLS_64, "services-floor")},
	{DRIVEN("farm", GROWTH, "512 services, 64 pools, 10,000 backends", FARM, "services-floor")},

	{FEATURE("counters-invite", "message_counters: INVITE", COUNTED, TYPICAL, call_id)},
	{FEATURE("counters-response", "message_counters: 200", COUNTED, RESPONSE, call_id)},
	{FEATURE("guard-observe", "guard in mode observe, over its limits", GUARD_OBSERVES, TYPICAL, call_id)},
	{FEATURE("guard-enforce", "guard: INVITE within its limits", GUARD_ENFORCES, TYPICAL, call_id)},
	{FEATURE("guard-trusted", "guard: INVITE of a trusted source", GUARD_TRUSTS, TYPICAL, call_id)},
	{FEATURE("guard-response", "guard: 200", GUARD_ENFORCES, RESPONSE, call_id)},
	{FEATURE("guard-scanners", "guard: INVITE, with a search for scanners", GUARD_SEARCHES, TYPICAL, call_id)},
	{FEATURE("guard-million", "guard: INVITE, with 1,000,000 prefixes on a list", GUARD_KNOWS, TYPICAL, call_id)},
	{ROW("guard-denied", "Optional features, by direct server return", "guard: dropped, on a list", GUARD_DENIES,
		TYPICAL, "mac-swap", "dsr-flow", XDP_DROP, denied)},
	{ROW("guard-limited", "Optional features, by direct server return", "guard: dropped, over a limit",
		GUARD_LIMITS, TYPICAL, "mac-swap", "dsr-flow", XDP_DROP, CONTINUE)},
	{BARE("sources-floor", "Optional features, by direct server return", "floor: writing a source address",
		SOURCES_IDLE)},
	{DRIVEN("sources-64k", "Optional features, by direct server return", "65,536 sources, without a guard",
		SOURCES_64K, "sources-floor")},
	{DRIVEN("guard-64k", "Optional features, by direct server return", "65,536 sources, with a guard", GUARD_64K,
		"sources-floor")},
	{FEATURE("observe-off", "trace off", OBSERVED_NOT, TYPICAL, call_id)},
	{FEATURE("observe-source", "trace of a different source", OBSERVED_SOURCE, TYPICAL, call_id)},
	{FEATURE("observe-call", "trace of a different Call-ID", OBSERVED_CALL, TYPICAL, call_id)},
	{FEATURE("observe-counts", "top sources", OBSERVED_COUNTS, TYPICAL, call_id)},
	{FEATURE("observe-all", "trace of all packets, ring buffer full", OBSERVED_ALL, TYPICAL, call_id)},
	{FEATURE("from-user", "affinity: from-user", FROM_USER, TYPICAL, user)},
	{FEATURE("request-user", "affinity: request-user", REQUEST_USER, TYPICAL, user)},
	{FEATURE(
		"user-header-like", "affinity: from-user, hostile header-like lines", FROM_USER, HEADER_LIKE, no_user)},
	{FEATURE("hint-request", "hints: a request, which needs no search", HINTED, TYPICAL, call_id)},
	{FEATURE("hint-via", "hints: 200 whose Via names a backend", HINTED, VIA_ADDRESS, hint)},
	{FEATURE("hint-no-name", "hints: 200 whose Via names no backend", HINTED, RESPONSE, call_id)},
	{FEATURE("hint-route", "hints: BYE whose Route names a backend", HINTED_REQUESTS, ROUTE_ADDRESS, hint)},
	{FEATURE("hint-route-no-name", "hints: BYE whose Route names no backend", HINTED_REQUESTS, ROUTE, call_id)},
	{FEATURE("hint-no-route", "hints: INVITE whose Request-URI names no backend", HINTED_REQUESTS, TYPICAL,
		call_id)},
	{FEATURE("hint-tag", "hints: BYE whose To tag names a backend", TAGGED, TAG, hint)},
	{FEATURE("hint-tag-no-name", "hints: BYE whose To tag names no backend", TAGGED, ROUTE, call_id)},
	{FEATURE("hint-tag-initial", "hints: INVITE without a To tag", TAGGED, TYPICAL, call_id)},
	{FEATURE("hint-tag-response", "hints: 200 whose From tag names a backend", TAGGED, RESPONSE_TAG, hint)},
	{FEATURE("hint-tag-route", "hints: BYE whose To tag names a backend, and whose Routes name none",
		TAGGED_REQUESTS, TAG, hint)},
	{FEATURE("hint-tag-header-like", "hints: hostile header-like lines, tags", TAGGED, HEADER_LIKE,
		call_id_too_far)},
	{FEATURE("hint-newline-c", "hints: hostile \"C\\n\"", HINTED_REQUESTS, NEWLINE_C, call_id_too_far)},
	{FEATURE(
		"hint-header-like", "hints: hostile header-like lines", HINTED_REQUESTS, HEADER_LIKE, call_id_too_far)},
	{FEATURE("hint-blanks", "hints: hostile blanks", HINTED_REQUESTS, BLANKS, call_id_too_far)},
	{FEATURE("hint-routes", "hints: hostile Routes of the VIP", HINTED_REQUESTS, ROUTES, call_id_too_far)},
	{FEATURE("balance-none", "balance: bounded, no server near its bound: INVITE", BALANCED, TYPICAL, call_id)},
	{FEATURE("balance-spill", "balance: bounded, a server near its bound: BYE", SPILLING, ROUTE, call_id)},
	{FEATURE("balance-spill-invite", "... INVITE", SPILLING, TYPICAL, call_id)},
	{FEATURE("balance-invite", "balance: least-calls: INVITE of a placed call", TAKING_TURNS, TYPICAL, call_id)},
	{FEATURE("balance-bye", "... BYE", TAKING_TURNS, ROUTE, call_id)},
	{FEATURE("migration-elsewhere", "pool migrating, but not this slot", MIGRATION_FAR, TYPICAL, call_id)},
	{FEATURE("migration-invite", "slot migrating: INVITE of a tracked call", MIGRATION_NEAR, TYPICAL, call_id)},
	{FEATURE("migration-response", "slot migrating: 200 of a tracked call", MIGRATION_NEAR, RESPONSE, call_id)},
	{FEATURE("migration-bye", "slot migrating: BYE of a tracked call", MIGRATION_NEAR, ROUTE, call_id)},
	{FEATURE("migration-header-like", "slot migrating: hostile header-like lines", MIGRATION_NEAR, HEADER_LIKE,
		call_id_too_far)},
	{WORST("typical", ALL_USER, TYPICAL, user)}, {WORST("bye", ALL_USER, ROUTE, user)},
	{WORST("header-like", ALL_USER, HEADER_LIKE, no_user)}, {WORST("routes", ALL_USER, ROUTES, no_user)},
	{WORST("lines", ALL_USER, LINES, headers_too_far)}, {WORST("quotes", ALL_USER, QUOTES, no_user)},
	{WORST("folds", ALL_USER, FOLDS, no_user)}, {WORST("escapes", ALL_USER, ESCAPES, no_user)},
	{WORST("via", ALL_USER, VIA_BLANKS, headers_too_far)}, {WORST("tags", ALL_USER, TAGS, headers_too_far)},
	{WORST("call-id-bye", ALL_CALL_ID, ROUTE, call_id)},
	{WORST("call-id-header-like", ALL_CALL_ID, HEADER_LIKE, call_id_too_far)},
	{WORST("call-id-lines", ALL_CALL_ID, LINES, call_id_too_far)},
	{WORST("call-id-blanks", ALL_CALL_ID, BLANKS, call_id_too_far)},
	{WORST("call-id-tags", ALL_CALL_ID, TAGS, headers_too_far)}, {FEATURE("media", NULL, DSR, MEDIA, port_range)},
	{FEATURE("ranged", NULL, DSR, RANGED, call_id)}, {PASSED("pass-from-vip", FROM_VIP, not_service)},
	{DRIVEN("nat-in", "By NAT", "typical, copied each time", NAT_IN, "single-floor")},
	{ROW("nat-out-floor", "By NAT", "floor: copying the message", NAT_OUT_IDLE, FROM_BACKEND, "", NULL, XDP_TX,
		CONTINUE)},
	{ROW("nat-out", "By NAT", NULL, NAT_OUT, FROM_BACKEND, "nat-out-floor", NULL, XDP_REDIRECT, nat_out)},
	{ROW("nat-response-floor", "By NAT", "floor: copying a response", RETURN_IDLE, RETURNED, "", NULL, XDP_TX,
		CONTINUE)},
	{ROW("nat-response", "By NAT", NULL, RETURN, RETURNED, "nat-response-floor", NULL, XDP_REDIRECT, nat_out)},
	{ROW("nat-response-counted", "By NAT", "message_counters: 200", RETURN_COUNTED, RETURNED, "nat-response-floor",
		NULL, XDP_REDIRECT, nat_out)},
	{BARE("ping-floor", "Answered by the program", "floor: copying the ping", ECHO_IDLE)},
	{ROW("ping", "Answered by the program", NULL, ECHO, ECHO, "ping-floor", NULL, XDP_TX, echo_reply)},

	{ROW("hints-floor", "Hints, a different name in each response", "floor: writing a name", HINT_IDLE, VIA_NAME,
		"", NULL, XDP_TX, CONTINUE)},
	{NAMES("hints-1", "1 name", HINTS_1, hint)}, {NAMES("hints-100", "100 names", HINTS_100, hint)},
	{NAMES("hints-1000", "1,000 names", HINTS_1000, hint)},
	{NAMES("hints-10000", "10,000 names", HINTS_10000, hint)},
	{NAMES("hints-no-name", "10,000 names, and the message contains none of them", HINTS_NO_NAME, call_id)},
	{TRACKED_ROW("tracked-1000", "1,000 calls, all tracked", TRACKED_1000)},
	{TRACKED_ROW("tracked-10000", "10,000 calls", TRACKED_10000)},
	{TRACKED_ROW("tracked-100000", "100,000 calls", TRACKED_100000)},
	{TRACKED_ROW("tracked-new", "each call is new and evicts the oldest one", TRACKED_NEW)},

	{PLACED_ROW("placed-1000", "1,000 calls, all placed", PLACED_1000)},
	{PLACED_ROW("placed-100000", "100,000 calls", PLACED_100000)},
	{PLACED_ROW("placed-1000000", "1,000,000 calls", PLACED_1000000)},
	{PLACED_ROW("placed-full", "each call is new, and the map is full", PLACED_FULL)},

	{BARE("cold-floor", COLD_GROUP, "floor: reading the clock", TIMED_IDLE), .sweep = COLD_SWEEP},
	{COLD("flow", "typical, service with affinity: flow", TIMED_FLOW, TYPICAL, flow)},
	{COLD("typical", "typical", TIMED, TYPICAL, call_id)},
	{COLD("hint", "200 whose Via names a backend, 10,000 names", TIMED_HINTED, VIA_ADDRESS, hint)},
	{COLD("migration", "slot migrating: INVITE of a tracked call", TIMED_MIGRATION, TYPICAL, call_id)},
	{COLD("flow-table", "typical, and a flow table", TIMED_FLOW_TABLE, TYPICAL, call_id)},
	{BARE("far-floor", FAR_GROUP, "floor: reading the clock", TIMED_IDLE), .sweep = FAR_SWEEP},
	{FAR("flow", "typical, service with affinity: flow", TIMED_FLOW, TYPICAL, flow)},
	{FAR("typical", "typical", TIMED, TYPICAL, call_id)},
	{FAR("flow-table", "typical, and a flow table", TIMED_FLOW_TABLE, TYPICAL, call_id)},

#define STAGE_ROW(name, text)                                                                                          \
	{BARE("stage-" #name, "The typical message, up to and including one stage", text, STAGE_FIRST + STAGE_##name)},
	STAGES(STAGE_ROW)
#undef STAGE_ROW
};

const int setup_count = SETUP_COUNT;
const int row_count = sizeof(rows) / sizeof(*rows);

int row_find(const char *id)
{
	for (int i = 0; i < row_count; i++) {
		if (!strcmp(rows[i].id, id))
			return i;
	}
	return NO_ROW;
}
