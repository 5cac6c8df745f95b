// SPDX-License-Identifier: GPL-2.0
/* The text of the metrics, in both formats. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/observe/metrics.h"

static struct metrics_interface interfaces[] = {{"eth0", "native"}, {"a\"b\\c\nd", "none"}};
static struct metrics_service services[] = {
	{.name = "sip",
		.traffic = {.packets = 7, .bytes = 700, .not_sip = 1},
		.returned = {.packets = 8, .invite_503 = 2},
		.setup.of[SETUP_ANSWER] = {.usec = 5003000, .bucket = {[0] = 1, [1] = 2, [SETUP_LIMITS] = 4}}},
	{.name = "dsr"},
};
static struct metrics_guard guards[] = {{.name = "default",
	.rules[GUARD_BUCKET_INVITE] = {.dropped = 30, .refused = 20, .observed = 3, .bytes = 4000},
	.rules[GUARD_BUCKET_REGISTER] = {.dropped = 7, .refused = 8}, /* read between the two */
	.exempt = {.trusted = 5, .emergency = 6}}};
static struct metrics_pool pools[] = {{.name = "proxies", .backends = 2, .serving = 1, .fail_open = 1, .failing = 2}};
static struct metrics_backend backends[] = {
	{.pool = "proxies",
		.name = "px1",
		.state = STATE_UP,
		.share = 0.25,
		.weight = 3,
		.latency_last = 1500,
		.passed = 9,
		.calls = 640,
		.calls_error = 539,
		.calls_known = true,
		.load = 95,
		.load_known = true,
		.traffic = {.packets = UINT64_MAX, .initial_invite = 4}},
	{.pool = "proxies",
		.name = "px2",
		.state = STATE_DOWN,
		.losing = 12,
		.failed = 2,
		.has_return = true,
		.returned = {.packets = 8, .initial_invite = 1, .invite_5xx = 2, .other_4xx = 3},
		.unanswered = 3,
		.setup.of[SETUP_STATUS] = {.usec = 900, .bucket = {[0] = 1}}},
};

static const struct metrics metrics = {
	.version = "1.2.3",
	.started = 1000000000,
	.longest_turn = 1500,
	.join_lost_datagrams = 16,
	.join_lost_connections = 17,
	.verdicts = {.call_id = 5, .no_backend = 6},
	.punts = {{"fragment_held", 8}, {}},
	.captured = 11,
	.capture_losses = {{"ring_full", 12}, {"refused", 13}, {}},
	.interfaces = interfaces,
	.interface_count = 2,
	.guards = guards,
	.guard_count = 1,
	.services = services,
	.service_count = 2,
	.pools = pools,
	.pool_count = 1,
	.backends = backends,
	.backend_count = 2,
};

static char *text_of(const struct metrics *of, bool openmetrics)
{
	size_t length;
	char *bytes = metrics_write(of, openmetrics, &length), *text = strndup(bytes, length);

	free(bytes);
	return text;
}

static bool has_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	while (at && !((at == text || at[-1] == '\n') && at[strlen(line)] == '\n'))
		at = strstr(at + 1, line);
	return at;
}

Test(metrics, samples)
{
	static const char *const lines[] = {
		"sipxdp_daemon_info{version=\"1.2.3\"} 1",
		"sipxdp_daemon_start_time_seconds 1000000000",
		"sipxdp_daemon_longest_turn_seconds 1.5",
		"sipxdp_join_lost_requests_total{reason=\"buffer_full\"} 16",
		"sipxdp_join_lost_requests_total{reason=\"no_descriptor\"} 17",
		"sipxdp_interface_attached{interface=\"eth0\",mode=\"native\"} 1",
		"sipxdp_interface_attached{interface=\"a\\\"b\\\\c\\nd\",mode=\"none\"} 0",
		"sipxdp_packets_total{verdict=\"call_id\",action=\"forwarded\",normal=\"yes\"} 5",
		"sipxdp_packets_total{verdict=\"no_backend\",action=\"passed\",normal=\"no\"} 6",
		"sipxdp_punted_packets_total{result=\"fragment_held\"} 8",
		"sipxdp_capture_sent_messages_total 11",
		"sipxdp_capture_lost_messages_total{reason=\"ring_full\"} 12",
		"sipxdp_capture_lost_messages_total{reason=\"refused\"} 13",
		"sipxdp_guard_packets_total{guard=\"default\",rule=\"invite\",result=\"dropped\"} 10",
		"sipxdp_guard_packets_total{guard=\"default\",rule=\"invite\",result=\"refused\"} 20",
		"sipxdp_guard_packets_total{guard=\"default\",rule=\"invite\",result=\"observed\"} 3",
		"sipxdp_guard_packets_total{guard=\"default\",rule=\"register\",result=\"dropped\"} 0",
		"sipxdp_guard_packets_total{guard=\"default\",rule=\"backend_surge\",result=\"dropped\"} 0",
		"sipxdp_guard_bytes_total{guard=\"default\",rule=\"invite\"} 4000",
		"sipxdp_guard_exempt_packets_total{guard=\"default\",reason=\"emergency\"} 6",
		"sipxdp_service_received_bytes_total{service=\"sip\"} 700",
		"sipxdp_service_not_sip_datagrams_total{service=\"sip\"} 1",
		"sipxdp_service_requests_total{service=\"sip\",method=\"INVITE\",dialog=\"initial\"} 0",
		"sipxdp_service_responses_total{service=\"sip\",method=\"REGISTER\",code=\"401\"} 0",
		"sipxdp_service_returned_packets_total{service=\"sip\"} 8",
		"sipxdp_service_returned_responses_total{service=\"sip\",method=\"INVITE\",code=\"503\"} 2",
		"sipxdp_backend_returned_packets_total{pool=\"proxies\",backend=\"px2\"} 8",
		"sipxdp_backend_returned_requests_total{pool=\"proxies\",backend=\"px2\",method=\"INVITE\",dialog="
		"\"initial\"} 1",
		"sipxdp_backend_returned_responses_total{pool=\"proxies\",backend=\"px2\",method=\"INVITE\",class="
		"\"5xx\"} "
		"2",
		"sipxdp_backend_returned_responses_total{pool=\"proxies\",backend=\"px2\",method=\"other\",class="
		"\"4xx\"} 3",
		"sipxdp_service_call_setup_seconds_bucket{service=\"sip\",event=\"answer\",le=\"0.001\"} 1",
		"sipxdp_service_call_setup_seconds_bucket{service=\"sip\",event=\"answer\",le=\"0.002\"} 3",
		"sipxdp_service_call_setup_seconds_bucket{service=\"sip\",event=\"answer\",le=\"32.768\"} 3",
		"sipxdp_service_call_setup_seconds_bucket{service=\"sip\",event=\"answer\",le=\"+Inf\"} 7",
		"sipxdp_service_call_setup_seconds_sum{service=\"sip\",event=\"answer\"} 5.003",
		"sipxdp_service_call_setup_seconds_count{service=\"sip\",event=\"answer\"} 7",
		"sipxdp_backend_call_setup_seconds_count{pool=\"proxies\",backend=\"px2\",event=\"status\"} 1",
		"sipxdp_backend_unanswered_sampled_calls_total{pool=\"proxies\",backend=\"px2\"} 3",
		"sipxdp_pool_serving_backends{pool=\"proxies\"} 1",
		"sipxdp_pool_fail_open{pool=\"proxies\"} 1",
		"sipxdp_pool_failing_backends{pool=\"proxies\"} 2",
		"sipxdp_backend_state{pool=\"proxies\",backend=\"px1\",state=\"up\"} 1",
		"sipxdp_backend_state{pool=\"proxies\",backend=\"px1\",state=\"down\"} 0",
		"sipxdp_backend_state{pool=\"proxies\",backend=\"px2\",state=\"down\"} 1",
		"sipxdp_backend_share_ratio{pool=\"proxies\",backend=\"px1\"} 0.25",
		"sipxdp_backend_calls{pool=\"proxies\",backend=\"px1\"} 640",
		"sipxdp_backend_calls_error{pool=\"proxies\",backend=\"px1\"} 539",
		"sipxdp_backend_migrating_slots{pool=\"proxies\",backend=\"px2\",direction=\"losing\"} 12",
		"sipxdp_backend_probes_total{pool=\"proxies\",backend=\"px2\",result=\"failed\"} 2",
		"sipxdp_backend_probe_latency_seconds{pool=\"proxies\",backend=\"px1\"} 0.0015",
		"sipxdp_backend_sent_packets_total{pool=\"proxies\",backend=\"px1\"} 18446744073709551615",
		"sipxdp_backend_requests_total{pool=\"proxies\",backend=\"px1\",method=\"INVITE\",dialog=\"initial\"} "
		"4",
	};

	for (int openmetrics = 0; openmetrics < 2; openmetrics++) {
		char *text = text_of(&metrics, openmetrics);

		for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
			cr_expect(has_line(text, lines[i]), "no line %s", lines[i]);
		cr_expect_not(strstr(text, "probe_latency_seconds{pool=\"proxies\",backend=\"px2\"}"),
			"a backend without a latency has no sample");
		cr_expect_not(strstr(text, "service_returned_packets_total{service=\"dsr\"}"));
		cr_expect_not(strstr(text, "call_setup_seconds_count{service=\"dsr\""));
		cr_expect_not(strstr(text, "backend_returned_packets_total{pool=\"proxies\",backend=\"px1\"}"));
		cr_expect_not(strstr(text, "sipxdp_backend_calls{pool=\"proxies\",backend=\"px2\"}"),
			"a backend whose calls are not counted has no sample");
		free(text);
	}
}

Test(metrics, the_formats_differ_in_the_names_of_families)
{
	char *plain = text_of(&metrics, false), *openmetrics = text_of(&metrics, true);

	cr_expect(has_line(plain, "# TYPE sipxdp_packets_total counter"));
	cr_expect(has_line(openmetrics, "# TYPE sipxdp_packets counter"));
	cr_expect(has_line(plain, "# TYPE sipxdp_daemon_info gauge"));
	cr_expect(has_line(openmetrics, "# TYPE sipxdp_daemon info"));
	cr_expect_not(has_line(plain, "# EOF"));
	cr_expect_str_eq(openmetrics + strlen(openmetrics) - 6, "# EOF\n");
	free(plain);
	free(openmetrics);
}

/* For every metric of the table, the output contains its two lines once, followed by at least one sample. */
Test(metrics, every_metric_is_written_once)
{
	char *text = text_of(&metrics, false), line[1024];

	for (int i = 0; i < METRIC_COUNT; i++) {
		const char *at, *name = metric_texts[i].name;

		snprintf(line, sizeof(line), "# HELP %s %s\n# TYPE %s ", name, metric_texts[i].help, name);
		at = strstr(text, line);
		cr_assert(at, "no lines for %s", name);
		cr_expect_not(strstr(at + 1, line), "%s is there twice", name);
		at = strchr(at + strlen(line), '\n') + 1;
		/* No backend of this test has these latencies. */
		if (!strstr(name, "_mean_") && !strstr(name, "_p95_"))
			cr_expect(!strncmp(at, name, strlen(name)), "%s has no sample", name);
	}
	free(text);
}

/* Each sample has exactly the labels that the table and therefore the documentation list. */
Test(metrics, labels_are_documented)
{
	char *text = text_of(&metrics, false), *line, *state;

	for (line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
		size_t length = strcspn(line, "{ ");
		char labels[256] = "", *at = line + length;

		if (*line == '#')
			continue;
		for (bool quoted = false; *at && !(*at == ' ' && !quoted); at++) {
			quoted ^= *at == '"' && at[-1] != '\\';
			if (!quoted && (*at == '{' || *at == ','))
				snprintf(labels + strlen(labels), sizeof(labels) - strlen(labels), "%s%.*s",
					*labels ? ", " : "", (int)strcspn(at + 1, "="), at + 1);
		}
		for (int i = 0; i < METRIC_COUNT; i++)
			if (strlen(metric_texts[i].name) == length && !strncmp(metric_texts[i].name, line, length))
				cr_expect_str_eq(labels, metric_texts[i].labels, "%s", line);
	}
	free(text);
}

Test(metrics, nothing_configured)
{
	static const struct metrics none = {.version = "1"};
	char *text = text_of(&none, true);

	cr_expect(has_line(text, "sipxdp_tracked_calls_limit 0"));
	free(text);
}
