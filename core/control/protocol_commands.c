// SPDX-License-Identifier: GPL-2.0
/* The table of commands. See protocol.h. */
#include "core/config/config.h"
#include "protocol.h"

#define IN_REQUEST(member) .offset = offsetof(struct request, member)
#define WEIGHT_RANGE .minimum = 0, .maximum = MAX_WEIGHT

#define POOL                                                                                                           \
	{                                                                                                              \
		"pool", "POOL", ARGUMENT_NAME, ARGUMENT_REQUIRED, IN_REQUEST(pool), .help = "name of a pool"           \
	}
#define BACKEND                                                                                                        \
	{                                                                                                              \
		"backend", "NAME", ARGUMENT_NAME, ARGUMENT_REQUIRED, IN_REQUEST(backend),                              \
			.help = "name of a backend of that pool"                                                       \
	}

#define RATE                                                                                                           \
	{                                                                                                              \
		"rate", NULL, ARGUMENT_SWITCH, ARGUMENT_FLAG, IN_REQUEST(rate),                                        \
			.help = "print the change of the counters per second"                                          \
	}
#define WATCH                                                                                                          \
	{                                                                                                              \
		"watch", NULL, ARGUMENT_SWITCH, ARGUMENT_FLAG, IN_REQUEST(watch),                                      \
			.help = "repeat until interrupted; with --json one line for each sample"                       \
	}
#define SECONDS                                                                                                        \
	{                                                                                                              \
		"seconds", "SECONDS", ARGUMENT_NUMBER, ARGUMENT_OPTIONAL,                                              \
			.minimum = 1, .maximum = 3600, IN_REQUEST(seconds),                                            \
			.help = "with --rate or --watch: the interval (default 1)"                                     \
	}
#define PREFIX                                                                                                         \
	{                                                                                                              \
		"prefix", "PREFIX", ARGUMENT_PREFIX, ARGUMENT_REQUIRED, IN_REQUEST(guard.prefix),                      \
			.help = "an address, or a network such as 203.0.113.0/24"                                      \
	}
#define GUARDED_SERVICE                                                                                                \
	{                                                                                                              \
		"service", "SERVICE", ARGUMENT_NAME, ARGUMENT_FLAG, IN_REQUEST(service),                               \
			.help = "only for this service, which needs its own `guard:` (default: all services)"          \
	}
#define FOR                                                                                                            \
	{                                                                                                              \
		"for", "TIME", ARGUMENT_TIME, ARGUMENT_FLAG, IN_REQUEST(guard.time),                                   \
			.help = "end after this time, such as 90s, 10m or 2h (default: never)"                         \
	}
#define REASON                                                                                                         \
	{                                                                                                              \
		"reason", "TEXT", ARGUMENT_TEXT, ARGUMENT_FLAG, IN_REQUEST(guard.reason),                              \
			.help = "shown by 'guard list'"                                                                \
	}
#define FORCE(help_text)                                                                                               \
	{                                                                                                              \
		"force", NULL, ARGUMENT_SWITCH, ARGUMENT_FLAG, IN_REQUEST(force), .help = help_text                    \
	}
#define FORCE_ALONE FORCE("if this balancer does not agree with its group now: change only this balancer")

/* Where a message comes from, if the input is only its text. */
#define TEXT_SERVICE                                                                                                   \
	{                                                                                                              \
		"service", "SERVICE", ARGUMENT_NAME, ARGUMENT_FLAG, IN_REQUEST(service),                               \
			.help = "for text: the service that receives the message (default: the only service over UDP)" \
	}
#define TEXT_SOURCE                                                                                                    \
	{                                                                                                              \
		"source", "ADDRESS[:PORT]", ARGUMENT_TEXT, ARGUMENT_FLAG, IN_REQUEST(source),                          \
			.help = "for text: the address of the client (default 198.51.100.1:5060)"                      \
	}
#define TEXT_DESTINATION                                                                                               \
	{                                                                                                              \
		"destination", "ADDRESS[:PORT]", ARGUMENT_TEXT, ARGUMENT_FLAG, IN_REQUEST(destination),                \
			.help = "for text: the destination, instead of the VIP and port of a service"                  \
	}

const struct protocol_command protocol_commands[COMMAND_COUNT] = {
	[COMMAND_STATUS] = {.words = "status", .help = "show versions, attached interfaces and problems"},
	[COMMAND_HEALTH] = {"health",
		"check whether the balancer can serve calls (exit status 0: yes, 1: no, 2: unknown); works without "
		"sipxdpd",
		{{"service", "SERVICE", ARGUMENT_NAME, ARGUMENT_FLAG, IN_REQUEST(service),
			 .help = "check only this service (default: all services)"},
			{"forwarding", NULL, ARGUMENT_SWITCH, ARGUMENT_FLAG, IN_REQUEST(forwarding),
				.help = "check only whether the balancer forwards, whatever the state of the backends "
					"is"}},
		.is_local = true},
	[COMMAND_AWAY] = {"away",
		"make health checks fail, so that traffic moves to a different balancer; packets are still forwarded",
		{{"wait", "SECONDS", ARGUMENT_NUMBER, ARGUMENT_FLAG, .minimum = 1, .maximum = 604800, IN_REQUEST(wait),
			.help = "return when packets for services have stopped for 2 s, or fail after this time"}}},
	[COMMAND_BACK] = {.words = "back",
		.help = "undo 'away': health checks succeed if the balancer can serve calls"},
	[COMMAND_SERVICE_LIST] = {.words = "service list",
		.help = "list the services with their VIPs and received packets"},
	[COMMAND_POOL_LIST] = {.words = "pool list", .help = "list the pools with the number of backends that serve"},
	[COMMAND_POOL_FINISH] = {"pool finish", "end the migrations of a pool at once: all calls go to the new owners",
		{POOL, FORCE_ALONE}},
	[COMMAND_BACKEND_LIST] = {"backend list",
		"list the backends with their state, share of the slots and forwarded packets",
		{{"pool", "POOL", ARGUMENT_NAME, ARGUMENT_OPTIONAL, IN_REQUEST(pool),
			.help = "only the backends of this pool"}}},
	[COMMAND_BACKEND_CALLS] = {"backend calls", "list the calls and connections of a backend during a migration",
		{POOL, BACKEND}},
	[COMMAND_BACKEND_ADD] = {"backend add", "add a backend to a pool at once",
		{POOL,
			{"backend", "NAME", ARGUMENT_NAME, ARGUMENT_REQUIRED, IN_REQUEST(backend),
				.help = "name of the new backend"},
			{"address", "ADDRESS", ARGUMENT_ADDRESS, ARGUMENT_REQUIRED, IN_REQUEST(address),
				.help = "IPv4 or IPv6 address of the backend"},
			{"weight", "N", ARGUMENT_NUMBER, ARGUMENT_FLAG, WEIGHT_RANGE, IN_REQUEST(weight),
				.help = "share of the calls, relative to the other backends (default 1, or as in the "
					"file)"},
			{"priority", "N", ARGUMENT_NUMBER, ARGUMENT_FLAG, .minimum = 1, .maximum = MAX_PRIORITY,
				IN_REQUEST(priority), .help = "backends with a higher number are standbys (default 1)"},
			{"hints", "HOST[:PORT],...", ARGUMENT_TEXT, ARGUMENT_FLAG, IN_REQUEST(hints),
				.help = "hosts, parameters such as ';node=px1', or tags such as tag=px1-, that "
					"identify the "
					"backend in SIP messages"},
			{"ports", "FIRST-LAST", ARGUMENT_TEXT, ARGUMENT_FLAG, IN_REQUEST(ports),
				.help = "UDP ports of the VIPs that belong to this backend only"},
			{"group", "GROUP", ARGUMENT_NAME, ARGUMENT_FLAG, IN_REQUEST(group),
				.help = "a group of the pool"},
			{"mac", "MAC", ARGUMENT_TEXT, ARGUMENT_FLAG, IN_REQUEST(mac),
				.help = "MAC address of the backend (default: resolved by ARP or ND)"},
			{"forward", "dsr|ipip|gue|nat", ARGUMENT_TEXT, ARGUMENT_FLAG, IN_REQUEST(forward),
				.help = "how packets reach the backend (default: the method of the pool)"},
			{"port", "PORT", ARGUMENT_NUMBER, ARGUMENT_FLAG, .minimum = 1, .maximum = 65535,
				IN_REQUEST(port),
				.help = "forward nat: the port on which the backend listens (default: the port of the "
					"pool, else that of the service)"},
			{"max-calls", "N", ARGUMENT_NUMBER, ARGUMENT_FLAG, .minimum = 1, .maximum = MAX_COUNTED_CALLS,
				IN_REQUEST(max_calls),
				.help = "live calls from which on new calls go to other backends (default: the limit "
					"of the pool)"},
			{"max-rate", "N", ARGUMENT_NUMBER, ARGUMENT_FLAG, .minimum = 1, .maximum = CALL_RATE_MAX,
				IN_REQUEST(max_rate),
				.help = "new calls per second; further ones go to other backends (default: the limit "
					"of the pool)"},
			FORCE_ALONE}},
	[COMMAND_BACKEND_REMOVE] = {"backend remove", "remove a backend from its pool at once",
		{POOL, BACKEND,
			{"drain", NULL, ARGUMENT_SWITCH, ARGUMENT_FLAG, IN_REQUEST(drain),
				.help = "remove the backend only after its calls have ended"},
			{"wait", "SECONDS", ARGUMENT_NUMBER, ARGUMENT_FLAG, .minimum = 1, .maximum = 604800,
				IN_REQUEST(wait),
				.help = "with --drain: return when the backend is removed; fail after this time, or "
					"when the removal is cancelled"},
			FORCE_ALONE}},
	[COMMAND_BACKEND_DRAIN] = {"backend drain", "send no new calls to a backend; its established calls stay",
		{POOL, BACKEND,
			{"wait", "SECONDS", ARGUMENT_NUMBER, ARGUMENT_FLAG, .minimum = 1, .maximum = 604800,
				IN_REQUEST(wait),
				.help = "return when its calls have ended; fail after this time, or when the drain is "
					"cancelled"},
			FORCE_ALONE}},
	[COMMAND_BACKEND_READY] = {"backend ready",
		"send new calls to a backend again; this also cancels a pending removal", {POOL, BACKEND, FORCE_ALONE}},
	[COMMAND_BACKEND_MAINT] = {"backend maint", "stop forwarding to a backend at once",
		{POOL, BACKEND, FORCE_ALONE}},
	[COMMAND_BACKEND_WEIGHT] = {"backend weight", "change the share of a backend",
		{POOL, BACKEND,
			{"weight", "N", ARGUMENT_NUMBER, ARGUMENT_REQUIRED, WEIGHT_RANGE, IN_REQUEST(weight),
				.help = "share of the calls, relative to the other backends; 0: no new calls"},
			FORCE_ALONE}},
	[COMMAND_GROUP] = {.words = "group",
		.help = "show the members of the group of balancers, and where they disagree"},
	[COMMAND_LOOKUP] = {"lookup", "show which backend serves a call, a user or a connection",
		{{"service", "SERVICE", ARGUMENT_NAME, ARGUMENT_REQUIRED, IN_REQUEST(service),
			 .help = "name of a service"},
			{"call_ids", "CALL-ID", ARGUMENT_LIST, ARGUMENT_OPTIONAL, IN_REQUEST(call_ids),
				.help = "one or more Call-IDs, or users or URIs if the affinity is a user; '-' reads "
					"one per line from standard input"},
			{"method", "METHOD", ARGUMENT_TEXT, ARGUMENT_FLAG, IN_REQUEST(method),
				.help = "for requests with this method, which `methods:` may send to a different pool"},
			{"source", "ADDRESS:PORT", ARGUMENT_TEXT, ARGUMENT_FLAG, IN_REQUEST(source),
				.help = "address of the client; required for connections and for affinity source or "
					"flow"},
			{"via", "HOST[:PORT]", ARGUMENT_TEXT, ARGUMENT_FLAG, IN_REQUEST(via),
				.help = "for a response with this topmost Via, which may identify a backend"},
			{"route", "HOST[:PORT]", ARGUMENT_TEXT, ARGUMENT_FLAG, IN_REQUEST(route),
				.help = "for a request with this topmost Route, which may identify a backend"},
			{"request-uri", "HOST[:PORT]", ARGUMENT_TEXT, ARGUMENT_FLAG, IN_REQUEST(request_uri),
				.help = "for a request with this host in its Request-URI; used if there is no Route"},
			{"tag", "TAG", ARGUMENT_TEXT, ARGUMENT_FLAG, IN_REQUEST(tag),
				.help = "for a request with this tag in To, or a response with this tag in From; used "
					"if no host identifies a backend"}}},
	[COMMAND_EXPLAIN] = {"explain",
		"show step by step how the balancer processes a message or captured packets; nothing is sent or "
		"counted",
		{{"path", "FILE", ARGUMENT_TEXT, ARGUMENT_REQUIRED, IN_REQUEST(path),
			 .help = "a SIP message as text, or a pcap or pcapng file; '-' reads standard input"},
			TEXT_SERVICE, TEXT_SOURCE, TEXT_DESTINATION},
		.is_local = true},
	[COMMAND_PLAN] = {"plan", "show what a reload with this file would change, and how many slots would move",
		{{"path", "FILE", ARGUMENT_TEXT, ARGUMENT_REQUIRED, IN_REQUEST(path),
			 .help = "a configuration file; '-' reads standard input"},
			{"text", NULL, ARGUMENT_TEXT, ARGUMENT_CONTENTS, IN_REQUEST(text)}}},
	[COMMAND_RELOAD] = {"reload", "read the configuration file again and apply it",
		{{"move-calls", NULL, ARGUMENT_SWITCH, ARGUMENT_FLAG, IN_REQUEST(move_calls),
			 .help = "reload even if established calls move or end, because of a different affinity, "
				 "hash_key or pool, or a removed server, VIP or port"},
			{"all", NULL, ARGUMENT_SWITCH, ARGUMENT_FLAG, IN_REQUEST(all),
				.help = "all balancers of the group read their files, if all files mean the same"}}},
	[COMMAND_SAVE] = {.words = "save", .help = "print the running configuration as YAML"},
	[COMMAND_STATS] = {.words = "stats",
		.help = "show the counters of packets and SIP messages by verdict, service and backend",
		.arguments = {RATE, WATCH, SECONDS}},
	[COMMAND_TOP] = {.words = "top",
		.help = "show load and state of services, pools and backends on the whole screen, each second",
		.is_local = true},
	[COMMAND_TRACE] = {"trace", "show packets and how the balancer handles each of them, until interrupted",
		{{"call-id", "CALL-ID", ARGUMENT_LIST, ARGUMENT_FLAG, IN_REQUEST(trace.call_ids),
			 .help = "only messages with this Call-ID; each filter can be given up to 4 times"},
			{"from", "USER", ARGUMENT_LIST, ARGUMENT_FLAG, IN_REQUEST(trace.from),
				.help = "only messages with this user or URI in From"},
			{"to", "USER", ARGUMENT_LIST, ARGUMENT_FLAG, IN_REQUEST(trace.to),
				.help = "only messages with this user or URI in To"},
			{"source", "PREFIX", ARGUMENT_LIST, ARGUMENT_FLAG, IN_REQUEST(trace.sources),
				.help = "only packets from this address or network"},
			{"method", "METHOD", ARGUMENT_LIST, ARGUMENT_FLAG, IN_REQUEST(trace.methods),
				.help = "only requests with this method, and responses with this method in CSeq"},
			{"service", "SERVICE", ARGUMENT_LIST, ARGUMENT_FLAG, IN_REQUEST(trace.services),
				.help = "only packets for this service"},
			{"backend", "BACKEND", ARGUMENT_LIST, ARGUMENT_FLAG, IN_REQUEST(trace.backends),
				.help = "only packets to this backend, and from it with forward: nat (NAME or "
					"POOL/NAME)"},
			{"verdict", "VERDICT", ARGUMENT_LIST, ARGUMENT_FLAG, IN_REQUEST(trace.verdicts),
				.help = "only packets with this verdict (default: all but not_service, other_host and "
					"not_ip)"},
			{"count", "N", ARGUMENT_NUMBER, ARGUMENT_FLAG, .minimum = 1, .maximum = 1000000000,
				IN_REQUEST(trace.count), .help = "end after N packets"},
			{"seconds", "N", ARGUMENT_NUMBER, ARGUMENT_FLAG, .minimum = 1, .maximum = 604800,
				IN_REQUEST(trace.seconds), .help = "end after N seconds"},
			{"pcap", "FILE", ARGUMENT_TEXT, ARGUMENT_FLAG, IN_REQUEST(trace.pcap),
				.help = "write the packets as they arrived to a pcap file; '-' is standard output"},
			{"hep", "udp:ADDRESS:PORT", ARGUMENT_TEXT, ARGUMENT_FLAG, IN_REQUEST(trace.hep),
				.help = "also send the SIP messages to this capture server, such as Homer or sngrep "
					"(HEP version 3)"},
			{"body", NULL, ARGUMENT_SWITCH, ARGUMENT_FLAG, IN_REQUEST(trace.body),
				.help = "also print each message"}}},
	[COMMAND_TOP_SOURCES] = {"top sources",
		"show the sources and Call-IDs with the most packets; the balancer counts them only while this command "
		"runs",
		{{"seconds", "SECONDS", ARGUMENT_NUMBER, ARGUMENT_FLAG, .minimum = 1, .maximum = 60,
			IN_REQUEST(seconds),
			.help = "print one report over this time (default 2) instead of the screen"}}},
	[COMMAND_LOG_LEVEL] = {"log level",
		"set the level of the daemon's log; the next start of the daemon resets it to info",
		{{"level", "debug|info|warning", ARGUMENT_TEXT, ARGUMENT_REQUIRED, IN_REQUEST(level),
			.help = "the daemon does not log lines below this level"}}},
	[COMMAND_GUARD_STATS] = {"guard stats", "show how many packets each rule of the guard drops, or would drop",
		{RATE, WATCH, SECONDS}},
	[COMMAND_GUARD_TOP] = {"guard top", "show the sources from which the guard drops the most packets now",
		{WATCH, SECONDS}},
	[COMMAND_GUARD_LIST] = {.words = "guard list",
		.help = "list the guard's lists, and the prefixes that are blocked or trusted at run time"},
	[COMMAND_GUARD_RELOAD] = {.words = "guard reload", .help = "read the files of the guard's lists again"},
	[COMMAND_GUARD_BLOCK] = {"guard block", "drop all packets from a prefix at once",
		{PREFIX, FOR, GUARDED_SERVICE, REASON,
			FORCE("block even if the prefix overlaps a trusted prefix or is very short, and even if this "
			      "balancer does not agree with its group")}},
	[COMMAND_GUARD_TRUST] = {"guard trust", "exempt a prefix at once from all limits for its sources",
		{PREFIX, FOR, GUARDED_SERVICE, REASON,
			FORCE("trust even a very short prefix, and even if this balancer does not agree with its "
			      "group")}},
	[COMMAND_GUARD_UNBLOCK] = {"guard unblock",
		"remove a block or a trust entry of an operator or a server: the lists apply again",
		{PREFIX, GUARDED_SERVICE, FORCE_ALONE}},
	[COMMAND_GUARD_WHY] = {"guard why",
		"show how each guard treats a source now: its list, and the limits that it exceeds",
		{{"address", "ADDRESS", ARGUMENT_ADDRESS, ARGUMENT_REQUIRED, IN_REQUEST(address),
			.help = "an address of the source"}}},
	[COMMAND_GUARD_TEST] = {"guard test",
		"show what the guard would do now with a message, with captured packets, or with the messages of a "
		"source; "
		"nothing is sent or counted",
		{{"path", "FILE|SOURCE", ARGUMENT_TEXT, ARGUMENT_REQUIRED, IN_REQUEST(path),
			 .help = "a SIP message as text, or a pcap or pcapng file, or the address of a source; '-' "
				 "reads standard input"},
			TEXT_SERVICE, TEXT_SOURCE, TEXT_DESTINATION},
		.is_local = true},
};
