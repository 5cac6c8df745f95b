/* SPDX-License-Identifier: GPL-2.0 */
/* The command line of a program as tables. --help, the manual page and docs/reference/commands.md
 * follow from them. Pure. */
#pragma once

#include <getopt.h>
#include <stdio.h>

struct usage_command {
	unsigned int bit; /* for `commands` of an option */
	const char *name; /* NULL ends the table */
	const char *arguments;
	const char *help;
};

#define USAGE_LONG 256 /* from here on: options without a letter */

struct usage_option {
	int value;             /* what getopt_long() returns: the letter, or USAGE_LONG and above */
	const char *name;      /* without its dashes; NULL ends the table */
	const char *argument;  /* "FILE"; NULL: the option takes none */
	const char *expected;  /* for a refusal: "an absolute path"; NULL: any argument is valid */
	unsigned int commands; /* the commands that take it; 0: all */
	const char *help;
};

struct usage {
	const char *program;
	const char *synopsis[3]; /* one for each line; NULL ends them */
	const char *about;
	const struct usage_command *commands; /* NULL: the program has none */
	const struct usage_option *options;
};

#define USAGE_EXIT_STATUS "exit status: 0 success, 1 failure, 2 wrong usage" /* of all programs */

#define USAGE_LINE_SIZE 160

/* "-c, --config FILE", or "    --check" without a letter. Returns `out`. */
const char *usage_option_text(const struct usage_option *option, char out[USAGE_LINE_SIZE]);

/* A row of two columns. The left one is `width` characters wide; a longer text takes a line of its own. */
void usage_print_row(FILE *out, int width, const char *left, const char *right);
void usage_print_options(FILE *out, int width, const struct usage_option *options);

/* The whole text of --help. */
void usage_print(const struct usage *usage, FILE *out);

/* The two tables of getopt_long(). They need room: in `longs` for one element more than there are options,
 * in `shorts` for two characters for each option and one more. */
void usage_getopt(const struct usage_option *options, struct option *longs, char *shorts);
