/* SPDX-License-Identifier: GPL-2.0 */
/* The metrics: names, descriptions, and output in the formats of Prometheus (0.0.4) and OpenMetrics (1.0.0). No I/O:
 * the caller collects the numbers. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include "bpf/abi_guard.h"
#include "bpf/abi_return.h"

enum metric_type {
	METRIC_GAUGE,
	METRIC_COUNTER,   /* its name ends with _total */
	METRIC_INFO,      /* its name ends with _info, its value is 1 */
	METRIC_HISTOGRAM, /* the names of its samples end with _bucket, _sum and _count */
};

/* Name, type, labels and meaning of each metric. The names begin with sipxdp_. */
#define METRICS(X)                                                                                                     \
	X(daemon, INFO, "version", "Version of the running sipxdpd")                                                   \
	X(daemon_start_time_seconds, GAUGE, "", "Time at which sipxdpd started, since the epoch")                      \
	X(daemon_log_lines_lost, COUNTER, "",                                                                          \
		"Log lines that were lost because standard error was not read, or its disk is full")                   \
	X(daemon_longest_turn_seconds, GAUGE, "", "Longest time between two waits of the event loop for events")       \
	X(daemon_reconcile_pending, GAUGE, "",                                                                         \
		"1 if the last change of the maps failed, or new maps are being filled; else 0")                       \
	X(away, GAUGE, "", "1 while the balancer is away ('sipxdp-ctl away'); else 0")                                 \
	X(interface_attached, GAUGE, "interface, mode",                                                                \
		"1 if the balancer is attached to the interface; mode: native, generic, none or unknown")              \
	X(packets, COUNTER, "verdict, action, normal",                                                                 \
		"Packets by verdict; action: what the program does with them; normal: yes or no (see counters.md)")    \
	X(punted_packets, COUNTER, "result", "Packets that the kernel passed to the daemon, by result")                \
	X(capture_sent_messages, COUNTER, "", "SIP messages that were sent to the capture server")                     \
	X(capture_lost_messages, COUNTER, "reason",                                                                    \
		"SIP messages that the capture server did not receive; reason: ring_full, incomplete, too_long, "      \
		"unsent or refused; refused ones are also counted as sent")                                            \
	X(join_lost_requests, COUNTER, "reason",                                                                       \
		"Requests of servers (join) that were lost; reason: buffer_full (datagrams) or no_descriptor "         \
		"(connections)")                                                                                       \
	X(counted_calls, GAUGE, "", "Entries of the map of counted calls")                                             \
	X(counted_calls_limit, GAUGE, "", "Entries for which the map of counted calls has room")                       \
	X(tracked_calls_limit, GAUGE, "", "Calls that the balancer can track during migrations")                       \
	X(guard_packets, COUNTER, "guard, rule, result",                                                               \
		"Packets to which a rule of the guard applied; result: dropped, refused (dropped, and passed to the "  \
		"daemon for a 503) or observed (forwarded, in mode observe)")                                          \
	X(guard_bytes, COUNTER, "guard, rule", "Bytes of these packets' frames")                                       \
	X(guard_exempt_packets, COUNTER, "guard, reason",                                                              \
		"Packets that are exempt from limits; reason: trusted, dialog or emergency")                           \
	X(service_received_packets, COUNTER, "service", "Packets that arrived for the service")                        \
	X(service_received_bytes, COUNTER, "service", "Bytes of the frames that arrived for the service")              \
	X(service_requests, COUNTER, "service, method, dialog",                                                        \
		"SIP requests over UDP; dialog: initial, in_dialog or unknown (see counters.md)")                      \
	X(service_responses, COUNTER, "service, method, code",                                                         \
		"SIP responses over UDP, by the method in CSeq and by status code")                                    \
	X(service_not_sip_datagrams, COUNTER, "service", "UDP datagrams that are not SIP")                             \
	X(service_returned_packets, COUNTER, "service", "Packets that servers with forward: nat sent to clients")      \
	X(service_returned_bytes, COUNTER, "service", "Bytes of these packets' frames, as they arrived")               \
	X(service_returned_requests, COUNTER, "service, method, dialog",                                               \
		"SIP requests over UDP from servers with forward: nat")                                                \
	X(service_returned_responses, COUNTER, "service, method, code",                                                \
		"SIP responses over UDP from servers with forward: nat, by the method in CSeq and by status code")     \
	X(service_call_setup_seconds, HISTOGRAM, "service, event, le",                                                 \
		"Time from an initial INVITE to the first response of servers with forward: nat, measured for one in " \
		"64 calls; event: response (any), status (any except 100, 401 and 407) or answer (2xx)")               \
	X(pool_backends, GAUGE, "pool", "Backends of the pool")                                                        \
	X(pool_serving_backends, GAUGE, "pool", "Backends of the pool that own slots")                                 \
	X(pool_fail_open, GAUGE, "pool", "1 if the pool ignores probe results because too few backends pass; else 0")  \
	X(pool_failing_backends, GAUGE, "pool",                                                                        \
		"Backends whose responses fail (passive health), but that stay in service")                            \
	X(pool_migrating, GAUGE, "pool", "1 while slots of the pool migrate; else 0")                                  \
	X(pool_placed_calls, COUNTER, "pool", "New calls whose backend `balance` has selected")                        \
	X(pool_overload_calls, COUNTER, "pool", "New calls for which no backend had room")                             \
	X(pool_uncounted_calls, COUNTER, "pool", "New calls for which the map of counted calls had no room")           \
	X(backend_state, GAUGE, "pool, backend, state", "1 for the state of the backend, 0 for the other states")      \
	X(backend_passive_down, GAUGE, "pool, backend",                                                                \
		"1 while the backend is down because of its responses (passive health); else 0")                       \
	X(backend_weight, GAUGE, "pool, backend", "Configured weight")                                                 \
	X(backend_share_ratio, GAUGE, "pool, backend", "Share of the slots of the pool that the backend owns, 0 to 1") \
	X(backend_migrating_slots, GAUGE, "pool, backend, direction",                                                  \
		"Slots that migrate; direction: gaining, losing or releasing")                                         \
	X(backend_calls, GAUGE, "pool, backend", "Live calls, counted or estimated from a sample")                     \
	X(backend_calls_error, GAUGE, "pool, backend", "Error of the estimate of live calls (95 per cent); 0: exact")  \
	X(backend_load, GAUGE, "pool, backend", "Load that the server reports, per cent")                              \
	X(backend_tracked_calls, GAUGE, "pool, backend", "Calls that are tracked during a migration")                  \
	X(backend_tracked_connections, GAUGE, "pool, backend", "TCP connections that are tracked during a migration")  \
	X(backend_probes, COUNTER, "pool, backend, result", "Health probes; result: passed or failed")                 \
	X(backend_probe_latency_seconds, GAUGE, "pool, backend", "Round-trip time of the last probe that passed")      \
	X(backend_probe_latency_mean_seconds, GAUGE, "pool, backend", "Mean of the last 64 round-trip times")          \
	X(backend_probe_latency_p95_seconds, GAUGE, "pool, backend",                                                   \
		"95th percentile of the last 64 round-trip times")                                                     \
	X(backend_sent_packets, COUNTER, "pool, backend", "Packets that were forwarded to the backend")                \
	X(backend_sent_bytes, COUNTER, "pool, backend", "Bytes of these packets' frames, as they arrived")             \
	X(backend_requests, COUNTER, "pool, backend, method, dialog", "SIP requests over UDP to the backend")          \
	X(backend_responses, COUNTER, "pool, backend", "SIP responses over UDP to the backend")                        \
	X(backend_not_sip_datagrams, COUNTER, "pool, backend", "UDP datagrams to the backend that are not SIP")        \
	X(backend_returned_packets, COUNTER, "pool, backend", "Packets from a backend with forward: nat to clients")   \
	X(backend_returned_bytes, COUNTER, "pool, backend", "Bytes of these packets' frames, as they arrived")         \
	X(backend_returned_requests, COUNTER, "pool, backend, method, dialog",                                         \
		"SIP requests over UDP from a backend with forward: nat")                                              \
	X(backend_returned_responses, COUNTER, "pool, backend, method, class",                                         \
		"SIP responses over UDP from a backend with forward: nat, by the method in CSeq (INVITE or other) "    \
		"and by class of the status code")                                                                     \
	X(backend_unanswered_sampled_calls, COUNTER, "pool, backend",                                                  \
		"Calls to which a backend with forward: nat has not responded within 32 s, of one in 64 calls")        \
	X(backend_call_setup_seconds, HISTOGRAM, "pool, backend, event, le",                                           \
		"The same as sipxdp_service_call_setup_seconds, for each backend with forward: nat")

#define METRIC_VALUE(name, type, labels, help) METRIC_##name,
enum metric {
	METRICS(METRIC_VALUE) METRIC_COUNT
};
#undef METRIC_VALUE

struct metric_text {
	const char *name; /* with prefix and suffix: "sipxdp_packets_total" */
	enum metric_type type;
	const char *labels;
	const char *help;
};

extern const struct metric_text metric_texts[METRIC_COUNT];

/* --- the numbers */

struct metrics_interface {
	char name[IFNAMSIZ];
	const char *mode;
};

struct metrics_service {
	char name[NAME_SIZE];
	struct service_traffic traffic;
	struct service_traffic returned; /* from servers; written only if it contains packets */
	struct setup_times setup;
};

/* Sums over CPUs. */
struct metrics_guard {
	char name[NAME_SIZE];
	struct guard_counters rules[GUARD_RULES];
	struct guard_exempt exempt;
};

struct metrics_pool {
	char name[NAME_SIZE];
	uint64_t backends, serving, fail_open, failing, migrating, placed, overload, uncounted;
};

/* Latencies are in us. */
struct metrics_backend {
	char pool[NAME_SIZE], name[NAME_SIZE];
	enum backend_state state;
	double share; /* 0 to 1 */
	uint64_t passive_down, weight, gaining, losing, releasing, calls, calls_error, load, tracked_calls, connections;
	bool calls_known; /* else no metric of calls */
	bool load_known;  /* else no metric of the load */
	uint64_t passed, failed, latency_last, latency_mean, latency_p95;
	struct backend_traffic traffic;
	struct backend_return returned;
	struct setup_times setup;
	uint64_t unanswered; /* sampled calls */
	bool has_return;     /* `forward: nat`: the last three are written */
};

/* A part of a counter: the packets or messages with this result. */
struct metrics_result {
	const char *name; /* NULL ends a list */
	uint64_t count;
};

#define METRICS_PUNTS 19
#define METRICS_CAPTURE_LOSSES 5

struct metrics {
	const char *version;
	uint64_t started; /* s since the epoch */
	uint64_t join_lost_datagrams, join_lost_connections;
	uint64_t log_lines_lost, longest_turn /* ms */, reconcile_pending, away, tracked_calls_limit, counted_calls,
		counted_calls_limit;
	struct verdict_counters verdicts;
	struct metrics_result punts[METRICS_PUNTS + 1];
	uint64_t captured;
	struct metrics_result capture_losses[METRICS_CAPTURE_LOSSES + 1];
	struct metrics_interface *interfaces;
	struct metrics_guard *guards;
	struct metrics_service *services;
	struct metrics_pool *pools;
	struct metrics_backend *backends;
	size_t interface_count, guard_count, service_count, pool_count, backend_count;
};

#define METRICS_TYPE_PROMETHEUS "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_TYPE_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Returns the text of all metrics, which the caller must free, and its length. */
char *metrics_write(const struct metrics *metrics, bool openmetrics, size_t *length);

/* Frees the arrays. */
void metrics_free(struct metrics *metrics);
