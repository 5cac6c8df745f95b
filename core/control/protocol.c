// SPDX-License-Identifier: GPL-2.0
/* See protocol.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/duration.h"
#include "core/config/config.h"
#include "protocol.h"

enum command protocol_find(const char *words)
{
	enum command command = 0;

	while (command < COMMAND_COUNT && strcmp(protocol_commands[command].words, words))
		command++;
	return command;
}

/* Writes the reason of a refusal. A quoted text may be truncated within a UTF-8 character:
 * protocol_text() repairs it. */
__attribute__((format(printf, 2, 3))) static int refuse(char error[PROTOCOL_ERROR_SIZE], const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsnprintf(error, PROTOCOL_ERROR_SIZE, format, values);
	va_end(values);
	return -EINVAL;
}

/* --- reading a request */

/* Refuses lines that cannot be a request, before parsing: the parsed form of a line like "[[],[],..." is a hundred
 * times larger. A request is at most an object with an object with a list of strings, and has at most
 * PROTOCOL_LIST_MAX values and its arguments. */
static int check_size(const char *line, size_t length, char error[PROTOCOL_ERROR_SIZE])
{
	size_t depth = 0, commas = 0;
	bool quoted = false;

	if (length > PROTOCOL_REQUEST_MAX)
		return refuse(error, "the request has more than %zu bytes", PROTOCOL_REQUEST_MAX);
	for (size_t i = 0; i < length; i++) {
		char c = line[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '[' || c == '{'))
			depth++;
		else if (!quoted && (c == ']' || c == '}') && depth)
			depth--;
		else if (!quoted && c == ',')
			commas++;
		if (depth > 3)
			return refuse(error, "the request is nested too deeply at byte %zu", i + 1);
		if (commas > PROTOCOL_LIST_MAX + PROTOCOL_ARGUMENTS)
			return refuse(error, "the request has too many values; a list may have at most %d",
				PROTOCOL_LIST_MAX);
	}
	return 0;
}

static int take_name(const struct protocol_argument *argument, const json_t *value, void *field, char *error)
{
	const char *name = json_string_value(value);

	if (!name)
		return refuse(error, "%s: not a string", argument->name);
	if (!config_name_is_valid(name))
		return refuse(error, "%s: '%.80s' is not a valid name (1 to %d of A-Z a-z 0-9 . _ -)", argument->name,
			name, NAME_SIZE - 1);
	*(const char **)field = name;
	return 0;
}

static int take_address(const struct protocol_argument *argument, const json_t *value, void *field, char *error)
{
	const char *text = json_string_value(value);
	struct address *address = field;

	if (!text)
		return refuse(error, "%s: not a string", argument->name);
	if (address_parse(text, address) < 0)
		return refuse(error, "%s: '%.80s' is not an IPv4 or IPv6 address", argument->name, text);
	if (!address_is_host(address))
		return refuse(error, "%s: '%.80s' is not an address that a host can have", argument->name, text);
	return 0;
}

static int take_prefix(const struct protocol_argument *argument, const json_t *value, void *field, char *error)
{
	const char *text = json_string_value(value);

	if (!text)
		return refuse(error, "%s: not a string", argument->name);
	if (prefix_parse(text, field))
		return refuse(error,
			"%s: '%.80s' is not a network with all host bits 0, such as 203.0.113.0/24, or an address",
			argument->name, text);
	return 0;
}

static int take_time(const struct protocol_argument *argument, const json_t *value, void *field, char *error)
{
	const char *text = json_string_value(value);

	if (!text)
		return refuse(error, "%s: not a string", argument->name);
	if (duration_parse(text, field) || !*(uint32_t *)field)
		return refuse(error, "%s: '%.80s' is not a time such as 90s, 10m or 2h", argument->name, text);
	return 0;
}

static int take_number(const struct protocol_argument *argument, const json_t *value, void *field, char *error)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < argument->minimum || number > argument->maximum)
		return refuse(
			error, "%s: not a number from %d to %d", argument->name, argument->minimum, argument->maximum);
	*(int *)field = (int)number;
	return 0;
}

static int take_text(const struct protocol_argument *argument, const json_t *value, void *field, char *error)
{
	const char *text = json_string_value(value);

	if (!text)
		return refuse(error, "%s: not a string", argument->name);
	if (strlen(text) != json_string_length(value))
		return refuse(error, "%s: contains a NUL character", argument->name);
	*(const char **)field = text;
	return 0;
}

static int take_switch(const struct protocol_argument *argument, const json_t *value, void *field, char *error)
{
	if (!json_is_boolean(value))
		return refuse(error, "%s: not true or false", argument->name);
	*(bool *)field = json_is_true(value);
	return 0;
}

static int take_list(const struct protocol_argument *argument, const json_t *value, void *field, char *error)
{
	struct text_list *list = field;
	size_t count = json_array_size(value);

	if (!json_is_array(value))
		return refuse(error, "%s: not a list", argument->name);
	if (count < 1 || count > PROTOCOL_LIST_MAX)
		return refuse(
			error, "%s: %zu values, but 1 to %d are allowed", argument->name, count, PROTOCOL_LIST_MAX);
	list->items = calloc(count, sizeof(*list->items));
	if (!list->items)
		return refuse(error, "out of memory");
	for (; list->count < count; list->count++) {
		const json_t *item = json_array_get(value, list->count);

		if (take_text(argument, item, &list->items[list->count], error) < 0)
			return -EINVAL;
		if (!json_string_length(item))
			return refuse(error, "%s: value %zu is empty", argument->name, list->count + 1);
	}
	return 0;
}

static int take_argument(const struct protocol_argument *argument, const json_t *value, struct request *out,
	char error[PROTOCOL_ERROR_SIZE])
{
	static int (*const take[])(const struct protocol_argument *, const json_t *, void *, char *) = {
		[ARGUMENT_NAME] = take_name,
		[ARGUMENT_ADDRESS] = take_address,
		[ARGUMENT_PREFIX] = take_prefix,
		[ARGUMENT_TIME] = take_time,
		[ARGUMENT_NUMBER] = take_number,
		[ARGUMENT_TEXT] = take_text,
		[ARGUMENT_SWITCH] = take_switch,
		[ARGUMENT_LIST] = take_list,
	};
	bool required = argument->use == ARGUMENT_REQUIRED || argument->use == ARGUMENT_CONTENTS;

	if (value)
		return take[argument->type](argument, value, (char *)out + argument->offset, error);
	return required ? refuse(error, "%s: missing", argument->name) : 0;
}

static bool command_has_argument(const struct protocol_command *command, const char *name)
{
	for (const struct protocol_argument *argument = command->arguments; argument->name; argument++)
		if (!strcmp(argument->name, name))
			return true;
	return false;
}

static int take_arguments(json_t *arguments, struct request *out, char error[PROTOCOL_ERROR_SIZE])
{
	const struct protocol_command *command = &protocol_commands[out->command];
	const char *name;
	json_t *value;

	if (arguments && !json_is_object(arguments))
		return refuse(error, "arguments: not an object");
	json_object_foreach(arguments, name, value) if (!command_has_argument(command, name)) return refuse(
		error, "%.80s: not an argument of '%s'", name, command->words);
	for (const struct protocol_argument *argument = command->arguments; argument->name; argument++)
		if (take_argument(argument, json_object_get(arguments, argument->name), out, error) < 0)
			return -EINVAL;
	return 0;
}

static int take_request(struct request *out, char error[PROTOCOL_ERROR_SIZE])
{
	const char *name, *words;
	json_t *value;

	if (!json_is_object(out->json))
		return refuse(error, "request: not an object");
	json_object_foreach(
		out->json, name, value) if (strcmp(name, "command") && strcmp(name, "arguments")) return refuse(error,
		"%.80s: unknown; a request has only 'command' and 'arguments'", name);
	words = json_string_value(json_object_get(out->json, "command"));
	if (!words)
		return refuse(error, "command: missing, or not a string");
	out->command = protocol_find(words);
	if (out->command == COMMAND_COUNT || protocol_commands[out->command].is_local)
		return refuse(error, "unknown command '%.80s'", words);
	return take_arguments(json_object_get(out->json, "arguments"), out, error);
}

int protocol_check_request(json_t *json, struct request *out, char error[PROTOCOL_ERROR_SIZE])
{
	*out = (struct request){.json = json,
		.weight = PROTOCOL_NOT_GIVEN,
		.priority = PROTOCOL_NOT_GIVEN,
		.port = PROTOCOL_NOT_GIVEN,
		.max_calls = PROTOCOL_NOT_GIVEN,
		.max_rate = PROTOCOL_NOT_GIVEN,
		.wait = PROTOCOL_NOT_GIVEN,
		.seconds = PROTOCOL_NOT_GIVEN,
		.trace = {.count = PROTOCOL_NOT_GIVEN, .seconds = PROTOCOL_NOT_GIVEN}};
	if (!json)
		return refuse(error, "out of memory");
	if (take_request(out, error) == 0)
		return 0;
	protocol_request_free(out);
	return -EINVAL;
}

int protocol_parse_request(const char *line, size_t length, struct request *out, char error[PROTOCOL_ERROR_SIZE])
{
	json_error_t fault;
	json_t *json;

	if (check_size(line, length, error) < 0)
		return -EINVAL;
	json = json_loadb(line, length, JSON_REJECT_DUPLICATES, &fault);
	if (!json)
		return refuse(error, "not valid JSON: %s, at byte %d", fault.text, fault.position);
	return protocol_check_request(json, out, error);
}

void protocol_request_free(struct request *request)
{
	const struct protocol_argument *argument =
		request->command < COMMAND_COUNT ? protocol_commands[request->command].arguments : NULL;

	for (; argument && argument->name; argument++)
		if (argument->type == ARGUMENT_LIST)
			free(((struct text_list *)((char *)request + argument->offset))->items);
	json_decref(request->json);
	*request = (struct request){.weight = PROTOCOL_NOT_GIVEN,
		.priority = PROTOCOL_NOT_GIVEN,
		.port = PROTOCOL_NOT_GIVEN,
		.max_calls = PROTOCOL_NOT_GIVEN,
		.max_rate = PROTOCOL_NOT_GIVEN,
		.wait = PROTOCOL_NOT_GIVEN};
}

/* --- building requests and replies */

json_t *protocol_request(enum command command, json_t *arguments)
{
	return json_pack("{s:s, s:o}", "command", protocol_commands[command].words, "arguments", arguments);
}

json_t *protocol_text(const char *bytes)
{
	json_t *text = json_string(bytes);
	char *ascii;

	if (text)
		return text;
	ascii = strdup(bytes);
	if (!ascii)
		return NULL;
	for (char *c = ascii; *c; c++)
		if (*c & 0x80)
			*c = '?';
	text = json_string(ascii);
	free(ascii);
	return text;
}

json_t *protocol_ok(json_t *result)
{
	return json_pack("{s:b, s:o}", "ok", 1, "result", result);
}

static json_t *fault_list(const struct faults *faults)
{
	json_t *list = json_array();

	for (size_t i = 0; faults && i < faults->listed; i++) {
		const struct fault *fault = &faults->list[i];

		json_array_append_new(list, json_pack("{s:i, s:i, s:o}", "line", fault->position.line, "column",
						    fault->position.column, "message", protocol_text(fault->message)));
	}
	return list;
}

json_t *protocol_error(const struct faults *faults, const char *format, ...)
{
	va_list values;
	json_t *reply;
	char *message;
	int written;

	va_start(values, format);
	written = vasprintf(&message, format, values);
	va_end(values);
	if (written < 0)
		return NULL;
	reply = json_pack("{s:b, s:o, s:o}", "ok", 0, "error", protocol_text(message), "faults", fault_list(faults));
	free(message);
	return reply;
}

char *protocol_print(const json_t *json)
{
	char *text = json_dumps(json, PROTOCOL_JSON_FLAGS | JSON_INDENT(2)), *printed;

	if (!text || asprintf(&printed, "%s\n", text) < 0)
		printed = NULL;
	free(text);
	return printed;
}

char *protocol_encode(const json_t *json, size_t *length)
{
	char *line = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(10));
	char *longer;

	if (!line)
		return NULL;
	*length = strlen(line);
	longer = realloc(line, *length + 2);
	if (!longer) {
		free(line);
		return NULL;
	}
	longer[(*length)++] = '\n';
	longer[*length] = '\0';
	return longer;
}

/* --- reading a reply */

int protocol_parse_reply(const char *line, size_t length, struct reply *out)
{
	json_t *ok;

	*out = (struct reply){.json = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL)};
	ok = json_object_get(out->json, "ok");
	if (json_is_true(ok)) {
		out->result = json_object_get(out->json, "result");
	} else if (json_is_false(ok)) {
		out->error = json_string_value(json_object_get(out->json, "error"));
		out->faults = json_object_get(out->json, "faults");
		out->path = json_string_value(json_object_get(out->json, "path"));
	}
	if (out->result || (out->error && json_is_array(out->faults)))
		return 0;
	protocol_reply_free(out);
	return -EPROTO;
}

void protocol_reply_free(struct reply *reply)
{
	json_decref(reply->json);
	*reply = (struct reply){0};
}
