// SPDX-License-Identifier: GPL-2.0
/* sipxdp-ctl: turns the command line into a request to sipxdpd, and the reply into output and an exit status. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "arguments.h"
#include "client.h"
#include "explain.h"
#include "file.h"
#include "guard_test.h"
#include "health.h"
#include "lookup.h"
#include "output.h"
#include "repeat.h"
#include "screen.h"
#include "sources.h"
#include "text.h"
#include "trace.h"
#include "wait.h"

enum status {
	STATUS_DONE = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_UNDETERMINED = 2, /* of `health` */
};

/* --- a file as an argument */

static json_t *file_contents(struct output *output, const char *path)
{
	size_t length = 0;
	char *text = file_read(output, path, PROTOCOL_REQUEST_MAX, &length);
	json_t *contents = NULL;

	if (text && (memchr(text, '\0', length) || !(contents = json_stringn(text, length))))
		output_error(output, "%s: not UTF-8 text", path);
	free(text);
	return contents;
}

/* For each argument of type ARGUMENT_CONTENTS, reads the file that the argument before it names. */
static enum status fill_contents(struct output *output, enum command command, json_t *values)
{
	const struct protocol_argument *argument = protocol_commands[command].arguments;
	const char *path = NULL;

	for (; argument->name; argument++) {
		json_t *contents;

		if (argument->use != ARGUMENT_CONTENTS) {
			path = json_string_value(json_object_get(values, argument->name));
			continue;
		}
		contents = file_contents(output, path);
		if (!contents)
			return STATUS_FAILED;
		json_object_set_new(values, argument->name, contents);
	}
	return STATUS_DONE;
}

/* --- running a command */

static enum status refuse_usage(struct output *output, const struct arguments *arguments, const char *error)
{
	const char *group = arguments->group ? arguments->group : "";

	output_error(output, "%s", error);
	if (output->json)
		return STATUS_USAGE;
	if (arguments->command < COMMAND_COUNT) {
		fputs("usage: sipxdp-ctl ", stderr);
		arguments_print_synopsis(arguments->command, stderr);
		fputc('\n', stderr);
	} else {
		fprintf(stderr, "see 'sipxdp-ctl help%s%s'\n", *group ? " " : "", group);
	}
	return STATUS_USAGE;
}

/* Validates the request before sipxdp-ctl connects: a mistake in the command line is a usage error, with or
 * without a running daemon. */
static enum status check(struct output *output, const struct arguments *arguments, json_t *request)
{
	char error[PROTOCOL_ERROR_SIZE];
	struct request checked;

	if (protocol_check_request(json_incref(request), &checked, error) < 0)
		return refuse_usage(output, arguments, error);
	protocol_request_free(&checked);
	return STATUS_DONE;
}

static enum status wait_if_asked(
	struct output *output, struct client *client, enum command command, const json_t *values)
{
	bool removed = command == COMMAND_BACKEND_REMOVE, done;
	json_t *seconds = json_object_get(values, "wait");
	const char *pool = json_string_value(json_object_get(values, "pool"));
	const char *backend = json_string_value(json_object_get(values, "backend"));

	if (!seconds)
		return STATUS_DONE;
	if (command == COMMAND_AWAY)
		return wait_until_quiet(output, client, json_integer_value(seconds)) ? STATUS_DONE : STATUS_FAILED;
	done = wait_until_empty(output, client, pool, backend, removed, json_integer_value(seconds));
	return done ? STATUS_DONE : STATUS_FAILED;
}

/* Prints the result of a command, and waits if it has the option --wait. With --json, standard output has one document:
 * the result, or the error of the wait. */
static enum status show(
	struct output *output, struct client *client, enum command command, const json_t *values, const json_t *result)
{
	enum status status;

	if (!output->json) {
		output_result(output, command, result);
		fflush(stdout);
	}
	status = wait_if_asked(output, client, command, values);
	if (output->json && status == STATUS_DONE)
		output_result(output, command, result);
	return status;
}

static enum status ask(struct output *output, struct client *client, enum command command, const json_t *request)
{
	const json_t *values = json_object_get(request, "arguments");
	const char *path = json_string_value(json_object_get(values, "path"));
	enum status status = STATUS_FAILED;
	struct reply reply;

	if (client_ask(client, request, &reply) < 0) {
		output_error(output, "%s", client->error);
	} else if (!reply.result) {
		output_refusal(output, &reply, path ? path : reply.path);
	} else {
		status = show(output, client, command, values, reply.result);
		/* The exit status must show a monitoring system that the daemon is not running. */
		if (command == COMMAND_STATUS && client->from_maps)
			status = STATUS_FAILED;
	}
	protocol_reply_free(&reply);
	return status;
}

/* Do the arguments describe a packet? */
static bool describes_packet(const json_t *values)
{
	return json_object_get(values, "call_ids") || json_object_get(values, "source") ||
	       json_object_get(values, "via") || json_object_get(values, "route") ||
	       json_object_get(values, "request-uri") || json_object_get(values, "tag");
}

static enum status run_lookup(struct output *output, struct client *client, const struct arguments *arguments)
{
	json_t *call_ids = json_object_get(arguments->values, "call_ids");
	json_t *first = json_copy(arguments->values);
	json_t *request = protocol_request(COMMAND_LOOKUP, first);
	enum status status;

	/* One Call-ID is enough to validate the request. */
	if (call_ids)
		json_object_set_new(first, "call_ids", json_pack("[O]", json_array_get(call_ids, 0)));
	status = describes_packet(arguments->values)
			 ? check(output, arguments, request)
			 : refuse_usage(output, arguments,
				   "CALL-ID is missing (or give --source, --via, --route, --request-uri or --tag)");
	json_decref(request);
	if (status == STATUS_DONE && !lookup_run(output, client, arguments->values))
		status = STATUS_FAILED;
	return status;
}

/* Does the command have the option --watch? */
static bool is_repeatable(enum command command)
{
	return command == COMMAND_STATS || command == COMMAND_GUARD_STATS || command == COMMAND_GUARD_TOP;
}

/* `request` is valid. */
static enum status run_counters(
	struct output *output, struct client *client, const struct arguments *arguments, const json_t *request)
{
	const json_t *values = arguments->values;

	if (json_object_get(values, "rate") || json_object_get(values, "watch"))
		return repeat_command(output, client, arguments->command, values) ? STATUS_DONE : STATUS_FAILED;
	if (json_object_get(values, "seconds"))
		return refuse_usage(output, arguments, "SECONDS needs --rate or --watch");
	return ask(output, client, arguments->command, request);
}

static enum status run_top(struct output *output, struct client *client, const struct arguments *arguments)
{
	if (output->json)
		return refuse_usage(output, arguments, "top has no --json (see 'sipxdp-ctl stats --rate --watch')");
	return screen_run(output, client, false) ? STATUS_DONE : STATUS_FAILED;
}

/* `request` is valid. */
static enum status run_top_sources(struct output *output, struct client *client, const struct arguments *arguments)
{
	const json_t *seconds = json_object_get(arguments->values, "seconds");
	bool shown;

	if (seconds || output->json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		shown = sources_report(output, client, seconds ? (int)json_integer_value(seconds) : SOURCES_SECONDS);
	else
		shown = screen_run(output, client, true);
	return shown ? STATUS_DONE : STATUS_FAILED;
}

static enum status run_health(struct output *output, const struct client *client, const struct arguments *arguments)
{
	switch (health_run(output, client->pin_directory, arguments->values)) {
	case HEALTH_READY:
		return STATUS_DONE;
	case HEALTH_NOT_READY:
		return STATUS_FAILED;
	default:
		return STATUS_UNDETERMINED;
	}
}

static enum status run(struct output *output, struct client *client, const struct arguments *arguments)
{
	enum status status;
	json_t *request;

	if (arguments->command == COMMAND_LOOKUP)
		return run_lookup(output, client, arguments);
	if (arguments->command == COMMAND_TOP)
		return run_top(output, client, arguments);
	if (arguments->command == COMMAND_HEALTH)
		return run_health(output, client, arguments);
	if (arguments->command == COMMAND_EXPLAIN)
		return explain_run(output, client->pin_directory, arguments->values) ? STATUS_DONE : STATUS_FAILED;
	if (arguments->command == COMMAND_GUARD_TEST)
		return guard_test_run(output, client->pin_directory, arguments->values) ? STATUS_DONE : STATUS_FAILED;
	status = fill_contents(output, arguments->command, arguments->values);
	if (status != STATUS_DONE)
		return status;
	request = protocol_request(arguments->command, json_incref(arguments->values));
	status = check(output, arguments, request);
	if (status == STATUS_DONE && is_repeatable(arguments->command))
		status = run_counters(output, client, arguments, request);
	else if (status == STATUS_DONE && arguments->command == COMMAND_TRACE)
		status = trace_run(output, client, arguments->values, request) ? STATUS_DONE : STATUS_FAILED;
	else if (status == STATUS_DONE && arguments->command == COMMAND_TOP_SOURCES)
		status = run_top_sources(output, client, arguments);
	else if (status == STATUS_DONE)
		status = ask(output, client, arguments->command, request);
	json_decref(request);
	return status;
}

int main(int argc, char **argv)
{
	enum status status = STATUS_DONE;
	struct arguments arguments;
	struct output output = {0};
	struct client client;

	text_open();
	if (arguments_parse(argc, argv, &arguments) < 0) {
		output.json = arguments.json;
		status = refuse_usage(&output, &arguments, arguments.error);
	} else if (arguments.wish == ARGUMENTS_HELP) {
		arguments_print_help(&arguments, stdout);
	} else if (arguments.wish == ARGUMENTS_VERSION) {
		puts("sipxdp-ctl " SIPXDP_VERSION);
	} else {
		output.json = arguments.json;
		client_open(&client, arguments.socket, arguments.pin_directory);
		status = run(&output, &client, &arguments);
		client_close(&client);
	}
	arguments_free(&arguments);
	return output_flush(&output) ? (int)status : STATUS_FAILED;
}
