// SPDX-License-Identifier: GPL-2.0
/* See metrics.h. */
#include <string.h>
#include "bpf/counters.h"
#include "bpf/verdicts.h"
#include "core/base/memory.h"
#include "core/farm/farm.h"
#include "core/guard/rules.h"
#include "core/view/setup_summary.h"
#include "metrics_lines.h"

/* --- the daemon and the packets */

static void put_single(struct text *text, enum metric metric, uint64_t value)
{
	metrics_put_family(text, &metric_texts[metric]);
	metrics_put_sample(text, metric, NO_LABELS, value);
}

static void put_daemon(struct text *text, const struct metrics *metrics)
{
	metrics_put_family(text, &metric_texts[METRIC_daemon]);
	metrics_put_sample(text, METRIC_daemon, (struct labels){{{"version", metrics->version}}}, 1);
	put_single(text, METRIC_daemon_start_time_seconds, metrics->started);
	put_single(text, METRIC_daemon_log_lines_lost, metrics->log_lines_lost);
	metrics_put_family(text, &metric_texts[METRIC_daemon_longest_turn_seconds]);
	metrics_put_real(text, METRIC_daemon_longest_turn_seconds, NO_LABELS, metrics->longest_turn / 1000.0);
	put_single(text, METRIC_daemon_reconcile_pending, metrics->reconcile_pending);
	put_single(text, METRIC_away, metrics->away);
	put_single(text, METRIC_counted_calls, metrics->counted_calls);
	put_single(text, METRIC_counted_calls_limit, metrics->counted_calls_limit);
	put_single(text, METRIC_tracked_calls_limit, metrics->tracked_calls_limit);
}

static void put_interfaces(struct text *text, const struct metrics *metrics)
{
	metrics_put_family(text, &metric_texts[METRIC_interface_attached]);
	for (size_t i = 0; i < metrics->interface_count; i++) {
		const struct metrics_interface *interface = &metrics->interfaces[i];

		metrics_put_sample(text, METRIC_interface_attached,
			(struct labels){{{"interface", interface->name}, {"mode", interface->mode}}},
			!strcmp(interface->mode, "native") || !strcmp(interface->mode, "generic"));
	}
}

static void put_results(struct text *text, enum metric metric, const char *label, const struct metrics_result *results)
{
	for (; results->name; results++)
		metrics_put_sample(text, metric, (struct labels){{{label, results->name}}}, results->count);
}

static void put_packets(struct text *text, const struct metrics *metrics)
{
#define NORMAL "yes"
#define ANOMALY "no"
#define VERDICT_LABELS(name, action, normal, help) {{{"verdict", #name}, {"action", #action}, {"normal", normal}}},
	static const struct labels verdicts[] = {BALANCER_VERDICTS(VERDICT_LABELS)};
#undef VERDICT_LABELS
	const __u64 *counters = (const __u64 *)&metrics->verdicts;

	metrics_put_family(text, &metric_texts[METRIC_packets]);
	for (int i = 0; i < VERDICT_COUNT; i++)
		metrics_put_sample(text, METRIC_packets, verdicts[i], counters[i]);
	metrics_put_family(text, &metric_texts[METRIC_punted_packets]);
	put_results(text, METRIC_punted_packets, "result", metrics->punts);
}

static void put_capture(struct text *text, const struct metrics *metrics)
{
	put_single(text, METRIC_capture_sent_messages, metrics->captured);
	metrics_put_family(text, &metric_texts[METRIC_capture_lost_messages]);
	put_results(text, METRIC_capture_lost_messages, "reason", metrics->capture_losses);
}

static void put_join(struct text *text, const struct metrics *metrics)
{
	const struct metrics_result losses[] = {
		{"buffer_full", metrics->join_lost_datagrams}, {"no_descriptor", metrics->join_lost_connections}, {}};

	metrics_put_family(text, &metric_texts[METRIC_join_lost_requests]);
	put_results(text, METRIC_join_lost_requests, "reason", losses);
}

/* --- guards */

/* While the program counts a packet, `refused` can be larger than `dropped`. */
static uint64_t dropped_only(const struct guard_counters *counters)
{
	return counters->dropped > counters->refused ? counters->dropped - counters->refused : 0;
}

static void put_rule(struct text *text, const struct metrics_guard *guard, uint32_t rule)
{
	const struct guard_counters *counters = &guard->rules[rule];
	const struct metrics_result results[] = {
		{"dropped", dropped_only(counters)},
		{"refused", counters->refused},
		{"observed", counters->observed},
	};

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		metrics_put_sample(text, METRIC_guard_packets,
			(struct labels){
				{{"guard", guard->name}, {"rule", guard_rule_name(rule)}, {"result", results[i].name}}},
			results[i].count);
}

static void put_exempt(struct text *text, const struct metrics_guard *guard)
{
	const struct metrics_result reasons[] = {
		{"trusted", guard->exempt.trusted},
		{"dialog", guard->exempt.dialog},
		{"emergency", guard->exempt.emergency},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		metrics_put_sample(text, METRIC_guard_exempt_packets,
			(struct labels){{{"guard", guard->name}, {"reason", reasons[i].name}}}, reasons[i].count);
}

static void put_guards(struct text *text, const struct metrics *metrics)
{
	metrics_put_family(text, &metric_texts[METRIC_guard_packets]);
	for (size_t i = 0; i < metrics->guard_count; i++)
		for (uint32_t rule = 0; rule < GUARD_RULES; rule++)
			put_rule(text, &metrics->guards[i], rule);
	metrics_put_family(text, &metric_texts[METRIC_guard_bytes]);
	for (size_t i = 0; i < metrics->guard_count; i++)
		for (uint32_t rule = 0; rule < GUARD_RULES; rule++)
			metrics_put_sample(text, METRIC_guard_bytes,
				(struct labels){{{"guard", metrics->guards[i].name}, {"rule", guard_rule_name(rule)}}},
				metrics->guards[i].rules[rule].bytes);
	metrics_put_family(text, &metric_texts[METRIC_guard_exempt_packets]);
	for (size_t i = 0; i < metrics->guard_count; i++)
		put_exempt(text, &metrics->guards[i]);
}

/* --- services */

static const struct counter service_counters[SERVICE_COUNTER_COUNT] = {SERVICE_COUNTERS(COUNTER)};

/* The counters of a service in one direction. A service without packets from servers has no metrics for them. */
struct direction {
	enum metric packets, bytes, requests, responses;
	size_t member; /* of struct metrics_service */
	bool optional;
};

static const __u64 *counters_of(const struct metrics_service *service, const struct direction *direction)
{
	const __u64 *counters = (const __u64 *)((const char *)service + direction->member);

	return direction->optional && !counters[SERVICE_COUNTER_packets] ? NULL : counters;
}

static void put_service_total(struct text *text, const struct metrics *metrics, const struct direction *direction,
	enum metric metric, enum service_counter counter)
{
	metrics_put_family(text, &metric_texts[metric]);
	for (size_t i = 0; i < metrics->service_count; i++) {
		const __u64 *counters = counters_of(&metrics->services[i], direction);

		if (counters)
			metrics_put_sample(text, metric, (struct labels){{{"service", metrics->services[i].name}}},
				counters[counter]);
	}
}

/* Writes all counters of a kind. `detail` is the name of the label. */
static void put_service_messages(struct text *text, const struct metrics *metrics, const struct direction *direction,
	enum metric metric, enum counter_kind kind, const char *detail)
{
	metrics_put_family(text, &metric_texts[metric]);
	for (size_t i = 0; i < metrics->service_count; i++) {
		const __u64 *counters = counters_of(&metrics->services[i], direction);

		for (int j = 0; counters && j < SERVICE_COUNTER_COUNT; j++) {
			const struct counter *counter = &service_counters[j];

			if (counter->kind == kind)
				metrics_put_sample(text, metric,
					(struct labels){{{"service", metrics->services[i].name},
						{"method", counter->method}, {detail, counter->detail}}},
					counters[j]);
		}
	}
}

static void put_direction(struct text *text, const struct metrics *metrics, const struct direction *direction)
{
	put_service_total(text, metrics, direction, direction->packets, SERVICE_COUNTER_packets);
	put_service_total(text, metrics, direction, direction->bytes, SERVICE_COUNTER_bytes);
	put_service_messages(text, metrics, direction, direction->requests, COUNTER_REQUEST, "dialog");
	put_service_messages(text, metrics, direction, direction->responses, COUNTER_RESPONSE, "code");
}

static void put_services(struct text *text, const struct metrics *metrics)
{
	static const struct direction received = {METRIC_service_received_packets, METRIC_service_received_bytes,
		METRIC_service_requests, METRIC_service_responses, offsetof(struct metrics_service, traffic), false};
	static const struct direction returned = {METRIC_service_returned_packets, METRIC_service_returned_bytes,
		METRIC_service_returned_requests, METRIC_service_returned_responses,
		offsetof(struct metrics_service, returned), true};

	put_direction(text, metrics, &received);
	put_service_total(text, metrics, &received, METRIC_service_not_sip_datagrams, SERVICE_COUNTER_not_sip);
	put_direction(text, metrics, &returned);
	metrics_put_family(text, &metric_texts[METRIC_service_call_setup_seconds]);
	for (size_t i = 0; i < metrics->service_count; i++)
		for (int event = 0; event < SETUP_EVENTS; event++)
			metrics_put_histogram(text, METRIC_service_call_setup_seconds,
				(struct labels){
					{{"service", metrics->services[i].name}, {"event", setup_event_name(event)}}},
				&metrics->services[i].setup, event);
}

/* --- all */

char *metrics_write(const struct metrics *metrics, bool openmetrics, size_t *length)
{
	struct text text = {.openmetrics = openmetrics};

	put_daemon(&text, metrics);
	put_interfaces(&text, metrics);
	put_packets(&text, metrics);
	put_capture(&text, metrics);
	put_join(&text, metrics);
	put_guards(&text, metrics);
	put_services(&text, metrics);
	metrics_put_pools(&text, metrics);
	metrics_put_backends(&text, metrics);
	if (openmetrics)
		metrics_put(&text, "# EOF\n");
	*length = text.length;
	return text.bytes;
}

void metrics_free(struct metrics *metrics)
{
	free(metrics->interfaces);
	free(metrics->guards);
	free(metrics->services);
	free(metrics->pools);
	free(metrics->backends);
}
