/* SPDX-License-Identifier: GPL-2.0 */
/* What a request to join asks for: its members, in JSON or as parameters of a SIP header, as values.
 * Pure; only join.c includes it. */
#pragma once

#include "join.h"

enum join_action {
	JOIN_NONE,
	JOIN_START,
	JOIN_HEARTBEAT,
	JOIN_SHUTDOWN,
	JOIN_STOP,
};

#define JOIN_NOT_GIVEN (-1)

struct join_command {
	enum join_action action;
	char pool[NAME_SIZE]; /* "": not said, as all that follows */
	char name[NAME_SIZE];
	struct address address; /* all zero */
	int weight;             /* JOIN_NOT_GIVEN */
	unsigned int seen;      /* a bit for each member */
	uint64_t signed_at;
	struct join_answer fault;
};

/* Reads a request, which was signed at that time; what is wrong with it becomes `fault`. */
void join_command_read(const struct join_request *request, uint64_t signed_at, struct join_command *command);

/* An answer in printable ASCII. */
struct join_answer join_answer(unsigned int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
