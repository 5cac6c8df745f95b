// SPDX-License-Identifier: GPL-2.0
/* See arguments.h. Options may stand anywhere before "--". */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "arguments.h"
#include "usage.h"

#define WIDTH 44 /* of the left column of the help */

/* The words and options of the command line, before the command is known. */
struct line {
	const char **words;
	size_t word_count;
	const struct protocol_argument **flags; /* the value of each flag is in flag_values */
	const char **flag_values;
	size_t flag_count;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct arguments *arguments, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsnprintf(arguments->error, sizeof(arguments->error), format, values);
	va_end(values);
	return -EINVAL;
}

/* --- options */

static enum ctl_option find_option(const char *word, size_t length)
{
	enum ctl_option option = 0;

	for (; option < OPTION_COUNT; option++) {
		const struct usage_option *row = &ctl_usage.options[option];

		if (length == 2 && word[0] == '-' && word[1] == row->value)
			break;
		if (length == strlen(row->name) + 2 && !strncmp(word, "--", 2) &&
			!strncmp(word + 2, row->name, length - 2))
			break;
	}
	return option;
}

/* Finds an option that belongs to at least one command. */
static const struct protocol_argument *find_flag(const char *name, size_t length)
{
	if (length < 3 || strncmp(name, "--", 2))
		return NULL;
	for (enum command command = 0; command < COMMAND_COUNT; command++) {
		const struct protocol_argument *flag = protocol_commands[command].arguments;

		for (; flag->name; flag++)
			if (flag->use == ARGUMENT_FLAG && strlen(flag->name) == length - 2 &&
				!strncmp(flag->name, name + 2, length - 2))
				return flag;
	}
	return NULL;
}

static void take_option(enum ctl_option option, const char *value, struct arguments *out)
{
	switch (option) {
	case OPTION_SOCKET:
		out->socket = value;
		break;
	case OPTION_PIN_DIR:
		out->pin_directory = value;
		break;
	case OPTION_JSON:
		out->json = true;
		break;
	case OPTION_HELP:
		out->wish = ARGUMENTS_HELP;
		break;
	case OPTION_VERSION:
		out->wish = ARGUMENTS_VERSION;
		break;
	case OPTION_COUNT:
		break;
	}
}

/* Parses the option argv[*at] and, if it needs one, its value in the next word. */
static int parse_option(char **argv, int *at, struct line *line, struct arguments *out)
{
	const char *word = argv[*at], *equals = strchr(word, '='), *value = equals ? equals + 1 : NULL;
	size_t length = equals ? (size_t)(equals - word) : strlen(word);
	enum ctl_option option = find_option(word, length);
	const struct protocol_argument *flag = find_flag(word, length);
	const char *placeholder = flag ? flag->placeholder : ctl_usage.options[option % OPTION_COUNT].argument;

	if (option == OPTION_COUNT && !flag)
		return refuse(out, "unknown option '%.80s'", word);
	if (value && !placeholder)
		return refuse(out, "option %.*s does not accept a value", (int)length, word);
	if (!value && placeholder)
		value = argv[*at + 1] ? argv[++*at] : NULL;
	if (!value && placeholder)
		return refuse(out, "option %s needs a value: %s %s", word, word, placeholder);
	if (!flag) {
		take_option(option, value, out);
		return 0;
	}
	line->flags[line->flag_count] = flag;
	line->flag_values[line->flag_count++] = value;
	return 0;
}

static int parse_line(int argc, char **argv, struct line *line, struct arguments *out)
{
	bool only_words = false;
	int err = 0;

	for (int i = 1; i < argc; i++) {
		if (!only_words && !strcmp(argv[i], "--"))
			only_words = true;
		else if (only_words || argv[i][0] != '-' || !argv[i][1])
			line->words[line->word_count++] = argv[i];
		else if (parse_option(argv, &i, line, out) < 0)
			err = -EINVAL; /* parsing continues, because a later --json changes the format of the error */
	}
	return err;
}

/* --- the command */

/* Is this the first word of commands with two words? */
static bool is_group(const char *word)
{
	size_t length = strlen(word);

	for (enum command command = 0; command < COMMAND_COUNT; command++)
		if (!strncmp(protocol_commands[command].words, word, length) &&
			protocol_commands[command].words[length] == ' ')
			return true;
	return false;
}

/* Writes the first one or two words of the line. */
static void first_words(const struct line *line, size_t count, char words[PROTOCOL_ERROR_SIZE])
{
	bool both = count > 1 && line->word_count > 1;

	snprintf(words, PROTOCOL_ERROR_SIZE, "%s%s%s", line->words[0], both ? " " : "", both ? line->words[1] : "");
}

/* Finds the longest command at the start of the line, and removes its words from the line. For a group without a
 * command, the result is COMMAND_COUNT. */
static int find_command(struct line *line, struct arguments *out)
{
	char words[PROTOCOL_ERROR_SIZE];
	bool group = is_group(line->words[0]);

	if (group)
		out->group = line->words[0];
	for (size_t length = group ? 2 : 1; length > 0; length--) {
		first_words(line, length, words);
		out->command = protocol_find(words);
		if (out->command == COMMAND_COUNT || length > line->word_count)
			continue;
		line->words += length;
		line->word_count -= length;
		return 0;
	}
	if (group && line->word_count == 1)
		return 0;
	first_words(line, group ? 2 : 1, words);
	return refuse(out, "unknown command '%.80s'", words);
}

static json_t *number_or_text(const char *word)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(word, &end, 10);
	return errno || end == word || *end ? json_string(word) : json_integer(number);
}

/* Stores one word as a JSON value of the right type. protocol_check_request() validates it later. */
static int take_word(const struct protocol_argument *argument, const char *word, struct arguments *out)
{
	json_t *value = argument->type == ARGUMENT_SWITCH   ? json_true()
			: argument->type == ARGUMENT_NUMBER ? number_or_text(word)
							    : json_string(word);
	json_t *list = json_object_get(out->values, argument->name);

	if (!value)
		return refuse(out, "%s is not UTF-8", argument->placeholder);
	if (argument->type != ARGUMENT_LIST)
		return json_object_set_new(out->values, argument->name, value);
	if (!list) {
		list = json_array();
		json_object_set_new(out->values, argument->name, list);
	}
	return json_array_append_new(list, value);
}

static int take_words(const struct line *line, struct arguments *out)
{
	const struct protocol_argument *argument = protocol_commands[out->command].arguments;
	size_t next = 0;

	for (; argument->name; argument++) {
		size_t left = line->word_count - next, count = argument->type == ARGUMENT_LIST || !left ? left : 1;

		if (argument->use == ARGUMENT_FLAG || argument->use == ARGUMENT_CONTENTS)
			continue;
		if (!count && argument->use == ARGUMENT_REQUIRED)
			return refuse(out, "%s is missing", argument->placeholder);
		for (; count; count--)
			if (take_word(argument, line->words[next++], out) < 0)
				return -EINVAL;
	}
	if (next < line->word_count)
		return refuse(out, "'%.80s' is one word too many", line->words[next]);
	return 0;
}

static int take_flags(const struct line *line, struct arguments *out)
{
	const struct protocol_command *command = &protocol_commands[out->command];

	for (size_t i = 0; i < line->flag_count; i++) {
		const struct protocol_argument *flag = command->arguments;

		while (flag->name && (flag->use != ARGUMENT_FLAG || strcmp(flag->name, line->flags[i]->name)))
			flag++;
		if (!flag->name)
			return refuse(out, "'%s' has no option --%s", command->words, line->flags[i]->name);
		if (take_word(flag, line->flag_values[i], out) < 0)
			return -EINVAL;
	}
	return 0;
}

static int understand(struct line *line, struct arguments *out)
{
	if (line->word_count && !strcmp(line->words[0], "help")) {
		out->wish = ARGUMENTS_HELP;
		line->words++;
		line->word_count--;
	}
	if (out->wish == ARGUMENTS_VERSION || (out->wish == ARGUMENTS_HELP && !line->word_count))
		return 0;
	if (!line->word_count)
		return refuse(out, "no command");
	if (find_command(line, out) < 0)
		return -EINVAL;
	if (out->wish == ARGUMENTS_HELP)
		return 0;
	if (out->command == COMMAND_COUNT)
		return refuse(out, "'%s' needs a second word", out->group);
	return take_words(line, out) < 0 || take_flags(line, out) < 0 ? -EINVAL : 0;
}

int arguments_parse(int argc, char **argv, struct arguments *out)
{
	const char **room = calloc((size_t)argc * 2, sizeof(*room));
	struct line line = {.words = room, .flag_values = room ? room + argc : NULL};
	int err = -EINVAL;

	*out = (struct arguments){
		.socket = PROTOCOL_SOCKET, .pin_directory = PIN_DIR, .command = COMMAND_COUNT, .values = json_object()};
	line.flags = calloc((size_t)argc, sizeof(*line.flags));
	if (!room || !line.flags || !out->values)
		refuse(out, "out of memory");
	else if (parse_line(argc, argv, &line, out) == 0)
		err = understand(&line, out);
	free(line.flags);
	free(room);
	return err;
}

void arguments_free(struct arguments *arguments)
{
	json_decref(arguments->values);
	arguments->values = NULL;
}

/* --- help */

#define FLAGS_SHOWN 2 /* a synopsis with more flags shows "[OPTION...]" */

static size_t flag_count(const struct protocol_argument *argument)
{
	size_t count = 0;

	for (; argument->name; argument++)
		count += argument->use == ARGUMENT_FLAG;
	return count;
}

void arguments_print_synopsis(enum command command, FILE *out)
{
	const struct protocol_argument *argument = protocol_commands[command].arguments;
	bool many = flag_count(argument) > FLAGS_SHOWN;

	fputs(protocol_commands[command].words, out);
	for (; argument->name; argument++) {
		if (argument->use == ARGUMENT_FLAG && !many)
			fprintf(out, " [--%s%s%s]", argument->name, argument->placeholder ? " " : "",
				argument->placeholder ? argument->placeholder : "");
		else if (argument->use == ARGUMENT_OPTIONAL)
			fprintf(out, " [%s]", argument->placeholder);
		else if (argument->use == ARGUMENT_REQUIRED)
			fprintf(out, " %s%s", argument->placeholder, argument->type == ARGUMENT_LIST ? "..." : "");
	}
	fputs(many ? " [OPTION...]" : "", out);
}

static void print_commands(const char *group, FILE *out)
{
	size_t length = group ? strlen(group) : 0;
	char synopsis[PROTOCOL_ERROR_SIZE];

	for (enum command command = 0; command < COMMAND_COUNT; command++) {
		const char *words = protocol_commands[command].words;
		FILE *text = fmemopen(synopsis, sizeof(synopsis), "w");

		if (!text)
			return;
		arguments_print_synopsis(command, text);
		fclose(text);
		if (!group || (!strncmp(words, group, length) && words[length] == ' '))
			usage_print_row(out, WIDTH, synopsis, protocol_commands[command].help);
	}
}

static void print_arguments(enum command command, FILE *out)
{
	const struct protocol_argument *argument = protocol_commands[command].arguments;
	char flag[PROTOCOL_ERROR_SIZE];

	for (; argument->name; argument++) {
		snprintf(flag, sizeof(flag), "--%s %s", argument->name,
			argument->placeholder ? argument->placeholder : "");
		if (argument->use == ARGUMENT_FLAG)
			usage_print_row(out, WIDTH, flag, argument->help);
		else if (argument->use != ARGUMENT_CONTENTS)
			usage_print_row(out, WIDTH, argument->placeholder, argument->help);
	}
}

void arguments_print_help(const struct arguments *arguments, FILE *out)
{
	if (arguments->command < COMMAND_COUNT) {
		fputs("usage: sipxdp-ctl ", out);
		arguments_print_synopsis(arguments->command, out);
		fprintf(out, "\n\n%s\n\n", protocol_commands[arguments->command].help);
		print_arguments(arguments->command, out);
	} else {
		fprintf(out, "usage: %s %s\n\n%s\n\ncommands:\n", ctl_usage.program, ctl_usage.synopsis[0],
			ctl_usage.about);
		print_commands(arguments->group, out);
	}
	fputs("\noptions, anywhere before a \"--\":\n", out);
	usage_print_options(out, WIDTH, ctl_usage.options);
	fputs("\n" USAGE_EXIT_STATUS "\n", out);
}
