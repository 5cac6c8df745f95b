// SPDX-License-Identifier: GPL-2.0
/* See join_command.h. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include "join_command.h"
#include "core/base/duration.h"
#include "core/base/name.h"

static bool set_action(struct join_command *command, const char *value)
{
	static const char *const names[] = {
		[JOIN_START] = "start",
		[JOIN_HEARTBEAT] = "heartbeat",
		[JOIN_SHUTDOWN] = "shutdown",
		[JOIN_STOP] = "stop",
		[JOIN_BLOCK] = "block",
		[JOIN_TRUST] = "trust",
		[JOIN_UNBLOCK] = "unblock",
	};

	for (size_t i = JOIN_START; i <= JOIN_UNBLOCK; i++)
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

static bool set_load(struct join_command *command, const char *value)
{
	struct span digits = {value, value + strlen(value)};

	command->load = span_number(digits);
	return command->load >= 0 && command->load <= 100;
}

static bool set_prefix(struct join_command *command, const char *value)
{
	return !prefix_parse(value, &command->ban.prefix);
}

static bool set_time(struct join_command *command, const char *value)
{
	return !duration_parse(value, &command->ban.time) && command->ban.time;
}

static bool set_service(struct join_command *command, const char *value)
{
	name_copy(command->ban.service, value);
	return config_name_is_valid(value);
}

static bool set_reason(struct join_command *command, const char *value)
{
	size_t length = strlen(value);

	if (length >= sizeof(command->ban.reason))
		return false;
	for (size_t i = 0; i < length; i++)
		command->ban.reason[i] = value[i] < ' ' || value[i] > '~' ? '?' : value[i];
	return true;
}

enum member_of {
	OF_ALL,
	OF_BACKENDS, /* actions that concern a backend */
	OF_GUARD,    /* actions that concern a prefix */
};

static const struct member {
	const char *name;
	bool (*set)(struct join_command *command, const char *value);
	const char *wanted;
	enum member_of of;
} members[] = {
	{"action", set_action, "start, heartbeat, shutdown, stop, block, trust or unblock", OF_ALL},
	{"pool", set_pool, "the name of a pool", OF_ALL},
	{"name", set_name, "1 to 63 of the characters A-Z a-z 0-9 . _ -", OF_ALL},
	{"address", set_address, "the address of a host", OF_BACKENDS},
	{"weight", set_weight, "a number from 0 to 1000", OF_BACKENDS},
	{"load", set_load, "a number from 0 to 100", OF_BACKENDS},
	{"prefix", set_prefix, "an address, or a network such as 203.0.113.0/24", OF_GUARD},
	{"for", set_time, "a time such as 90s, 10m or 2h", OF_GUARD},
	{"service", set_service, "the name of a service", OF_GUARD},
	{"reason", set_reason, "a text of at most 127 bytes", OF_GUARD},
};

_Static_assert(GUARD_REASON_SIZE == 128, "members");

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
	command->fault = join_answer(400,
		"unknown member '%.40s': the members are action, pool, name, address, weight, load, prefix, for, "
		"service and reason",
		name);
	return false;
}

static bool is_number(const char *name)
{
	return !strcmp(name, "weight") || !strcmp(name, "load");
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
		if (json_is_string(value) && !is_number(name))
			set_member(command, name, json_string_value(value));
		else
			set_member(command, name, json_is_integer(value) && is_number(name) ? number : "");
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

static bool is_for_guard(const struct join_command *command)
{
	return command->action >= JOIN_BLOCK;
}

/* Refuses a member that the action does not use. */
static void check_members(struct join_command *command)
{
	enum member_of unused = is_for_guard(command) ? OF_BACKENDS : OF_GUARD;

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		if (command->seen & 1u << i && members[i].of == unused)
			command->fault = join_answer(400, "this action has no member %s", members[i].name);
}

static bool has(const struct join_command *command, bool (*set)(struct join_command *command, const char *value))
{
	size_t i = 0;

	while (members[i].set != set)
		i++;
	return command->seen & 1u << i;
}

/* A ban by a server must have an end, because only operators may set permanent blocks. */
static void read_ban(struct join_command *command)
{
	static const enum join_ban_action actions[] = {
		[JOIN_BLOCK] = JOIN_BAN_BLOCK, [JOIN_TRUST] = JOIN_BAN_TRUST, [JOIN_UNBLOCK] = JOIN_BAN_UNBLOCK};

	command->ban.action = actions[command->action];
	memcpy(command->ban.server, command->name, sizeof(command->ban.server));
	if (!*command->name)
		command->fault = join_answer(400, "name is missing");
	else if (!has(command, set_prefix))
		command->fault = join_answer(400, "prefix is missing");
	else if (command->action != JOIN_UNBLOCK && !has(command, set_time))
		command->fault = join_answer(400, "for is missing");
}

void join_command_read(const struct join_request *request, uint64_t signed_at, struct join_command *command)
{
	static const struct address none;

	*command = (struct join_command){.weight = JOIN_NOT_GIVEN, .load = JOIN_NOT_GIVEN, .signed_at = signed_at};
	(request->is_json ? read_json : read_parameters)(request->text, command);
	if (!command->fault.status)
		check_members(command);
	if (command->fault.status)
		return;
	if (is_for_guard(command))
		read_ban(command);
	else if (!command->action)
		command->fault = join_answer(400, "action is missing");
	else if (!*command->pool)
		command->fault = join_answer(400, "pool is missing");
	else if (!*command->name)
		command->fault = join_answer(400, "name is missing");
	else if (command->action == JOIN_START && address_equal(&command->address, &none))
		command->fault = join_answer(400, "address is missing");
}
