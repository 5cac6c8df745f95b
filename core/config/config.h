/* SPDX-License-Identifier: GPL-2.0 */
/* The YAML file, read into a struct config or refused with every fault in it.
 * Owns the meaning of each key and its default. Pure: text in, value out. */
#pragma once

#include <stdio.h>
#include <net/if.h>
#include "core/net/address.h"
#include "faults.h"
#include "core/sip/host.h"
#include "core/net/prefix.h"

/* A host that names a backend in SIP: a name in lower case, or an address. */
struct config_hint {
	char host[HOST_SIZE];
	struct address address; /* that the host is; all zero: it is a name */
	uint16_t port;          /* host order; 0: whatever the port */
};

struct config_ports {
	uint16_t first, last; /* host order; 0, 0: none */
};

struct config_backend {
	char name[NAME_SIZE];
	struct address address;
	struct mac mac;   /* all zero: discover it */
	uint16_t weight;  /* 0 to MAX_WEIGHT; 0 takes no calls */
	uint8_t priority; /* 1 to MAX_PRIORITY; those of a higher number wait for the others to die */
	uint16_t group;   /* 1 + index into the pool's groups; 0: in none */
	struct config_hint *hints;
	size_t hint_count;
	struct config_ports ports;   /* of the VIPs of its services: its own */
	enum forward_method forward; /* FORWARD_NONE: its pool's */
	bool sets_admin;             /* the file has `admin:`, and a reload sets it */
	enum admin_state admin;
	struct position position;
};

#define MAX_PRIORITY 255

enum probe_type {
	PROBE_NONE,
	PROBE_OPTIONS,
	PROBE_REGISTER,
	PROBE_TCP, /* connects */
	PROBE_TLS, /* connects and shakes hands */
	PROBE_ICMP,
};

enum probe_transport {
	TRANSPORT_UDP,
	TRANSPORT_TCP,
	TRANSPORT_TLS,
};

#define STATUS_CODE_END 700 /* of SIP: 100 to 699 */

/* Times are ms. Texts are NULL where the file says nothing. */
struct config_probe {
	enum probe_type type;
	enum probe_transport transport; /* of OPTIONS and REGISTER */
	bool to_address;                /* the backend's own, not the VIP on it */
	uint16_t port;                  /* host order; 0: the service's */
	uint32_t interval;
	uint32_t timeout;
	unsigned int fall;                           /* so many failures in a row */
	unsigned int rise;                           /* so many successes in a row */
	uint8_t ok_codes[(STATUS_CODE_END + 7) / 8]; /* a bit for each status code that is a success */
	char *from;                                  /* URI of From and To */
	char *request_uri;                           /* NULL: sip:, user, the address that is asked */
	char *user;
	bool verify; /* the certificate */
	char *ca;    /* file of certificates; NULL: the system's */
	struct position ca_position;
	char *sni; /* the name asked for, and verified; NULL: none, the address is verified */
};

struct config_pool {
	char name[NAME_SIZE];
	enum forward_method forward;
	unsigned int min_alive; /* per cent, 0 to 100 */
	struct config_probe probe;
	uint32_t record_time;   /* ms that calls are recorded before a slot moves */
	uint32_t drain_timeout; /* ms until a slot that moves is settled */
	uint32_t slow_start;    /* ms; 0: a backend that returns has its whole weight at once */
	size_t probed_service;  /* index into config.services, see config_probed_service(); CONFIG_NO_SERVICE */
	char (*groups)[NAME_SIZE];
	size_t group_count;
	struct config_backend *backends;
	size_t backend_count;
	struct position position;
};

#define CONFIG_NO_POOL (-1)
#define CONFIG_NO_SERVICE ((size_t)-1)

struct config_service {
	char name[NAME_SIZE];
	struct address *vips;
	size_t vip_count;
	uint16_t port;      /* host order; 0 = every port */
	uint16_t last_port; /* of a range that begins with `port`; else the same */
	bool ping;          /* echo requests to the VIPs are answered */
	uint8_t protocol;   /* IPPROTO_UDP, IPPROTO_TCP */
	enum affinity affinity;
	size_t pool;               /* index into config.pools */
	int methods[METHOD_COUNT]; /* the same for a method that the file names; else CONFIG_NO_POOL */
	struct position position;
};

struct config_limits {
	uint32_t slots; /* a power of two */
	uint32_t pools;
	uint32_t services; /* each VIP of a service counts: it takes an entry of the services map */
	uint32_t backends;
	uint32_t tracked_calls;
};

/* Where servers may join by themselves: `join:`. */
struct config_join {
	struct address address;
	uint16_t port; /* host order; 0: nobody may */
	char *secret;
	struct prefix_key *from; /* networks that requests are taken from; none: see join_sources.h */
	size_t from_count;
	uint32_t node_timeout; /* ms of silence until a server is down; as long again, and it is forgotten */
};

struct config {
	char (*interfaces)[IFNAMSIZ];
	size_t interface_count;
	struct mac *macs; /* of frames for this machine, beside those that its interfaces have */
	size_t mac_count;
	uint64_t hash_key[2]; /* the 16 bytes of `hash_key:`, read as two big-endian numbers */
	struct config_limits limits;
	struct config_join join;
	struct config_service *services;
	size_t service_count;
	struct config_pool *pools;
	size_t pool_count;
};

/* Reads a file's text. Returns the configuration (config_free), or NULL with at
 * least one fault added; all faults of the text are reported, in its order. */
struct config *config_parse(const char *text, size_t length, struct faults *faults);

/* Puts a word in place of the secret of `join:`, with which config_parse refuses the file: for users
 * who may not read the file that it is from. */
void config_hide_secret(struct config *config);

/* Writes the configuration as YAML that config_parse reads back as equal. */
void config_write(const struct config *config, FILE *out);

/* The pool for requests of a method, METHOD_NONE for all that is no request. A pool for
 * INVITE has the rest of the call too, unless that is named itself: who sends a CANCEL
 * elsewhere than the INVITE loses the call. */
size_t config_pool_of_method(const struct config_service *service, enum method method);

/* As the file spells it. */
const char *config_affinity_name(enum affinity affinity);
const char *config_method_name(enum method method);

/* The other way round. 0 or -EINVAL. */
int config_method_find(const char *name, enum method *method);
const char *config_protocol_name(uint8_t protocol);
const char *config_probe_name(enum probe_type type);
const char *config_transport_name(enum probe_transport transport);
const char *config_forward_name(enum forward_method forward);
const char *config_admin_name(enum admin_state admin);

/* A name of a service, pool or backend: 1 to 63 of A-Z a-z 0-9 . _ - */
bool config_name_is_valid(const char *name);

/* Is this status code a success for the probe? */
bool config_code_is_ok(const struct config_probe *probe, unsigned int code);

/* The pool's group of a backend; NULL if it is in none. */
const char *config_group_name(const struct config_pool *pool, const struct config_backend *backend);

/* Does the service send anything to this pool (an index)? */
bool config_service_uses_pool(const struct config_service *service, size_t pool);

/* All pools that it sends something to, indexes in rising order. Returns how many. */
size_t config_service_pools(const struct config_service *service, size_t pools[METHOD_COUNT]);

/* The service whose VIP and port the probe of a pool asks: the first that uses the pool,
 * speaks the probe's protocol and has a port. If there is none, the first that uses it,
 * and the probe has a port of its own or needs none. NULL if no service uses it: there is
 * nobody to ask for. */
const struct config_service *config_probed_service(const struct config *config, const struct config_pool *pool);

/* Finders by name; NULL if there is none. */
struct config_pool *config_find_pool(const struct config *config, const char *name);
struct config_backend *config_find_backend(const struct config_pool *pool, const char *name);

/* A copy that shares nothing with the original. */
struct config *config_copy(const struct config *config);

void config_free(struct config *config);
