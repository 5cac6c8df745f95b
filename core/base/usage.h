/* SPDX-License-Identifier: GPL-2.0 */
/* Tables that describe the command line of a program. --help, the manual page and docs/reference/commands.md are
 * generated from them. No I/O. */
#pragma once

#include <getopt.h>
#include <stdio.h>

struct usage_command {
	unsigned int bit; /* for `commands` of an option */
	const char *name; /* NULL ends the table */
	const char *arguments;
	const char *help;
};

#define USAGE_LONG 256 /* this value and all above: options without a letter */

struct usage_option {
	int value;             /* the result of getopt_long(): the letter, or USAGE_LONG and above */
	const char *name;      /* without its dashes; NULL ends the table */
	const char *argument;  /* "FILE"; NULL: the option takes no argument */
	const char *expected;  /* for error messages: "an absolute path"; NULL: any argument is valid */
	unsigned int commands; /* the commands that accept the option; 0: all */
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

/* Prints a row of two columns. The left column is `width` characters wide; a longer text is printed on a separate
 * line. */
void usage_print_row(FILE *out, int width, const char *left, const char *right);
void usage_print_options(FILE *out, int width, const struct usage_option *options);

/* Prints the complete text of --help. */
void usage_print(const struct usage *usage, FILE *out);

/* Fills the two tables of getopt_long(). For n options, `longs` must have room for n + 1 elements, and `shorts` for
 * 2n + 1 characters. */
void usage_getopt(const struct usage_option *options, struct option *longs, char *shorts);
