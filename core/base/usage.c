// SPDX-License-Identifier: GPL-2.0
/* See usage.h. */
#include <stdbool.h>
#include <string.h>
#include "usage.h"

#define WIDTH 32

const char *usage_option_text(const struct usage_option *option, char out[USAGE_LINE_SIZE])
{
	char letter[] = "    ";

	if (option->value < USAGE_LONG)
		snprintf(letter, sizeof(letter), "-%c, ", option->value);
	snprintf(out, USAGE_LINE_SIZE, "%s--%s%s%s", letter, option->name, option->argument ? " " : "",
		option->argument ? option->argument : "");
	return out;
}

void usage_print_row(FILE *out, int width, const char *left, const char *right)
{
	bool fits = (int)strlen(left) <= width;

	fprintf(out, "  %s%s%*s %s\n", left, fits ? "" : "\n  ", fits ? width - (int)strlen(left) : width, "", right);
}

void usage_print_options(FILE *out, int width, const struct usage_option *options)
{
	char left[USAGE_LINE_SIZE];

	for (; options->name; options++)
		usage_print_row(out, width, usage_option_text(options, left), options->help);
}

void usage_print(const struct usage *usage, FILE *out)
{
	const struct usage_command *command;
	char left[USAGE_LINE_SIZE];

	for (size_t i = 0; usage->synopsis[i]; i++)
		fprintf(out, "%s %s %s\n", i ? "      " : "usage:", usage->program, usage->synopsis[i]);
	fprintf(out, "\n%s\n", usage->about);
	if (usage->commands)
		fputs("\ncommands:\n", out);
	for (command = usage->commands; command && command->name; command++) {
		snprintf(left, sizeof(left), "%s %s", command->name, command->arguments);
		usage_print_row(out, WIDTH, left, command->help);
	}
	fputs("\noptions:\n", out);
	usage_print_options(out, WIDTH, usage->options);
	fputs("\n" USAGE_EXIT_STATUS "\n", out);
}

void usage_getopt(const struct usage_option *options, struct option *longs, char *shorts)
{
	for (; options->name; options++, longs++) {
		*longs = (struct option){
			options->name, options->argument ? required_argument : no_argument, NULL, options->value};
		if (options->value >= USAGE_LONG)
			continue;
		*shorts++ = options->value;
		if (options->argument)
			*shorts++ = ':';
	}
	*longs = (struct option){0};
	*shorts = '\0';
}
