/* SPDX-License-Identifier: GPL-2.0 */
/* Servers that join a pool by themselves, keep themselves there and leave: reads what
 * they say, decides whether it is believed and done, and knows when each was last heard
 * of. Pure: the clocks and the signature that would be right are passed in. */
#pragma once

#include "core/farm/farm.h"
#include "core/sip/span.h"

#define JOIN_REQUEST_MAX 4096 /* bytes of a request */
#define JOIN_SIGNED_MAX (JOIN_REQUEST_MAX + 32)
#define JOIN_SIGNATURE_SIZE 32
#define JOIN_WINDOW 30 /* seconds that the two clocks may be apart */

/* A request as it has come; nothing in it is believed yet. The signature is that of the
 * time, a newline, and the text (HMAC-SHA256, RFC 2104). */
struct join_request {
	struct span text;
	struct span time;      /* when it was signed: digits, seconds since the epoch */
	struct span signature; /* 64 hex digits, small letters */
	bool is_json;          /* else parameters: "action=start; pool=proxies; ..." */
};

/* Status codes mean the same in HTTP and SIP: 200, 400, 401, 404, 409, 503. */
struct join_answer {
	unsigned int status;
	bool authentic;             /* the request was signed with the secret */
	bool changed;               /* the farm */
	char text[FARM_ERROR_SIZE]; /* printable ASCII */
};

struct join_clocks {
	uint64_t seconds; /* since the epoch */
	uint64_t ms;      /* listened (listening.h); not 0 */
};

struct join;

struct join *join_new(void);
void join_free(struct join *join);

/* Writes what a request's signature is to be of; returns the length. */
size_t join_signed(const struct join_request *request, char out[JOIN_SIGNED_MAX]);

/* Takes a request. `signature` is the one that it must have. */
struct join_answer join_take(struct join *join, struct farm *farm, const struct image *running,
	const struct join_request *request, const uint8_t signature[JOIN_SIGNATURE_SIZE], struct join_clocks clocks);

/* Notes in the farm who has been silent for node_timeout; true if it has changed. Whoever
 * was not heard of before, after a restart, counts as just heard of. */
bool join_look(struct join *join, struct farm *farm, uint64_t ms);

/* The same for another farm, of which nothing is remembered. */
void join_mark(const struct join *join, struct farm *farm, uint64_t ms);

/* Counts all that are not silent yet as just heard of: after a time in which nothing could be heard
 * of them, and in which they may have given a heartbeat up. */
void join_forgive(struct join *join, const struct farm *farm, uint64_t ms);

/* A backend that has been silent for twice that and is to be removed; NULL if there is none. A
 * backend stays while it is undecided whether it is dead. All stay where a pool fails open and has
 * no backend that is up: then it is the balancer that receives nothing. */
const struct farm_backend *join_forgotten(const struct join *join, const struct farm *farm, uint64_t ms);
