// SPDX-License-Identifier: GPL-2.0
/* See join_command.h. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include "join_command.h"
#include "core/base/name.h"

static bool set_action(struct join_command *command, const char *value)
{
	static const char *const names[] = {
		[JOIN_START] = "start",
		[JOIN_HEARTBEAT] = "heartbeat",
		[JOIN_SHUTDOWN] = "shutdown",
		[JOIN_STOP] = "stop",
	};

	for (size_t i = JOIN_START; i <= JOIN_STOP; i++)
		if (!strcmp(names[i], value))
			command->action = i;
	return command->action != JOIN_NONE;
}

static bool set_pool(struct join_command *command, const char *value)
{
	name_copy(command->pool, value);
	return config_name_is_valid(value);
}

static bool set_name(struct join_command *command, const char *value)
{
	name_copy(command->name, value);
	return config_name_is_valid(value);
}

static bool set_address(struct join_command *command, const char *value)
{
	return !address_parse(value, &command->address) && address_is_host(&command->address);
}

static bool set_weight(struct join_command *command, const char *value)
{
	struct span digits = {value, value + strlen(value)};

	command->weight = span_number(digits);
	return command->weight >= 0 && command->weight <= MAX_WEIGHT;
}

static const struct member {
	const char *name;
	bool (*set)(struct join_command *command, const char *value);
	const char *wanted;
} members[] = {
	{"action", set_action, "start, heartbeat, shutdown or stop"},
	{"pool", set_pool, "the name of a pool"},
	{"name", set_name, "1 to 63 of A-Z a-z 0-9 . _ -"},
	{"address", set_address, "the address of a host"},
	{"weight", set_weight, "a number from 0 to 1000"},
};

_Static_assert(MAX_WEIGHT == 1000, "members");

/* If the member or its value is invalid, sets command->fault and returns false. */
static bool set_member(struct join_command *command, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		if (strcmp(members[i].name, name))
			continue;
		if (command->seen & 1u << i)
			command->fault = join_answer(400, "%s is given twice", name);
		else if (!members[i].set(command, value))
			command->fault = join_answer(400, "%s must be %s", name, members[i].wanted);
		command->seen |= 1u << i;
		return !command->fault.status;
	}
	command->fault =
		join_answer(400, "unknown member '%.40s': known are action, pool, name, address and weight", name);
	return false;
}

static void read_json(struct span text, struct join_command *command)
{
	json_error_t error;
	json_t *json = json_loadb(text.at, text.end - text.at, JSON_REJECT_DUPLICATES, &error), *value;
	const char *name;
	char number[24];

	if (!json_is_object(json))
		command->fault =
			json ? join_answer(400, "not a JSON object") : join_answer(400, "not JSON: %s", error.text);
	for (void *i = json_object_iter(json); i && !command->fault.status; i = json_object_iter_next(json, i)) {
		name = json_object_iter_key(i);
		value = json_object_iter_value(i);
		snprintf(number, sizeof(number), "%lld", json_integer_value(value));
		if (json_is_string(value) && strcmp(name, "weight"))
			set_member(command, name, json_string_value(value));
		else
			set_member(command, name, json_is_integer(value) && !strcmp(name, "weight") ? number : "");
	}
	json_decref(json);
}

#define VALUE_SIZE 128 /* longer than any valid value */

/* False if the text is too long. */
static bool copy_span(struct span span, char text[VALUE_SIZE])
{
	size_t length = span.end - span.at;

	if (length >= VALUE_SIZE || memchr(span.at, '\0', length))
		return false;
	memcpy(text, span.at, length);
	text[length] = '\0';
	return true;
}

static void read_parameters(struct span text, struct join_command *command)
{
	while (text.at < text.end && !command->fault.status) {
		struct span value = span_take(&text, ';'), name = span_trim(span_take(&value, '='));
		char name_text[VALUE_SIZE], value_text[VALUE_SIZE];

		if (copy_span(name, name_text) && copy_span(span_trim(value), value_text))
			set_member(command, name_text, value_text);
		else
			command->fault = join_answer(400, "a parameter is too long");
	}
}

void join_command_read(const struct join_request *request, uint64_t signed_at, struct join_command *command)
{
	static const struct address none;

	*command = (struct join_command){.weight = JOIN_NOT_GIVEN, .signed_at = signed_at};
	(request->is_json ? read_json : read_parameters)(request->text, command);
	if (command->fault.status)
		return;
	if (!command->action)
		command->fault = join_answer(400, "action is missing");
	else if (!*command->pool)
		command->fault = join_answer(400, "pool is missing");
	else if (!*command->name)
		command->fault = join_answer(400, "name is missing");
	else if (command->action == JOIN_START && address_equal(&command->address, &none))
		command->fault = join_answer(400, "address is missing");
}
