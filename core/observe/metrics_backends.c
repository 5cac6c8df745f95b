// SPDX-License-Identifier: GPL-2.0
/* The metrics of pools and backends. See metrics.h. */
#include "bpf/counters.h"
#include "core/farm/farm.h"
#include "core/view/setup_summary.h"
#include "metrics_lines.h"

static const struct counter backend_counters[BACKEND_COUNTER_COUNT] = {BACKEND_COUNTERS(COUNTER)};
static const struct counter return_counters[BACKEND_RETURN_COUNT] = {BACKEND_RETURN_COUNTERS(COUNTER)};

/* A metric with one value for each object: the value of a member of type uint64_t. */
struct row {
	enum metric metric;
	size_t member;
	unsigned int divisor; /* divides the number, and 0 then means "no value yet"; 0: write the number unchanged */
	struct label label;   /* a further label */
};

void metrics_put_pools(struct text *text, const struct metrics *metrics)
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
		metrics_put_family(text, &metric_texts[rows[i].metric]);
		for (size_t j = 0; j < metrics->pool_count; j++)
			metrics_put_sample(text, rows[i].metric, (struct labels){{{"pool", metrics->pools[j].name}}},
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
			metrics_put_real(
				text, row->metric, labels_of(backend, row->label), (double)value / row->divisor);
		else if (!row->divisor)
			metrics_put_sample(text, row->metric, labels_of(backend, row->label), value);
	}
}

static void put_states(struct text *text, const struct metrics *metrics)
{
	metrics_put_family(text, &metric_texts[METRIC_backend_state]);
	for (size_t i = 0; i < metrics->backend_count; i++)
		for (enum backend_state state = STATE_PENDING; state <= STATE_SUSPECTED; state++)
			metrics_put_sample(text, METRIC_backend_state,
				labels_of(&metrics->backends[i], (struct label){"state", farm_state_name(state)}),
				metrics->backends[i].state == state);
}

static void put_shares(struct text *text, const struct metrics *metrics)
{
	metrics_put_family(text, &metric_texts[METRIC_backend_share_ratio]);
	for (size_t i = 0; i < metrics->backend_count; i++)
		metrics_put_real(text, METRIC_backend_share_ratio, labels_of(&metrics->backends[i], (struct label){}),
			metrics->backends[i].share);
}

static void put_backend_requests(struct text *text, const struct metrics *metrics)
{
	metrics_put_family(text, &metric_texts[METRIC_backend_requests]);
	for (size_t i = 0; i < metrics->backend_count; i++)
		for (int j = 0; j < BACKEND_COUNTER_COUNT; j++) {
			const struct metrics_backend *backend = &metrics->backends[i];
			struct labels labels = labels_of(backend, (struct label){"method", backend_counters[j].method});

			labels.list[3] = (struct label){"dialog", backend_counters[j].detail};
			if (backend_counters[j].kind == COUNTER_REQUEST)
				metrics_put_sample(
					text, METRIC_backend_requests, labels, ((const __u64 *)&backend->traffic)[j]);
		}
}

static void put_return_total(
	struct text *text, const struct metrics *metrics, enum metric metric, enum backend_return_counter counter)
{
	metrics_put_family(text, &metric_texts[metric]);
	for (size_t i = 0; i < metrics->backend_count; i++)
		if (metrics->backends[i].has_return)
			metrics_put_sample(text, metric, labels_of(&metrics->backends[i], (struct label){}),
				((const __u64 *)&metrics->backends[i].returned)[counter]);
}

/* Writes all counters of a kind for the packets from backends. `detail` is the name of the label. */
static void put_return_messages(struct text *text, const struct metrics *metrics, enum metric metric,
	enum counter_kind kind, const char *detail)
{
	metrics_put_family(text, &metric_texts[metric]);
	for (size_t i = 0; i < metrics->backend_count; i++) {
		const struct metrics_backend *backend = &metrics->backends[i];

		for (int j = 0; backend->has_return && j < BACKEND_RETURN_COUNT; j++) {
			struct labels labels = labels_of(backend, (struct label){"method", return_counters[j].method});

			labels.list[3] = (struct label){detail, return_counters[j].detail};
			if (return_counters[j].kind == kind)
				metrics_put_sample(text, metric, labels, ((const __u64 *)&backend->returned)[j]);
		}
	}
}

static void put_backend_setup(struct text *text, const struct metrics *metrics)
{
	metrics_put_family(text, &metric_texts[METRIC_backend_unanswered_sampled_calls]);
	for (size_t i = 0; i < metrics->backend_count; i++)
		if (metrics->backends[i].has_return)
			metrics_put_sample(text, METRIC_backend_unanswered_sampled_calls,
				labels_of(&metrics->backends[i], (struct label){}), metrics->backends[i].unanswered);
	metrics_put_family(text, &metric_texts[METRIC_backend_call_setup_seconds]);
	for (size_t i = 0; i < metrics->backend_count; i++)
		for (int event = 0; metrics->backends[i].has_return && event < SETUP_EVENTS; event++)
			metrics_put_histogram(text, METRIC_backend_call_setup_seconds,
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

void metrics_put_backends(struct text *text, const struct metrics *metrics)
{
	put_states(text, metrics);
	put_shares(text, metrics);
	for (size_t i = 0; i < sizeof(backend_rows) / sizeof(backend_rows[0]); i++) {
		if (!i || backend_rows[i].metric != backend_rows[i - 1].metric)
			metrics_put_family(text, &metric_texts[backend_rows[i].metric]);
		put_backend_row(text, metrics, &backend_rows[i]);
	}
	put_backend_requests(text, metrics);
	put_returned(text, metrics);
}
