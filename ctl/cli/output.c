// SPDX-License-Identifier: GPL-2.0
/* See output.h: a table of columns for each list, and a function for each other result. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "columns.h"
#include "output.h"
#include "output_group.h"
#include "output_guard.h"
#include "text.h"

static const struct column service_columns[] = {
	{"NAME", "name", CELL_TEXT},
	{"VIP", "vips", CELL_LIST},
	{"PORT", "ports", CELL_TEXT},
	{"PROTOCOL", "protocol", CELL_TEXT},
	{"AFFINITY", "affinity", CELL_TEXT},
	{"POOL", "pool", CELL_TEXT},
	{"PACKETS", "packets", CELL_NUMBER},
	{"BYTES", "bytes", CELL_NUMBER},
	{0},
};

static const struct column pool_columns[] = {
	{"NAME", "name", CELL_TEXT},
	{"BALANCE", "balance", CELL_TEXT},
	{"FORWARD", "forward", CELL_TEXT},
	{"PROBE", "probe", CELL_TEXT},
	{"FAIL OPEN", "fail_open", CELL_YES},
	{"MIGRATING", "migrating", CELL_YES},
	{"BACKENDS", "backends", CELL_NUMBER},
	{"IN TABLE", "in_table", CELL_NUMBER},
	{"SLOTS", "slots", CELL_NUMBER},
	{"SERVICES", "services", CELL_LIST},
	{0},
};

static const struct column backend_columns[] = {
	{"POOL", "pool", CELL_TEXT},
	{"NAME", "name", CELL_TEXT},
	{"ADDRESS", "address", CELL_TEXT},
	{"WEIGHT", "weight", CELL_NUMBER},
	{"ADMIN", "admin", CELL_TEXT},
	{"SINCE", "since", CELL_AGE},
	{"STATE", "state", CELL_TEXT},
	{"SHARE", "share", CELL_PERCENT},
	{"MIGRATING", "migrating", CELL_TEXT},
	{"CALLS", "calls", CELL_ESTIMATE},
	{"CONNS", "connections", CELL_NUMBER},
	{"PROBE RTT", "latency_mean", CELL_USEC},
	{"PACKETS", "packets", CELL_NUMBER},
	{"INTERFACE", "interface", CELL_TEXT},
	{"MAC", "mac", CELL_TEXT},
	{"OVERRIDE", "overrides", CELL_LIST},
	{"REASON", "reason", CELL_TEXT},
	{0},
};

static const struct column call_columns[] = {
	{"KIND", "kind", CELL_TEXT},
	{"AGE", "age", CELL_SECONDS},
	{"SILENT", "silent", CELL_SECONDS},
	{"CALL-ID OR SOURCE", "call", CELL_TEXT},
	{0},
};

static const struct column verdict_columns[] = {
	{"VERDICT", "name", CELL_TEXT},
	{"ACTION", "action", CELL_TEXT},
	{"PACKETS", "packets", CELL_NUMBER},
	{"NORMAL", "normal", CELL_YES},
	{"MEANING", "text", CELL_TEXT},
	{0},
};

static const struct column service_traffic_columns[] = {
	{"SERVICE", "name", CELL_TEXT},
	{"PACKETS", "packets", CELL_NUMBER},
	{"BYTES", "bytes", CELL_NUMBER},
	{"NOT SIP", "not_sip", CELL_NUMBER},
	{0},
};

static const struct column request_columns[] = {
	{"SERVICE", "service", CELL_TEXT},
	{"METHOD", "method", CELL_TEXT},
	{"DIALOG", "dialog", CELL_TEXT},
	{"REQUESTS", "messages", CELL_NUMBER},
	{0},
};

static const struct column response_columns[] = {
	{"SERVICE", "service", CELL_TEXT},
	{"CSEQ", "cseq", CELL_TEXT},
	{"CODE", "code", CELL_TEXT},
	{"RESPONSES", "messages", CELL_NUMBER},
	{0},
};

static const struct column backend_traffic_columns[] = {
	{"POOL", "pool", CELL_TEXT},
	{"BACKEND", "name", CELL_TEXT},
	{"PACKETS", "packets", CELL_NUMBER},
	{"BYTES", "bytes", CELL_NUMBER},
	{"INVITES", "initial_invite", CELL_NUMBER},
	{"REGISTERS", "initial_register", CELL_NUMBER},
	{"OTHER INITIAL", "initial_other", CELL_NUMBER},
	{"IN DIALOG", "in_dialog", CELL_NUMBER},
	{"UNKNOWN", "unknown", CELL_NUMBER},
	{"RESPONSES", "response", CELL_NUMBER},
	{"NOT SIP", "not_sip", CELL_NUMBER},
	{0},
};

static const struct column return_columns[] = {
	{"POOL", "pool", CELL_TEXT},
	{"BACKEND", "name", CELL_TEXT},
	{"PACKETS", "packets", CELL_NUMBER},
	{"BYTES", "bytes", CELL_NUMBER},
	{"INVITES", "initial_invite", CELL_NUMBER},
	{"IN DIALOG", "in_dialog", CELL_NUMBER},
	{"INVITE 1XX", "invite_1xx", CELL_NUMBER},
	{"2XX", "invite_2xx", CELL_NUMBER},
	{"3XX", "invite_3xx", CELL_NUMBER},
	{"4XX", "invite_4xx", CELL_NUMBER},
	{"5XX", "invite_5xx", CELL_NUMBER},
	{"6XX", "invite_6xx", CELL_NUMBER},
	{"OTHER 2XX", "other_2xx", CELL_NUMBER},
	{"4XX", "other_4xx", CELL_NUMBER},
	{"5XX", "other_5xx", CELL_NUMBER},
	{0},
};

static const struct column service_setup_columns[] = {
	{"SERVICE", "service", CELL_TEXT},
	{"INVITE TO FIRST", "event", CELL_TEXT},
	{"SAMPLED CALLS", "sampled_calls", CELL_NUMBER},
	{"MEAN", "mean", CELL_USEC},
	{"MEDIAN", "median", CELL_USEC},
	{"P95", "p95", CELL_USEC},
	{0},
};

static const struct column backend_setup_columns[] = {
	{"POOL", "pool", CELL_TEXT},
	{"BACKEND", "name", CELL_TEXT},
	{"INVITE TO FIRST", "event", CELL_TEXT},
	{"SAMPLED CALLS", "sampled_calls", CELL_NUMBER},
	{"MEAN", "mean", CELL_USEC},
	{"MEDIAN", "median", CELL_USEC},
	{"P95", "p95", CELL_USEC},
	{0},
};

static const struct column source_columns[] = {
	{"SOURCE", "source", CELL_TEXT},
	{"PACKETS", "packets", CELL_NUMBER},
	{"SHARE", "share", CELL_PERCENT},
	{"INITIAL", "initial", CELL_NUMBER},
	{"FAILED", "failed_share", CELL_PERCENT},
	{"NOT SIP", "not_sip_share", CELL_PERCENT},
	{"BYTES", "bytes", CELL_NUMBER},
	{0},
};

static const struct column call_id_columns[] = {
	{"CALL-ID", "call_id", CELL_TEXT},
	{"PACKETS", "packets", CELL_NUMBER},
	{"SHARE", "share", CELL_PERCENT},
	{"INITIAL", "initial", CELL_NUMBER},
	{"FAILED", "failed_share", CELL_PERCENT},
	{"BYTES", "bytes", CELL_NUMBER},
	{0},
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* --- results other than lists */

static void put_line(const char *label, const char *text)
{
	printf("%-12s ", label);
	text_put(stdout, text, "");
	putchar('\n');
}

static void put_interfaces(const json_t *interfaces)
{
	const json_t *interface;
	size_t i;

	json_array_foreach(interfaces, i, interface)
	{
		fputs(i ? "             " : "interfaces:  ", stdout);
		text_put(stdout, text_of(interface, "name"), "");
		if (json_is_true(json_object_get(interface, "attached"))) {
			fputs(", attached, ", stdout);
			text_put(stdout, text_of(interface, "mode"), "");
			putchar('\n');
		} else {
			puts(", not attached");
		}
	}
}

static void put_warnings(const json_t *result)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(result, "warnings"), i, item)
		put_line("warning:", json_is_string(item) ? json_string_value(item) : "");
}

static void put_capture(const json_t *capture)
{
	static const struct {
		const char *key, *text;
	} losses[] = {
		{"ring_full", "lost between kernel and daemon"},
		{"incomplete", "with a missing fragment"},
		{"too_long", "too long"},
		{"unsent", "not sent"},
		{"refused", "refused"},
	};

	if (!capture)
		return;
	fputs("capture:     udp:", stdout);
	text_put(stdout, text_of(capture, "to"), "");
	printf(", %lld messages sent", number_of(capture, "sent"));
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
		if (number_of(capture, losses[i].key))
			printf(", %lld %s", number_of(capture, losses[i].key), losses[i].text);
	putchar('\n');
}

/* One line for each reason. */
static void put_health(const json_t *health)
{
	const json_t *reason;
	size_t i;

	if (json_is_true(json_object_get(health, "healthy")))
		puts("healthy");
	json_array_foreach(json_object_get(health, "reasons"), i, reason)
	{
		text_put(stdout, json_string_value(reason), "");
		putchar('\n');
	}
}

static void put_status(const json_t *status)
{
	const json_t *item;
	size_t i;

	put_line("version:", text_of(status, "version"));
	if (json_object_get(status, "pid")) {
		printf("%-12s %lld\n%-12s ", "pid:", number_of(status, "pid"), "uptime:");
		text_put_age(stdout, number_of(status, "uptime"));
		putchar('\n');
		put_line("config:", text_of(status, "config"));
		put_line("log level:", text_of(status, "log_level"));
	}
	put_line("pinned in:", text_of(status, "pin_dir"));
	put_interfaces(json_object_get(status, "interfaces"));
	printf("%-12s %lld\n", "services:", number_of(status, "services"));
	printf("%-12s %lld\n", "pools:", number_of(status, "pools"));
	printf("%-12s %lld, %lld in the table\n", "backends:", number_of(status, "backends"),
		number_of(status, "in_table"));
	printf("%-12s %lld\n", "packets:", number_of(status, "packets"));
	printf("%-12s %lld\n", "forwarded:", number_of(status, "forwarded"));
	put_capture(json_object_get(status, "capture"));
	if (number_of(status, "traces"))
		printf("%-12s %lld running\n", "traces:", number_of(status, "traces"));
	json_array_foreach(json_object_get(status, "anomalies"), i, item)
	{
		printf("%-12s %lld ", "anomaly:", number_of(item, "packets"));
		text_put(stdout, text_of(item, "verdict"), "");
		fputs(": ", stdout);
		text_put(stdout, text_of(item, "text"), "");
		putchar('\n');
	}
	put_warnings(status);
}

static void put_share(const json_t *pool, const char *key, const char *verb)
{
	printf("%.2f%% of the slots of ", 100.0 * number_of(pool, key) / number_of(pool, "slots"));
	text_put(stdout, text_of(pool, "name"), "");
	printf(" %s (%lld of %lld)\n", verb, number_of(pool, key), number_of(pool, "slots"));
}

/* How many balancers have applied a change. */
static void put_group(const json_t *change)
{
	const json_t *group = json_object_get(change, "group");

	if (group)
		printf("applied by all %lld balancers of the group\n", number_of(group, "members"));
}

static void put_steps(const json_t *change)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(change, "steps"), i, item)
	{
		text_put(stdout, json_is_string(item) ? json_string_value(item) : "", "");
		putchar('\n');
	}
}

static void put_change(enum command command, const json_t *change)
{
	const char *verb = command == COMMAND_PLAN ? "would move" : "move";
	const char *later = command == COMMAND_PLAN ? "would move after their calls have been recorded"
						    : "will move after their calls have been recorded";
	const json_t *item;
	bool moved = false;
	size_t i;

	put_steps(change);
	json_array_foreach(json_object_get(change, "pools"), i, item)
	{
		if (number_of(item, "moved"))
			put_share(item, "moved", verb);
		if (number_of(item, "waiting"))
			put_share(item, "waiting", later);
		moved |= number_of(item, "moved") || number_of(item, "waiting");
	}
	if (!moved)
		puts(command == COMMAND_PLAN ? "no slot would move" : "no slot moves");
	put_group(change);
	put_warnings(change);
}

static void put_json(const json_t *json)
{
	char *text = protocol_print(json);

	fputs(text ? text : "", stdout);
	free(text);
}

static void put_json_line(const json_t *json)
{
	json_dumpf(json, stdout, PROTOCOL_JSON_FLAGS);
	putchar('\n');
}

static void put_service_stats(const json_t *stats)
{
	columns_print(json_object_get(stats, "services"), service_traffic_columns, "no services");
	putchar('\n');
	columns_print(json_object_get(stats, "requests"), request_columns, "no requests");
	putchar('\n');
	columns_print(json_object_get(stats, "responses"), response_columns, "no responses");
	putchar('\n');
}

static void put_stats(const json_t *stats)
{
	const json_t *returned = json_object_get(stats, "returned");

	columns_print(json_object_get(stats, "verdicts"), verdict_columns, "no verdicts");
	putchar('\n');
	put_service_stats(stats);
	columns_print(json_object_get(stats, "backends"), backend_traffic_columns, "no backends");
	if (!json_array_size(json_object_get(returned, "backends")))
		return;
	puts("\nfrom servers with forward: nat to clients:\n");
	put_service_stats(returned);
	columns_print(json_object_get(returned, "backends"), return_columns, "no backends");
	putchar('\n');
	columns_print(json_object_get(returned, "service_setup"), service_setup_columns, "no sampled calls");
	putchar('\n');
	columns_print(json_object_get(returned, "backend_setup"), backend_setup_columns, "no sampled calls");
}

static void put_sources(const json_t *rates)
{
	printf("per second, over %.1f s: %.1f packets\n", json_number_value(json_object_get(rates, "seconds")),
		json_number_value(json_object_get(rates, "packets")));
	columns_print(json_object_get(rates, "sources"), source_columns, "no sources");
	putchar('\n');
	columns_print(json_object_get(rates, "call_ids"), call_id_columns, "no Call-IDs");
}

static void put_text(enum command command, const json_t *result)
{
	switch (command) {
	case COMMAND_STATUS:
		put_status(result);
		break;
	case COMMAND_AWAY:
	case COMMAND_BACK:
		put_steps(result);
		if (!json_array_size(json_object_get(result, "steps")))
			puts("nothing to change");
		put_warnings(result);
		break;
	case COMMAND_HEALTH:
		put_health(result);
		break;
	case COMMAND_SERVICE_LIST:
		columns_print(result, service_columns, "no services");
		break;
	case COMMAND_POOL_LIST:
		columns_print(result, pool_columns, "no pools");
		break;
	case COMMAND_GROUP:
		output_group(result);
		break;
	case COMMAND_BACKEND_LIST:
		columns_print(result, backend_columns, "no backends");
		break;
	case COMMAND_BACKEND_CALLS:
		columns_print(result, call_columns, "no calls or connections");
		break;
	case COMMAND_STATS:
		put_stats(result);
		break;
	case COMMAND_TOP_SOURCES:
		put_sources(result);
		break;
	case COMMAND_GUARD_LIST:
		output_guard_list(result);
		break;
	case COMMAND_GUARD_RELOAD:
	case COMMAND_GUARD_BLOCK:
	case COMMAND_GUARD_TRUST:
	case COMMAND_GUARD_UNBLOCK:
		put_steps(result);
		put_group(result);
		put_warnings(result);
		break;
	case COMMAND_GUARD_STATS:
		output_guard_stats(result);
		break;
	case COMMAND_GUARD_TOP:
		output_guard_top(result);
		break;
	case COMMAND_GUARD_TEST:
		output_guard_test(result);
		break;
	case COMMAND_GUARD_WHY:
		output_guard_why(result);
		break;
	case COMMAND_LOG_LEVEL:
		put_line("log level:", text_of(result, "log_level"));
		break;
	case COMMAND_SAVE:
		text_put(stdout, text_of(result, "yaml"), "\n\t");
		break;
	default:
		put_change(command, result);
	}
}

void output_sample(struct output *output, enum command command, const json_t *result, double seconds)
{
	json_t *line;

	if (output->json) {
		line = json_pack("{s:I}", "time", (json_int_t)time(NULL));
		if (seconds)
			json_object_set_new(line, "seconds", json_real(seconds));
		json_object_update(line, (json_t *)result);
		put_json_line(line);
		json_decref(line);
		return;
	}
	if (output->items++)
		putchar('\n');
	if (seconds)
		printf("per second, over %.1f s:\n", seconds);
	put_text(command, result);
}

void output_result(struct output *output, enum command command, const json_t *result)
{
	if (output->json)
		put_json(result);
	else
		put_text(command, result);
}

void output_steps(const json_t *object)
{
	const json_t *step;
	size_t i;

	json_array_foreach(json_object_get(object, "steps"), i, step)
	{
		const char *name = json_string_value(json_object_get(step, "name"));

		printf("%s:%*s", name, (int)(12 - strlen(name)), "");
		text_put(stdout, json_string_value(json_object_get(step, "text")), "");
		putchar('\n');
	}
}

/* --- results of a look-up */

void output_list_begin(struct output *output)
{
	output->items = 0;
	if (output->json)
		putchar('[');
}

bool output_list_item(struct output *output, const json_t *owner)
{
	const char *error = text_of(owner, "error");

	if (output->json) {
		fputs(output->items++ ? ",\n  " : "\n  ", stdout);
		json_dumpf(owner, stdout, PROTOCOL_JSON_FLAGS);
		return !*error;
	}
	if (*error) {
		output_warning("'%.200s': %s", text_of(owner, "call_id"), error);
		return false;
	}
	text_put(stdout, text_of(owner, "call_id"), "");
	putchar('\t');
	text_put(stdout, *text_of(owner, "backend") ? text_of(owner, "backend") : "-", "");
	putchar('\t');
	text_put(stdout, *text_of(owner, "address") ? text_of(owner, "address") : "-", "");
	if (*text_of(owner, "named_by")) {
		fputs("\tnamed in its ", stdout);
		text_put(stdout, text_of(owner, "named_by"), "");
	}
	if (*text_of(owner, "previous_owner")) {
		putchar('\t');
		text_put(stdout, text_of(owner, "previous_owner"), "");
		fputs(" for established calls", stdout);
	}
	putchar('\n');
	return true;
}

void output_list_end(struct output *output)
{
	if (output->json)
		puts(output->items ? "\n]" : "]");
}

/* --- errors */

static void put_error_json(const struct output *output, const char *message, json_t *faults)
{
	json_t *error = json_pack("{s:o, s:o}", "error", protocol_text(message), "faults", faults);

	if (output->lines)
		put_json_line(error);
	else
		put_json(error);
	json_decref(error);
}

static void put_message(const char *message)
{
	fflush(stdout); /* keeps the order of stdout and stderr on a terminal */
	fputs("sipxdp-ctl: ", stderr);
	text_put(stderr, message, "");
	fputc('\n', stderr);
}

void output_error(struct output *output, const char *format, ...)
{
	char message[1024];
	va_list values;

	va_start(values, format);
	vsnprintf(message, sizeof(message), format, values);
	va_end(values);
	if (output->json)
		put_error_json(output, message, json_array());
	else
		put_message(message);
}

void output_warning(const char *format, ...)
{
	char message[1024];
	va_list values;

	va_start(values, format);
	vsnprintf(message, sizeof(message), format, values);
	va_end(values);
	put_message(message);
}

void output_refusal(struct output *output, const struct reply *reply, const char *path)
{
	const json_t *fault;
	size_t i;

	if (output->json) {
		put_error_json(output, reply->error, json_incref(reply->faults));
		return;
	}
	put_message(reply->error);
	json_array_foreach(reply->faults, i, fault)
	{
		if (path)
			text_put(stderr, path, "");
		if (number_of(fault, "line"))
			fprintf(stderr, "%s%lld:%lld", path ? ":" : "", number_of(fault, "line"),
				number_of(fault, "column"));
		fputs(path || number_of(fault, "line") ? ": " : "", stderr);
		text_put(stderr, text_of(fault, "message"), "");
		fputc('\n', stderr);
	}
}

bool output_flush(struct output *output)
{
	errno = 0;
	if (!output->broken && fflush(stdout) == 0 && !ferror(stdout))
		return true;
	if (!output->broken && errno != EPIPE)
		fprintf(stderr, "sipxdp-ctl: cannot write: %s\n", errno ? strerror(errno) : "output was lost");
	output->broken = true;
	return false;
}
