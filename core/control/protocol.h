/* SPDX-License-Identifier: GPL-2.0 */
/* What sipxdp-ctl and sipxdpd say to each other: one line of JSON per request, one
 * per reply, as many after one another on a connection as the client likes.
 *
 *   {"command": "backend weight", "arguments": {"pool": "proxies", "backend": "px1", "weight": 3}}
 *   {"ok": true, "result": ...}
 *   {"ok": false, "error": "message", "faults": [{"line": 3, "column": 7, "message": "..."}], "path": "..."}
 *
 * Owns the table of commands, which both sides use: sipxdp-ctl for its help and its
 * command line, sipxdpd to check what it is sent. Pure. Trusts nothing that it reads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>
#include "core/net/address.h"
#include "core/config/faults.h"

#define PROTOCOL_SOCKET "/run/sipxdp/ctl.sock"
#define PROTOCOL_REQUEST_MAX                                                                                           \
	((size_t)16 << 20) /* bytes of a request without its newline: room for a large file to plan */
#define PROTOCOL_REPLY_MAX ((size_t)64 << 20) /* likewise of a reply: room for a list of MAX_BACKENDS */
#define PROTOCOL_LIST_MAX 1024                /* texts in one list; whoever has more sends more requests */
#define PROTOCOL_ERROR_SIZE 256
#define PROTOCOL_NOT_GIVEN (-1) /* a number that was left out */

enum command {
	COMMAND_STATUS,
	COMMAND_SERVICE_LIST,
	COMMAND_POOL_LIST,
	COMMAND_POOL_FINISH,
	COMMAND_BACKEND_LIST,
	COMMAND_BACKEND_CALLS,
	COMMAND_BACKEND_ADD,
	COMMAND_BACKEND_REMOVE,
	COMMAND_BACKEND_DRAIN,
	COMMAND_BACKEND_READY,
	COMMAND_BACKEND_MAINT,
	COMMAND_BACKEND_WEIGHT,
	COMMAND_LOOKUP,
	COMMAND_PLAN,
	COMMAND_RELOAD,
	COMMAND_SAVE,
	COMMAND_STATS,
	COMMAND_COUNT,
};

enum argument_type {      /* in JSON          in struct request */
	ARGUMENT_NAME,    /* string           const char *: config_name_is_valid says yes */
	ARGUMENT_ADDRESS, /* string           struct address: address_is_host says yes */
	ARGUMENT_NUMBER,  /* integer          int, `minimum` to `maximum` */
	ARGUMENT_TEXT,    /* string           const char * */
	ARGUMENT_SWITCH,  /* true or false    bool */
	ARGUMENT_LIST,    /* list of strings  struct text_list, 1 to PROTOCOL_LIST_MAX of them, none empty */
};

enum argument_use {
	ARGUMENT_REQUIRED, /* a word on the command line */
	ARGUMENT_OPTIONAL, /* a last word that may be left out */
	ARGUMENT_FLAG,     /* --name VALUE, of a switch --name; may be left out */
	ARGUMENT_CONTENTS, /* required, but no word: the contents of the file that the argument before it names */
};

struct protocol_argument {
	const char *name;        /* in JSON and, of a flag, on the command line; NULL ends a command's arguments */
	const char *placeholder; /* in the help */
	enum argument_type type;
	enum argument_use use;
	int minimum;
	int maximum;
	size_t offset; /* of its member of struct request */
	const char *help;
};

#define PROTOCOL_ARGUMENTS 10

struct protocol_command {
	const char *words; /* "backend add" */
	const char *help;  /* one line */
	struct protocol_argument arguments[PROTOCOL_ARGUMENTS + 1];
};

extern const struct protocol_command protocol_commands[COMMAND_COUNT];

struct text_list {
	const char **items;
	size_t count;
};

/* A request that was found to be right. What its command has no argument for, or the
 * client left out, is NULL, PROTOCOL_NOT_GIVEN or empty. */
struct request {
	enum command command;
	bool is_root; /* the server says so, never the client */
	const char *service;
	const char *pool;
	const char *backend;
	struct address address;
	int weight;
	int priority;
	int wait; /* seconds; the client does it */
	bool drain;
	bool move_calls;
	const char *method;
	const char *source, *via, *route, *request_uri; /* of a packet, for a lookup */
	const char *hints;                              /* with commas between them */
	const char *ports, *mac, *group, *forward;
	struct text_list call_ids;
	const char *path; /* of the file whose text follows, as the client calls it; for messages only */
	const char *text;
	json_t *json; /* owns the texts */
};

/* Finds a command by its words: COMMAND_COUNT if there is none. */
enum command protocol_find(const char *words);

/* Reads one line, without its newline. 0, and the request is to be given to
 * protocol_request_free; or -EINVAL, and `error` says what is wrong with it. */
int protocol_parse_request(const char *line, size_t length, struct request *out, char error[PROTOCOL_ERROR_SIZE]);

/* The same for a request that is JSON already. Takes the reference in every case. */
int protocol_check_request(json_t *json, struct request *out, char error[PROTOCOL_ERROR_SIZE]);

void protocol_request_free(struct request *request);

/* Builds a request; takes the reference to `arguments`. NULL when memory is out. */
json_t *protocol_request(enum command command, json_t *arguments);

/* Build a reply; the first takes the reference to `result`, the second's `faults` may
 * be NULL. Both return NULL when memory is out, the first also for a NULL result. */
json_t *protocol_ok(json_t *result);
json_t *protocol_error(const struct faults *faults, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string of any bytes: where they are not UTF-8, those beyond ASCII become '?'. */
json_t *protocol_text(const char *bytes);

/* The line of a request or reply with its newline, to be freed, and its length without
 * the closing NUL. NULL when memory is out. */
char *protocol_encode(const json_t *json, size_t *length);

/* A reply as the client reads it; members are borrowed from `json`. */
struct reply {
	json_t *json;
	json_t *result;    /* NULL: the daemon says no */
	const char *error; /* why; NULL if it says yes */
	json_t *faults;    /* a list, perhaps empty; NULL if it says yes */
	const char *path;  /* of the daemon's file that they are in; NULL if it is the client's, or none */
};

/* Reads one line, without its newline. 0, or -EPROTO for what is no reply. */
int protocol_parse_reply(const char *line, size_t length, struct reply *out);
void protocol_reply_free(struct reply *reply);
