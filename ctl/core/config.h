/* SPDX-License-Identifier: GPL-2.0 */
/* The YAML file, read into a struct config or refused with every fault in it.
 * Owns the meaning of each key and its default. Pure: text in, value out. */
#pragma once

#include <stdio.h>
#include <net/if.h>
#include "address.h"
#include "faults.h"

struct config_backend {
	char name[NAME_SIZE];
	struct address address;
	struct mac mac;  /* all zero: discover it */
	uint16_t weight; /* 0 to MAX_WEIGHT; 0 takes no calls */
	struct mark mark;
};

struct config_pool {
	char name[NAME_SIZE];
	enum forward_method forward;
	unsigned int min_alive; /* per cent, 0 to 100 */
	struct config_backend *backends;
	size_t backend_count;
	struct mark mark;
};

#define CONFIG_NO_POOL (-1)

struct config_service {
	char name[NAME_SIZE];
	struct address *vips;
	size_t vip_count;
	uint16_t port;    /* host order; 0 = every port */
	uint8_t protocol; /* IPPROTO_UDP, IPPROTO_TCP */
	enum affinity affinity;
	size_t pool;               /* index into config.pools */
	int methods[METHOD_COUNT]; /* the same for a method that the file names; else CONFIG_NO_POOL */
	struct mark mark;
};

struct config_limits {
	uint32_t slots; /* a power of two */
	uint32_t pools;
	uint32_t services; /* each VIP of a service counts: it takes an entry of the services map */
	uint32_t backends;
};

struct config {
	char (*interfaces)[IFNAMSIZ];
	size_t interface_count;
	uint64_t hash_key[2]; /* the 16 bytes of `hash_key:`, read as two big-endian numbers */
	struct config_limits limits;
	struct config_service *services;
	size_t service_count;
	struct config_pool *pools;
	size_t pool_count;
};

/* Reads a file's text. Returns the configuration (config_free), or NULL with at
 * least one fault added; all faults of the text are reported, in its order. */
struct config *config_parse(const char *text, size_t length, struct faults *faults);

/* Writes the configuration as YAML that config_parse reads back as equal. */
void config_write(const struct config *config, FILE *out);

/* The pool for requests of a method, METHOD_NONE for all that is no request. A pool for
 * INVITE has the rest of the call too, unless that is named itself: who sends a CANCEL
 * elsewhere than the INVITE loses the call. */
size_t config_pool_of_method(const struct config_service *service, enum method method);

/* As the file spells it. */
const char *config_affinity_name(enum affinity affinity);
const char *config_method_name(enum method method);
const char *config_protocol_name(uint8_t protocol);

/* A name of a service, pool or backend: 1 to 63 of A-Z a-z 0-9 . _ - */
bool config_name_is_valid(const char *name);

/* Finders by name; NULL if there is none. */
struct config_pool *config_find_pool(const struct config *config, const char *name);
struct config_backend *config_find_backend(const struct config_pool *pool, const char *name);

void config_free(struct config *config);
