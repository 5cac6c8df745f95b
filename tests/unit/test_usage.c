// SPDX-License-Identifier: GPL-2.0
/* A program's command line as a table: its help, and the tables of getopt_long(). */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/usage.h"

static const struct usage_command commands[] = {
	{1, "start", "FILE", "begin"},
	{2, "stop", "", "end"},
	{0},
};

static const struct usage_option options[] = {
	{'c', "config", "FILE", NULL, 1, "the file"},
	{USAGE_LONG, "check", NULL, NULL, 0, "only check"},
	{'v', "verbose", NULL, NULL, 0, "print more"},
	{0},
};

static const struct usage usage = {
	.program = "program",
	.synopsis = {"COMMAND [OPTION...]", "--check"},
	.about = "Does something.",
	.commands = commands,
	.options = options,
};

static char *print(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	usage_print(&usage, out);
	fclose(out);
	return text;
}

Test(usage, help_shows_synopsis_commands_and_options)
{
	static const char *const lines[] = {
		"usage: program COMMAND [OPTION...]\n       program --check\n\nDoes something.\n\ncommands:\n",
		"\n  start FILE                       begin\n",
		"\n  -c, --config FILE                the file\n",
		"\n      --check                      only check\n",
		"\nexit status: 0 success, 1 failure, 2 wrong usage\n",
	};
	char *text = print();

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		cr_expect(strstr(text, lines[i]), "'%s' is not in\n%s", lines[i], text);
	free(text);
}

Test(usage, a_long_left_column_has_its_own_line)
{
	char text[100] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	usage_print_row(out, 5, "12345", "fits");
	usage_print_row(out, 5, "123456", "does not");
	fclose(out);
	cr_expect_str_eq(text, "  12345 fits\n  123456\n        does not\n");
}

Test(usage, getopt_knows_letters_and_long_names)
{
	struct option longs[4];
	char shorts[8];

	usage_getopt(options, longs, shorts);
	cr_expect_str_eq(shorts, "c:v");
	for (size_t i = 0; i < 3; i++) {
		cr_expect_str_eq(longs[i].name, options[i].name);
		cr_expect_eq(longs[i].val, options[i].value);
		cr_expect_eq(longs[i].has_arg, options[i].argument ? required_argument : no_argument);
	}
	cr_expect_null(longs[3].name);
}
