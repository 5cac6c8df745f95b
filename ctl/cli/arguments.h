/* SPDX-License-Identifier: GPL-2.0 */
/* Owns the command line: from its words to a command and its arguments, and its help.
 * All of it follows from the protocol's table of commands. */
#pragma once

#include <stdio.h>
#include "core/control/protocol.h"

enum arguments_wish {
	ARGUMENTS_RUN,
	ARGUMENTS_HELP,
	ARGUMENTS_VERSION,
};

struct arguments {
	enum arguments_wish wish;
	const char *socket;
	const char *pin_directory;
	bool json;
	enum command command; /* COMMAND_COUNT: none, or not known */
	const char *group;    /* to help with, "backend"; NULL: all of them */
	json_t *values;       /* of the command's arguments, as the protocol has them; a file's contents not yet */
	char error[PROTOCOL_ERROR_SIZE];
};

/* 0, or -EINVAL for what cannot be understood: `error` says why, and `json` and
 * `command` are right as far as they could be told. arguments_free in either case. */
int arguments_parse(int argc, char **argv, struct arguments *out);
void arguments_free(struct arguments *arguments);

/* "backend add POOL NAME ADDRESS [--weight N]" */
void arguments_print_synopsis(enum command command, FILE *out);

/* Help with the command, group, or all commands that were asked about. */
void arguments_print_help(const struct arguments *arguments, FILE *out);
