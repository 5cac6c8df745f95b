/* SPDX-License-Identifier: GPL-2.0 */
/* Parses the command line into a command and its arguments, and prints help. Parser and help use the table of
 * commands in core/control/protocol.c. */
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
	enum command command; /* COMMAND_COUNT: none or unknown */
	const char *group;    /* print help for this group only, such as "backend"; NULL: for all commands */
	json_t *values;       /* arguments in the form of the protocol, without the content of files */
	char error[PROTOCOL_ERROR_SIZE];
};

/* 0, or -EINVAL with the reason in `error`. After an error, `json` and `command` have the values of the words before
 * the fault. The caller must call arguments_free() in both cases. */
int arguments_parse(int argc, char **argv, struct arguments *out);
void arguments_free(struct arguments *arguments);

/* "backend add POOL NAME ADDRESS [--weight N]" */
void arguments_print_synopsis(enum command command, FILE *out);

/* Prints help for the command, for the group, or for all commands. */
void arguments_print_help(const struct arguments *arguments, FILE *out);
