/* SPDX-License-Identifier: GPL-2.0 */
/* Which backend gets a packet, by the packet path's own code and by what the maps hold: no file is
 * asked. Pure. */
#pragma once

#include <stdint.h>
#include "core/sip/host.h"
#include "core/maps/image.h"

/* --- keys: hashes whose low bits are the slot */

/* Of a message with this Call-ID. 0, or -EINVAL for what cannot be one: it is empty, or
 * there is white space in it, where it would end in a message. */
int lookup_call_id(const char *call_id, const uint64_t hash_key[2], uint64_t *hash);

/* Of a message to or from this user: a sip, sips or tel URI, or only the user part of one.
 * 0, or -EINVAL where there is no user. */
int lookup_user(const char *user, const uint64_t hash_key[2], uint64_t *hash);

/* --- packets */

/* What is known of a packet. Texts are NULL where nothing is said. */
struct lookup_question {
	const char *service;
	const char *method;      /* of a request */
	const char *source;      /* "192.0.2.1:5060" */
	const char *via;         /* host of the topmost Via of a response, "px1.example.net:5062" */
	const char *route;       /* host of the topmost Route of a request */
	const char *request_uri; /* host of its Request-URI */
};

struct lookup {
	const struct image *image;
	struct service_key key; /* of a VIP of the service, of the family of the source */
	struct service service;
	uint32_t pool;
	bool has_source;
	struct address source;
	uint16_t source_port; /* host order */
	const char *named_by; /* "via", "route" or "request-uri"; NULL: no living backend is named */
	uint16_t named;       /* that backend */
};

#define LOOKUP_ERROR_SIZE 256

/* Understands a question. 0, or -ENOENT (no such service) or -EINVAL with the reason in words. */
int lookup_open(struct lookup *lookup, const struct image *image, const struct lookup_question *question,
	char error[LOOKUP_ERROR_SIZE]);

/* The affinity key of a packet with this Call-ID or user; of its source if `text` is NULL. 0, or -EINVAL
 * with the reason. */
int lookup_key(const struct lookup *lookup, const char *text, uint64_t *hash, const char **reason);

/* The slot of a key, and the key by which a migration tracks its call: for TCP that of the connection. */
uint32_t lookup_slot(const struct lookup *lookup, uint64_t hash);
uint64_t lookup_tracked_key(const struct lookup *lookup, uint64_t hash);

/* Which backends get packets of a key: one that begins something, and one of a call that is up already.
 * `tracked` is the backend of the call by the maps, 0: it is not tracked. */
struct lookup_owner {
	uint16_t backend;
	uint16_t previous;
};

struct lookup_owner lookup_owner(const struct lookup *lookup, uint64_t hash, uint16_t tracked);
