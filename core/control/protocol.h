/* SPDX-License-Identifier: GPL-2.0 */
/* The protocol between sipxdp-ctl and sipxdpd: one line of JSON for a request and one for its reply. A connection
 * may carry any number of requests, one after the other.
 *
 *   {"command": "backend weight", "arguments": {"pool": "proxies", "backend": "px1", "weight": 3}}
 *   {"ok": true, "result": ...}
 *   {"ok": false, "error": "message", "faults": [{"line": 3, "column": 7, "message": "..."}], "path": "..."}
 *
 * Owns the table of commands. sipxdp-ctl uses it for its help and command line, and sipxdpd to check requests. No I/O.
 * All input is untrusted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <jansson.h>
#include "core/net/prefix.h"
#include "core/config/faults.h"

#define PROTOCOL_SOCKET "/run/sipxdp/ctl.sock"
#define PROTOCOL_REQUEST_MAX                                                                                           \
	((size_t)16 << 20) /* bytes of a request without its newline: room for a large file for `plan` */
#define PROTOCOL_REPLY_MAX ((size_t)64 << 20) /* bytes of a reply: room for a list of MAX_BACKENDS */
#define PROTOCOL_LIST_MAX 1024 /* strings in one list; for more strings, a client sends several requests */
#define PROTOCOL_ERROR_SIZE 256
#define PROTOCOL_NOT_GIVEN (-1) /* a number that the request omits */

enum command {
	COMMAND_STATUS,
	COMMAND_HEALTH,
	COMMAND_AWAY,
	COMMAND_BACK,
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
	COMMAND_GROUP,
	COMMAND_LOOKUP,
	COMMAND_EXPLAIN,
	COMMAND_PLAN,
	COMMAND_RELOAD,
	COMMAND_SAVE,
	COMMAND_STATS,
	COMMAND_TOP,
	COMMAND_TOP_SOURCES,
	COMMAND_TRACE,
	COMMAND_LOG_LEVEL,
	COMMAND_GUARD_STATS,
	COMMAND_GUARD_TOP,
	COMMAND_GUARD_LIST,
	COMMAND_GUARD_RELOAD,
	COMMAND_GUARD_BLOCK,
	COMMAND_GUARD_TRUST,
	COMMAND_GUARD_UNBLOCK,
	COMMAND_GUARD_WHY,
	COMMAND_GUARD_TEST,
	COMMAND_COUNT,
};

enum argument_type {      /* in JSON          in struct request */
	ARGUMENT_NAME,    /* string           const char *, valid for config_name_is_valid() */
	ARGUMENT_ADDRESS, /* string           struct address, valid for address_is_host() */
	ARGUMENT_PREFIX,  /* string           struct prefix_key */
	ARGUMENT_TIME,    /* string           uint32_t, ms, more than 0 */
	ARGUMENT_NUMBER,  /* integer          int, `minimum` to `maximum` */
	ARGUMENT_TEXT,    /* string           const char * */
	ARGUMENT_SWITCH,  /* true or false    bool */
	ARGUMENT_LIST,    /* list of strings  struct text_list, 1 to PROTOCOL_LIST_MAX non-empty strings */
};

enum argument_use {
	ARGUMENT_REQUIRED, /* a word on the command line */
	ARGUMENT_OPTIONAL, /* the last word; may be omitted */
	ARGUMENT_FLAG,     /* --name VALUE, or --name for a switch; may be omitted */
	ARGUMENT_CONTENTS, /* required; not a word of the command line, but the contents of the file that the previous
			      argument names */
};

struct protocol_argument {
	const char *name; /* in JSON and, for a flag, on the command line; NULL ends the arguments of a command */
	const char *placeholder; /* in the help text */
	enum argument_type type;
	enum argument_use use;
	int minimum;
	int maximum;
	size_t offset; /* of its member of struct request */
	const char *help;
};

#define PROTOCOL_ARGUMENTS 16

struct protocol_command {
	const char *words; /* "backend add" */
	const char *help;  /* one line */
	struct protocol_argument arguments[PROTOCOL_ARGUMENTS + 1];
	bool is_local; /* sipxdp-ctl implements the command by means of other commands; sipxdpd refuses it */
};

extern const struct protocol_command protocol_commands[COMMAND_COUNT];

struct text_list {
	const char **items;
	size_t count;
};

/* A valid request. Members that the command does not use, and members that the client omits, are NULL,
 * PROTOCOL_NOT_GIVEN or empty. */
struct request {
	enum command command;
	bool is_root; /* the daemon sets this member and the next four; a client cannot set them */
	uid_t uid;
	pid_t pid;
	const char *user, *node; /* of a change from a group of balancers: names of the user and of the member that has
				    received the request; NULL: a client of this daemon */
	const char *service;
	const char *pool;
	const char *backend;
	struct address address;
	int weight;
	int priority;
	int port;
	int max_calls, max_rate;
	int wait; /* seconds; the client waits */
	int seconds;
	bool rate, watch; /* options of `stats`; the client repeats the request */
	bool forwarding;  /* option of `health` */
	bool drain;
	bool move_calls;
	bool force;
	bool all; /* members of the group */
	const char *method;
	const char *source, *via, *route, *request_uri, *tag; /* of a message, for `lookup` */
	const char *destination;                              /* of a message, for `explain` */
	const char *hints;                                    /* separated by commas */
	const char *ports, *mac, *group, *forward;
	struct text_list call_ids;
	const char *path; /* the client's name of the file in `text`; for messages only */
	const char *text;
	const char *level;
	struct {
		struct prefix_key prefix;
		uint32_t time; /* ms; 0: not given */
		const char *reason;
	} guard;
	struct {
		struct text_list call_ids, from, to, sources, methods, services, backends, verdicts;
		const char *pcap; /* only the client uses this member and the next four; with pcap, hep or body it needs
				     the frames */
		const char *hep;
		bool body;
		int count;
		int seconds;
	} trace;
	json_t *json; /* owns the strings */
};

/* The command with these words; COMMAND_COUNT if there is no such command. */
enum command protocol_find(const char *words);

/* Reads one line without its newline. Returns 0 and a request to be freed with protocol_request_free(),
 * or -EINVAL with the reason in `error`. */
int protocol_parse_request(const char *line, size_t length, struct request *out, char error[PROTOCOL_ERROR_SIZE]);

/* The same for a parsed request. Takes the reference to `json`, even on failure. */
int protocol_check_request(json_t *json, struct request *out, char error[PROTOCOL_ERROR_SIZE]);

void protocol_request_free(struct request *request);

/* Builds a request. Takes the reference to `arguments`. NULL if there is no memory. */
json_t *protocol_request(enum command command, json_t *arguments);

/* Build a reply. protocol_ok() takes the reference to `result`, and returns NULL if it is NULL. The
 * `faults` of protocol_error() may be NULL. Both return NULL if there is no memory. */
json_t *protocol_ok(json_t *result);
json_t *protocol_error(const struct faults *faults, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string from arbitrary bytes. If they are not UTF-8, each byte outside ASCII becomes '?'. */
json_t *protocol_text(const char *bytes);

/* The line of a request or reply with its newline, to be freed, and its length without the
 * terminating NUL. NULL if there is no memory. */
char *protocol_encode(const json_t *json, size_t *length);

/* The text of a result as `sipxdp-ctl --json` prints it: indented ASCII, which the caller must free. NULL if there is
 * no memory. */
#define PROTOCOL_JSON_FLAGS (JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(10))
char *protocol_print(const json_t *json);

/* A reply, for the client. `json` owns all other members. */
struct reply {
	json_t *json;
	json_t *result;    /* NULL: the daemon refused the request */
	const char *error; /* the reason of the refusal; NULL after success */
	json_t *faults;    /* a list, possibly empty; NULL after success */
	const char
		*path; /* the daemon's file that has the faults; NULL: the client's file has them, or there are none */
};

/* Reads one line without its newline. 0, or -EPROTO if it is not a reply. */
int protocol_parse_reply(const char *line, size_t length, struct reply *out);
void protocol_reply_free(struct reply *reply);
