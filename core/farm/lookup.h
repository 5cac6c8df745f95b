/* SPDX-License-Identifier: GPL-2.0 */
/* Finds the backend for a packet. Uses the code of the packet path and the contents of the maps, not the configuration
 * file. No I/O. */
#pragma once

#include <stdint.h>
#include "core/sip/host.h"
#include "core/maps/image.h"

/* --- Keys: hashes; the low bits are the slot */

/* The key of a Call-ID. 0, or -EINVAL if it is empty or contains white space, which ends a Call-ID in a message. */
int lookup_call_id(const char *call_id, const uint64_t hash_key[2], uint64_t *hash);

/* The key of a user, given as a sip, sips or tel URI or as the user part alone. 0, or -EINVAL if there is no user. */
int lookup_user(const char *user, const uint64_t hash_key[2], uint64_t *hash);

/* --- Packets */

/* The known parts of a packet; NULL: unknown. */
struct lookup_question {
	const char *service;
	const char *method;      /* of a request */
	const char *source;      /* "192.0.2.1:5060" */
	const char *via;         /* host of the topmost Via of a response: "px1.example.net:5062" */
	const char *route;       /* host of the topmost Route of a request */
	const char *request_uri; /* host of its Request-URI */
	const char *tag;         /* tag of the recipient: in the To of a request, in the From of a response */
};

struct lookup {
	const struct image *image;
	struct service_key key; /* has a VIP of the source's address family */
	struct service service;
	uint32_t pool;
	bool has_source;
	struct address source;
	uint16_t source_port; /* host order */
	const char *named_by; /* "via", "route", "request-uri" or "tag"; NULL: the packet names no live backend */
	uint16_t named;       /* the named backend */
};

#define LOOKUP_ERROR_SIZE 256

/* Interprets the question. 0, or -ENOENT (no such service) or -EINVAL, with the reason. */
int lookup_open(struct lookup *lookup, const struct image *image, const struct lookup_question *question,
	char error[LOOKUP_ERROR_SIZE]);

/* The affinity key of a packet: from the Call-ID or user in `text`, or from the packet's source if `text` is NULL.
 * 0, or -EINVAL with the reason. */
int lookup_key(const struct lookup *lookup, const char *text, uint64_t *hash, const char **reason);

/* The slot of a key, and the key under which a migration tracks the call or, for TCP, the connection. */
uint32_t lookup_slot(const struct lookup *lookup, uint64_t hash);
uint64_t lookup_tracked_key(const struct lookup *lookup, uint64_t hash);

/* The backends for packets of a key. `backend` receives the first packet of a call, `previous` receives the other
 * packets. `tracked` is the backend of the tracked call in the maps; 0: the call is not tracked. */
struct lookup_owner {
	uint16_t backend;
	uint16_t previous;
};

struct lookup_owner lookup_owner(const struct lookup *lookup, uint64_t hash, uint16_t tracked);
