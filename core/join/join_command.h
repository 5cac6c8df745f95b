/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the command in a request, from JSON or from the parameters of a SIP header. No I/O. Private to join.c. */
#pragma once

#include "join.h"

enum join_action {
	JOIN_NONE,
	JOIN_START,
	JOIN_HEARTBEAT,
	JOIN_SHUTDOWN,
	JOIN_STOP,
	JOIN_BLOCK, /* this action and the next two are for the guard */
	JOIN_TRUST,
	JOIN_UNBLOCK,
};

#define JOIN_NOT_GIVEN (-1)

struct join_command {
	enum join_action action;
	char pool[NAME_SIZE]; /* "": not given, like all members below */
	char name[NAME_SIZE];
	struct address address; /* not given: all zero */
	int weight;             /* not given: JOIN_NOT_GIVEN */
	int load;               /* per cent; as above */
	struct join_ban ban;    /* of the last three actions */
	unsigned int seen;      /* a bit for each member of the request */
	uint64_t signed_at;
	bool is_shared; /* a different member of the group has received the request */
	struct join_answer fault;
};

/* Reads a request that was signed at `signed_at`. Stores any error in `fault`. */
void join_command_read(const struct join_request *request, uint64_t signed_at, struct join_command *command);

/* Builds an answer with its text in printable ASCII. */
struct join_answer join_answer(unsigned int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
