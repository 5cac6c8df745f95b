// SPDX-License-Identifier: GPL-2.0
/* See command_line.h. */
#include <stdio.h>
#include "command_line.h"

/* Writes a flag as --name VALUE, and any other argument as a word. Omits a switch whose value is false. */
static void put_value(FILE *out, const struct protocol_argument *argument, const json_t *value)
{
	if (json_is_false(value))
		return;
	if (argument->use == ARGUMENT_FLAG)
		fprintf(out, " --%s", argument->name);
	if (json_is_string(value))
		fprintf(out, " %s", json_string_value(value));
	else if (json_is_integer(value))
		fprintf(out, " %lld", (long long)json_integer_value(value));
}

static void put_argument(FILE *out, const struct protocol_argument *argument, const json_t *value)
{
	const json_t *item;
	size_t i;

	if (!value || argument->use == ARGUMENT_CONTENTS)
		return;
	if (!json_is_array(value))
		put_value(out, argument, value);
	json_array_foreach(value, i, item) put_value(out, argument, item);
}

const char *command_line(const struct request *request, char text[COMMAND_LINE_SIZE])
{
	const struct protocol_command *command = &protocol_commands[request->command];
	const json_t *values = json_object_get(request->json, "arguments");
	FILE *out = fmemopen(text, COMMAND_LINE_SIZE, "w");

	*text = '\0';
	if (!out)
		return text;
	fputs(command->words, out);
	for (const struct protocol_argument *argument = command->arguments; argument->name; argument++)
		put_argument(out, argument, json_object_get(values, argument->name));
	fclose(out);
	text[COMMAND_LINE_SIZE - 1] = '\0';
	return text;
}
