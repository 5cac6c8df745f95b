/* SPDX-License-Identifier: GPL-2.0 */
/* Servers that join a pool, send heartbeats and leave by themselves. Reads their requests, authenticates them,
 * applies them to the farm, and records the heartbeats. No I/O: the caller passes the clocks and the correct
 * signature. */
#pragma once

#include "bpf/abi_guard.h"
#include "core/farm/farm.h"
#include "core/sip/span.h"

#define JOIN_REQUEST_MAX 4096 /* bytes of a request */
#define JOIN_SIGNED_MAX (JOIN_REQUEST_MAX + 32)
#define JOIN_SIGNATURE_SIZE 32
#define JOIN_WINDOW 30 /* tolerated difference of the two clocks, s */

/* A received request, not yet authenticated. The signature covers the time, a newline and the text (HMAC-SHA256, RFC
 * 2104). */
struct join_request {
	struct span text;
	struct span time;      /* time of the signature: decimal digits, seconds since the epoch */
	struct span signature; /* 64 lower-case hex digits */
	bool is_json;          /* false: the text has the form "action=start; pool=proxies; ..." */
};

/* The change of the guard that a server requests (`join: guard: true`). */
enum join_ban_action {
	JOIN_BAN_NONE,
	JOIN_BAN_BLOCK,
	JOIN_BAN_TRUST,
	JOIN_BAN_UNBLOCK,
};

struct join_ban {
	enum join_ban_action action;
	struct prefix_key prefix;
	uint32_t time; /* ms */
	char server[NAME_SIZE];
	char service[NAME_SIZE]; /* "": all services */
	char reason[GUARD_REASON_SIZE];
};

/* The status codes have the same meaning in HTTP and SIP: 200, 400, 401, 404, 409, 503. */
struct join_answer {
	unsigned int status;
	bool repeated;                    /* nothing was done, because a different member has shared this request */
	bool authentic;                   /* the signature and its time are valid, and the request is not a replay */
	bool changed;                     /* the farm has changed */
	bool shared;                      /* the other members of a group of balancers need the request, too */
	const struct farm_backend *alive; /* the request is refused, but the other members need to know that this server
					     is alive; or NULL */
	struct join_ban ban;              /* an accepted request that the caller must carry out, and answer itself */
	char text[FARM_ERROR_SIZE];       /* printable ASCII */
};

struct join_clocks {
	uint64_t seconds; /* since the epoch */
	uint64_t ms;      /* of the clock in listening.h; never 0 */
};

struct join;

struct join *join_new(void);
void join_free(struct join *join);

/* Writes the text that the signature of a request covers; returns its length. */
size_t join_signed(const struct join_request *request, char out[JOIN_SIGNED_MAX]);

/* Authenticates and applies a request. `signature` is the correct signature of the request. */
struct join_answer join_handle_request(struct join *join, struct farm *farm, const struct image *running,
	const struct join_request *request, const uint8_t signature[JOIN_SIGNATURE_SIZE], struct join_clocks clocks);

/* Applies a request that a different member of the group of balancers has authenticated at `signed_at`, seconds since
 * the epoch. If the request has a signature, this member does not apply the same request again. */
struct join_answer join_handle_shared(struct join *join, struct farm *farm, const struct image *running,
	const struct join_request *request, uint64_t signed_at, struct join_clocks clocks);

/* Marks joined backends as silent after node_timeout without a heartbeat. Returns true if a mark changed. After a
 * restart of the daemon, the time without heartbeats starts at 0 for each backend. */
bool join_update_silence(struct join *join, struct farm *farm, uint64_t ms);

/* Sets the same marks in a different farm, for a preview. */
void join_copy_silence(const struct join *join, struct farm *farm, uint64_t ms);

/* Restarts the time without heartbeats for all backends that are not marked as silent. Call it after a period in
 * which the balancer could not receive: servers may have stopped retrying their heartbeats. */
void join_restart_silence(struct join *join, const struct farm *farm, uint64_t ms);

/* The balancer could not receive heartbeats until now: the silence of all backends that are not marked as silent counts
 * from now. */
void join_excuse_silence(struct join *join, const struct farm *farm, uint64_t ms);

/* The load in the last heartbeat of the backend, per cent; JOIN_NO_LOAD if it reports none, or after node_timeout
 * without a heartbeat. */
#define JOIN_NO_LOAD (-1)
int join_load(const struct join *join, const struct farm *farm, const struct farm_backend *backend, uint64_t ms);

/* Returns a backend that must be removed after twice node_timeout without a heartbeat; NULL if there is none. `ms` may
 * be earlier than now. Returns a backend that remains again after node_timeout. Never returns a suspected backend
 * (`held` in outage.h). If a pool fails open and none of its backends is up, no backend of the pool is returned: the
 * failure is then probably on the balancer's side. */
const struct farm_backend *join_find_expired(struct join *join, const struct farm *farm, uint64_t ms);
