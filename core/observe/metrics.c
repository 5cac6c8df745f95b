// SPDX-License-Identifier: GPL-2.0
/* See metrics.h. Uses a buffer and number formatting of its own instead of stdio, for speed: a scrape of 1,000 backends
 * has 40,000 lines. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "bpf/counters.h"
#include "bpf/verdicts.h"
#include "core/base/memory.h"
#include "core/farm/farm.h"
#include "core/guard/rules.h"
#include "metrics.h"
#include "setup_summary.h"

#define PREFIX "sipxdp_"
#define SUFFIX_GAUGE ""
#define SUFFIX_COUNTER "_total"
#define SUFFIX_INFO "_info"
#define SUFFIX_HISTOGRAM ""
#define METRIC_TEXT(name, type, labels, help) {PREFIX #name SUFFIX_##type, METRIC_##type, labels, help},
const struct metric_text metric_texts[METRIC_COUNT] = {METRICS(METRIC_TEXT)};
#undef METRIC_TEXT

/* --- text */

struct text {
	char *bytes;
	size_t length, room;
	bool openmetrics;
};

static void put_bytes(struct text *text, const char *bytes, size_t length)
{
	if (length > text->room - text->length) {
		text->room = 2 * (text->room + length);
		text->bytes = reallocate(text->bytes, text->room, 1);
	}
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
}

static void put(struct text *text, const char *string)
{
	put_bytes(text, string, strlen(string));
}

static void put_number(struct text *text, uint64_t number)
{
	char digits[20], *at = digits + sizeof(digits);

	do
		*--at = '0' + number % 10;
	while (number /= 10);
	put_bytes(text, at, digits + sizeof(digits) - at);
}

static void put_escaped(struct text *text, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			put(text, "\\n");
		else if (*value == '"' || *value == '\\')
			put_bytes(text, (char[]){'\\', *value}, 2);
		else
			put_bytes(text, value, 1);
	}
}

/* --- lines */

/* In OpenMetrics the name of a family does not include the suffix of its samples. The format 0.0.4 of Prometheus has no
 * type `info`. */
static void put_family(struct text *text, const struct metric_text *metric)
{
	static const char *const types[] = {[METRIC_GAUGE] = "gauge",
		[METRIC_COUNTER] = "counter",
		[METRIC_INFO] = "info",
		[METRIC_HISTOGRAM] = "histogram"};
	static const size_t suffixes[] = {[METRIC_GAUGE] = 0,
		[METRIC_COUNTER] = strlen(SUFFIX_COUNTER),
		[METRIC_INFO] = strlen(SUFFIX_INFO),
		[METRIC_HISTOGRAM] = 0};
	size_t length = strlen(metric->name) - (text->openmetrics ? suffixes[metric->type] : 0);
	bool is_plain_info = metric->type == METRIC_INFO && !text->openmetrics;

	put(text, "# HELP ");
	put_bytes(text, metric->name, length);
	put(text, " ");
	put(text, metric->help);
	put(text, "\n# TYPE ");
	put_bytes(text, metric->name, length);
	put(text, " ");
	put(text, is_plain_info ? "gauge" : types[metric->type]);
	put(text, "\n");
}

#define LABELS 4

struct label {
	const char *name, *value;
};

/* A name or value of NULL ends the labels. */
struct labels {
	struct label list[LABELS + 1];
};

/* Writes a line without its value. `suffix` follows the name. */
static void put_name(struct text *text, enum metric metric, const char *suffix, const struct labels *labels)
{
	const char *before = "{";

	put(text, metric_texts[metric].name);
	put(text, suffix);
	for (const struct label *label = labels->list; label->name; label++) {
		put(text, before);
		put(text, label->name);
		put(text, "=\"");
		put_escaped(text, label->value);
		put(text, "\"");
		before = ",";
	}
	put(text, labels->list[0].name ? "} " : " ");
}

static void put_part(
	struct text *text, enum metric metric, const char *suffix, const struct labels *labels, uint64_t value)
{
	put_name(text, metric, suffix, labels);
	put_number(text, value);
	put(text, "\n");
}

static void put_sample(struct text *text, enum metric metric, struct labels labels, uint64_t value)
{
	put_part(text, metric, "", &labels, value);
}

static void put_real(struct text *text, enum metric metric, struct labels labels, double value)
{
	char number[32];

	snprintf(number, sizeof(number), "%.9g\n", value);
	put_name(text, metric, "", &labels);
	put(text, number);
}

/* Writes the times of one event, unless there are none. `labels` has room for one more label. */
static void put_histogram(
	struct text *text, enum metric metric, struct labels labels, const struct setup_times *times, int event)
{
	struct label *le = labels.list;
	char limit[16], sum[32];
	uint64_t calls = 0;

	if (!setup_summary(times, event).calls)
		return;
	while (le->name)
		le++;
	for (int i = 0; i <= SETUP_LIMITS; i++) {
		calls += times->of[event].bucket[i];
		snprintf(limit, sizeof(limit), "%.3f", SETUP_LIMIT(i) / 1e6);
		*le = (struct label){"le", i < SETUP_LIMITS ? limit : "+Inf"};
		put_part(text, metric, "_bucket", &labels, calls);
	}
	*le = (struct label){};
	snprintf(sum, sizeof(sum), "%.9g\n", times->of[event].usec / 1e6);
	put_name(text, metric, "_sum", &labels);
	put(text, sum);
	put_part(text, metric, "_count", &labels, calls);
}

#define NO_LABELS                                                                                                      \
	(struct labels)                                                                                                \
	{                                                                                                              \
	}

/* --- the daemon and the packets */

static void put_single(struct text *text, enum metric metric, uint64_t value)
{
	put_family(text, &metric_texts[metric]);
	put_sample(text, metric, NO_LABELS, value);
}

static void put_daemon(struct text *text, const struct metrics *metrics)
{
	put_family(text, &metric_texts[METRIC_daemon]);
	put_sample(text, METRIC_daemon, (struct labels){{{"version", metrics->version}}}, 1);
	put_single(text, METRIC_daemon_start_time_seconds, metrics->started);
	put_single(text, METRIC_daemon_log_lines_lost, metrics->log_lines_lost);
	put_family(text, &metric_texts[METRIC_daemon_longest_turn_seconds]);
	put_real(text, METRIC_daemon_longest_turn_seconds, NO_LABELS, metrics->longest_turn / 1000.0);
	put_single(text, METRIC_daemon_reconcile_pending, metrics->reconcile_pending);
	put_single(text, METRIC_away, metrics->away);
	put_single(text, METRIC_counted_calls, metrics->counted_calls);
	put_single(text, METRIC_counted_calls_limit, metrics->counted_calls_limit);
	put_single(text, METRIC_tracked_calls_limit, metrics->tracked_calls_limit);
}

static void put_interfaces(struct text *text, const struct metrics *metrics)
{
	put_family(text, &metric_texts[METRIC_interface_attached]);
	for (size_t i = 0; i < metrics->interface_count; i++) {
		const struct metrics_interface *interface = &metrics->interfaces[i];

		put_sample(text, METRIC_interface_attached,
			(struct labels){{{"interface", interface->name}, {"mode", interface->mode}}},
			!strcmp(interface->mode, "native") || !strcmp(interface->mode, "generic"));
	}
}

static void put_results(struct text *text, enum metric metric, const char *label, const struct metrics_result *results)
{
	for (; results->name; results++)
		put_sample(text, metric, (struct labels){{{label, results->name}}}, results->count);
}

static void put_packets(struct text *text, const struct metrics *metrics)
{
#define NORMAL "yes"
#define ANOMALY "no"
#define VERDICT_LABELS(name, action, normal, help) {{{"verdict", #name}, {"action", #action}, {"normal", normal}}},
	static const struct labels verdicts[] = {BALANCER_VERDICTS(VERDICT_LABELS)};
#undef VERDICT_LABELS
	const __u64 *counters = (const __u64 *)&metrics->verdicts;

	put_family(text, &metric_texts[METRIC_packets]);
	for (int i = 0; i < VERDICT_COUNT; i++)
		put_sample(text, METRIC_packets, verdicts[i], counters[i]);
	put_family(text, &metric_texts[METRIC_punted_packets]);
	put_results(text, METRIC_punted_packets, "result", metrics->punts);
}

static void put_capture(struct text *text, const struct metrics *metrics)
{
	put_single(text, METRIC_capture_sent_messages, metrics->captured);
	put_family(text, &metric_texts[METRIC_capture_lost_messages]);
	put_results(text, METRIC_capture_lost_messages, "reason", metrics->capture_losses);
}

/* --- guards */

static void put_rule(struct text *text, const struct metrics_guard *guard, uint32_t rule)
{
	const struct guard_counters *counters = &guard->rules[rule];
	const struct metrics_result results[] = {
		{"dropped", counters->dropped - counters->refused},
		{"refused", counters->refused},
		{"observed", counters->observed},
	};

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		put_sample(text, METRIC_guard_packets,
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
		put_sample(text, METRIC_guard_exempt_packets,
			(struct labels){{{"guard", guard->name}, {"reason", reasons[i].name}}}, reasons[i].count);
}

static void put_guards(struct text *text, const struct metrics *metrics)
{
	put_family(text, &metric_texts[METRIC_guard_packets]);
	for (size_t i = 0; i < metrics->guard_count; i++)
		for (uint32_t rule = 0; rule < GUARD_RULES; rule++)
			put_rule(text, &metrics->guards[i], rule);
	put_family(text, &metric_texts[METRIC_guard_bytes]);
	for (size_t i = 0; i < metrics->guard_count; i++)
		for (uint32_t rule = 0; rule < GUARD_RULES; rule++)
			put_sample(text, METRIC_guard_bytes,
				(struct labels){{{"guard", metrics->guards[i].name}, {"rule", guard_rule_name(rule)}}},
				metrics->guards[i].rules[rule].bytes);
	put_family(text, &metric_texts[METRIC_guard_exempt_packets]);
	for (size_t i = 0; i < metrics->guard_count; i++)
		put_exempt(text, &metrics->guards[i]);
}

/* --- services */

struct counter {
	enum counter_kind kind;
	const char *method, *detail;
};

#define COUNTER(name, kind, method, detail, help) {COUNTER_##kind, method, detail},
static const struct counter service_counters[SERVICE_COUNTER_COUNT] = {SERVICE_COUNTERS(COUNTER)};
static const struct counter backend_counters[BACKEND_COUNTER_COUNT] = {BACKEND_COUNTERS(COUNTER)};
static const struct counter return_counters[BACKEND_RETURN_COUNT] = {BACKEND_RETURN_COUNTERS(COUNTER)};
#undef COUNTER

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
	put_family(text, &metric_texts[metric]);
	for (size_t i = 0; i < metrics->service_count; i++) {
		const __u64 *counters = counters_of(&metrics->services[i], direction);

		if (counters)
			put_sample(text, metric, (struct labels){{{"service", metrics->services[i].name}}},
				counters[counter]);
	}
}

/* Writes all counters of a kind. `detail` is the name of the label. */
static void put_service_messages(struct text *text, const struct metrics *metrics, const struct direction *direction,
	enum metric metric, enum counter_kind kind, const char *detail)
{
	put_family(text, &metric_texts[metric]);
	for (size_t i = 0; i < metrics->service_count; i++) {
		const __u64 *counters = counters_of(&metrics->services[i], direction);

		for (int j = 0; counters && j < SERVICE_COUNTER_COUNT; j++) {
			const struct counter *counter = &service_counters[j];

			if (counter->kind == kind)
				put_sample(text, metric,
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
	put_family(text, &metric_texts[METRIC_service_call_setup_seconds]);
	for (size_t i = 0; i < metrics->service_count; i++)
		for (int event = 0; event < SETUP_EVENTS; event++)
			put_histogram(text, METRIC_service_call_setup_seconds,
				(struct labels){
					{{"service", metrics->services[i].name}, {"event", setup_event_name(event)}}},
				&metrics->services[i].setup, event);
}

/* --- pools and backends */

/* A metric with one value for each object: the value of a member of type uint64_t. */
struct row {
	enum metric metric;
	size_t member;
	unsigned int divisor; /* divides the number, and 0 then means "no value yet"; 0: write the number unchanged */
	struct label label;   /* a further label */
};

static void put_pools(struct text *text, const struct metrics *metrics)
{
	static const struct row rows[] = {
		{METRIC_pool_backends, offsetof(struct metrics_pool, backends), 0, {}},
		{METRIC_pool_serving_backends, offsetof(struct metrics_pool, serving), 0, {}},
		{METRIC_pool_fail_open, offsetof(struct metrics_pool, fail_open), 0, {}},
		{METRIC_pool_failing_backends, offsetof(struct metrics_pool, failing), 0, {}},
		{METRIC_pool_migrating, offsetof(struct metrics_pool, migrating), 0, {}},
		{METRIC_pool_placed_calls, offsetof(struct metrics_pool, placed), 0, {}},
		{METRIC_pool_overload_calls, offsetof(struct metrics_pool, overload), 0, {}},
		{METRIC_pool_uncounted_calls, offsetof(struct metrics_pool, uncounted), 0, {}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put_family(text, &metric_texts[rows[i].metric]);
		for (size_t j = 0; j < metrics->pool_count; j++)
			put_sample(text, rows[i].metric, (struct labels){{{"pool", metrics->pools[j].name}}},
				*(const uint64_t *)((const char *)&metrics->pools[j] + rows[i].member));
	}
}

static struct labels labels_of(const struct metrics_backend *backend, struct label more)
{
	return (struct labels){{{"pool", backend->pool}, {"backend", backend->name}, more}};
}

#define MICROSECONDS 1000000

/* The rows of one metric are consecutive. */
#define BACKEND_ROW(metric, member, divisor, ...)                                                                      \
	{                                                                                                              \
		METRIC_backend_##metric, offsetof(struct metrics_backend, member), divisor,                            \
		{                                                                                                      \
			__VA_ARGS__                                                                                    \
		}                                                                                                      \
	}
static const struct row backend_rows[] = {
	BACKEND_ROW(passive_down, passive_down, 0, NULL, NULL),
	BACKEND_ROW(weight, weight, 0, NULL, NULL),
	BACKEND_ROW(migrating_slots, gaining, 0, "direction", "gaining"),
	BACKEND_ROW(migrating_slots, losing, 0, "direction", "losing"),
	BACKEND_ROW(migrating_slots, releasing, 0, "direction", "releasing"),
	BACKEND_ROW(calls, calls, 0, NULL, NULL),
	BACKEND_ROW(calls_error, calls_error, 0, NULL, NULL),
	BACKEND_ROW(load, load, 0, NULL, NULL),
	BACKEND_ROW(tracked_calls, tracked_calls, 0, NULL, NULL),
	BACKEND_ROW(tracked_connections, connections, 0, NULL, NULL),
	BACKEND_ROW(probes, passed, 0, "result", "passed"),
	BACKEND_ROW(probes, failed, 0, "result", "failed"),
	BACKEND_ROW(probe_latency_seconds, latency_last, MICROSECONDS, NULL, NULL),
	BACKEND_ROW(probe_latency_mean_seconds, latency_mean, MICROSECONDS, NULL, NULL),
	BACKEND_ROW(probe_latency_p95_seconds, latency_p95, MICROSECONDS, NULL, NULL),
	BACKEND_ROW(sent_packets, traffic.packets, 0, NULL, NULL),
	BACKEND_ROW(sent_bytes, traffic.bytes, 0, NULL, NULL),
	BACKEND_ROW(responses, traffic.response, 0, NULL, NULL),
	BACKEND_ROW(not_sip_datagrams, traffic.not_sip, 0, NULL, NULL),
};
#undef BACKEND_ROW

static void put_backend_row(struct text *text, const struct metrics *metrics, const struct row *row)
{
	for (size_t i = 0; i < metrics->backend_count; i++) {
		const struct metrics_backend *backend = &metrics->backends[i];
		uint64_t value = *(const uint64_t *)((const char *)backend + row->member);
		bool is_call = row->metric == METRIC_backend_calls || row->metric == METRIC_backend_calls_error;

		if ((is_call && !backend->calls_known) || (row->metric == METRIC_backend_load && !backend->load_known))
			continue;
		if (row->divisor && value)
			put_real(text, row->metric, labels_of(backend, row->label), (double)value / row->divisor);
		else if (!row->divisor)
			put_sample(text, row->metric, labels_of(backend, row->label), value);
	}
}

static void put_states(struct text *text, const struct metrics *metrics)
{
	put_family(text, &metric_texts[METRIC_backend_state]);
	for (size_t i = 0; i < metrics->backend_count; i++)
		for (enum backend_state state = STATE_PENDING; state <= STATE_SUSPECTED; state++)
			put_sample(text, METRIC_backend_state,
				labels_of(&metrics->backends[i], (struct label){"state", farm_state_name(state)}),
				metrics->backends[i].state == state);
}

static void put_shares(struct text *text, const struct metrics *metrics)
{
	put_family(text, &metric_texts[METRIC_backend_share_ratio]);
	for (size_t i = 0; i < metrics->backend_count; i++)
		put_real(text, METRIC_backend_share_ratio, labels_of(&metrics->backends[i], (struct label){}),
			metrics->backends[i].share);
}

static void put_backend_requests(struct text *text, const struct metrics *metrics)
{
	put_family(text, &metric_texts[METRIC_backend_requests]);
	for (size_t i = 0; i < metrics->backend_count; i++)
		for (int j = 0; j < BACKEND_COUNTER_COUNT; j++) {
			const struct metrics_backend *backend = &metrics->backends[i];
			struct labels labels = labels_of(backend, (struct label){"method", backend_counters[j].method});

			labels.list[3] = (struct label){"dialog", backend_counters[j].detail};
			if (backend_counters[j].kind == COUNTER_REQUEST)
				put_sample(
					text, METRIC_backend_requests, labels, ((const __u64 *)&backend->traffic)[j]);
		}
}

static void put_return_total(
	struct text *text, const struct metrics *metrics, enum metric metric, enum backend_return_counter counter)
{
	put_family(text, &metric_texts[metric]);
	for (size_t i = 0; i < metrics->backend_count; i++)
		if (metrics->backends[i].has_return)
			put_sample(text, metric, labels_of(&metrics->backends[i], (struct label){}),
				((const __u64 *)&metrics->backends[i].returned)[counter]);
}

/* Writes all counters of a kind for the packets from backends. `detail` is the name of the label. */
static void put_return_messages(struct text *text, const struct metrics *metrics, enum metric metric,
	enum counter_kind kind, const char *detail)
{
	put_family(text, &metric_texts[metric]);
	for (size_t i = 0; i < metrics->backend_count; i++) {
		const struct metrics_backend *backend = &metrics->backends[i];

		for (int j = 0; backend->has_return && j < BACKEND_RETURN_COUNT; j++) {
			struct labels labels = labels_of(backend, (struct label){"method", return_counters[j].method});

			labels.list[3] = (struct label){detail, return_counters[j].detail};
			if (return_counters[j].kind == kind)
				put_sample(text, metric, labels, ((const __u64 *)&backend->returned)[j]);
		}
	}
}

static void put_backend_setup(struct text *text, const struct metrics *metrics)
{
	put_family(text, &metric_texts[METRIC_backend_unanswered_sampled_calls]);
	for (size_t i = 0; i < metrics->backend_count; i++)
		if (metrics->backends[i].has_return)
			put_sample(text, METRIC_backend_unanswered_sampled_calls,
				labels_of(&metrics->backends[i], (struct label){}), metrics->backends[i].unanswered);
	put_family(text, &metric_texts[METRIC_backend_call_setup_seconds]);
	for (size_t i = 0; i < metrics->backend_count; i++)
		for (int event = 0; metrics->backends[i].has_return && event < SETUP_EVENTS; event++)
			put_histogram(text, METRIC_backend_call_setup_seconds,
				labels_of(&metrics->backends[i], (struct label){"event", setup_event_name(event)}),
				&metrics->backends[i].setup, event);
}

static void put_returned(struct text *text, const struct metrics *metrics)
{
	put_return_total(text, metrics, METRIC_backend_returned_packets, BACKEND_RETURN_packets);
	put_return_total(text, metrics, METRIC_backend_returned_bytes, BACKEND_RETURN_bytes);
	put_return_messages(text, metrics, METRIC_backend_returned_requests, COUNTER_REQUEST, "dialog");
	put_return_messages(text, metrics, METRIC_backend_returned_responses, COUNTER_RESPONSE, "class");
	put_backend_setup(text, metrics);
}

static void put_backends(struct text *text, const struct metrics *metrics)
{
	put_states(text, metrics);
	put_shares(text, metrics);
	for (size_t i = 0; i < sizeof(backend_rows) / sizeof(backend_rows[0]); i++) {
		if (!i || backend_rows[i].metric != backend_rows[i - 1].metric)
			put_family(text, &metric_texts[backend_rows[i].metric]);
		put_backend_row(text, metrics, &backend_rows[i]);
	}
	put_backend_requests(text, metrics);
	put_returned(text, metrics);
}

/* --- all */

char *metrics_write(const struct metrics *metrics, bool openmetrics, size_t *length)
{
	struct text text = {.openmetrics = openmetrics};

	put_daemon(&text, metrics);
	put_interfaces(&text, metrics);
	put_packets(&text, metrics);
	put_capture(&text, metrics);
	put_guards(&text, metrics);
	put_services(&text, metrics);
	put_pools(&text, metrics);
	put_backends(&text, metrics);
	if (openmetrics)
		put(&text, "# EOF\n");
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
