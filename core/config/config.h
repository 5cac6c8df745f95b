/* SPDX-License-Identifier: GPL-2.0 */
/* The configuration. Reads a YAML file into a struct config, or refuses the file and reports all errors in it.
 * Defines the meaning and default of each key. No I/O: text in, value out. */
#pragma once

#include <stdio.h>
#include <net/if.h>
#include "core/net/endpoint.h"
#include "config_guard.h"
#include "faults.h"
#include "core/sip/host.h"
#include "core/net/prefix.h"

/* A host that identifies a backend in SIP messages: an address, or a name in lower case. */
struct config_hint {
	char host[HOST_SIZE];
	struct address address; /* the host's address; all zero: the host is a name */
	uint16_t port;          /* host order; 0: any port */
};

struct config_ports {
	uint16_t first, last; /* host order; 0, 0: none */
};

/* Which backend receives a new call. */
enum balance_method {
	BALANCE_HASH,        /* the owner of the slot of its Call-ID */
	BALANCE_BOUNDED,     /* the owner, unless it has more calls than `bound` permits */
	BALANCE_LEAST_CALLS, /* the backend with the fewest calls for its weight */
	BALANCE_ROUND_ROBIN, /* each backend in turn */
};

struct config_backend {
	char name[NAME_SIZE];
	struct address address;
	struct mac mac;   /* all zero: the daemon discovers the MAC address */
	uint16_t weight;  /* 0 to MAX_WEIGHT; 0: no new calls */
	uint8_t priority; /* 1 to MAX_PRIORITY; backends with a higher number are standbys */
	uint16_t group;   /* 1 + index into the groups of the pool; 0: none */
	struct config_hint *hints;
	size_t hint_count;
	struct config_ports ports;   /* ports of the VIPs that are reserved for this backend */
	enum forward_method forward; /* FORWARD_NONE: the method of the pool */
	uint16_t port;               /* of a backend with FORWARD_NAT, host order; 0: the port of the pool */
	uint32_t max_calls;          /* 0: that of the pool */
	uint32_t max_rate;           /* 0: that of the pool */
	bool sets_admin;             /* the file has `admin:`; a reload then sets the admin state */
	enum admin_state admin;
	struct position position;
};

#define MAX_PRIORITY 255
#define CALL_RATE_MAX 1000000 /* initial INVITEs per second */

enum probe_type {
	PROBE_NONE,
	PROBE_OPTIONS,
	PROBE_REGISTER,
	PROBE_TCP, /* opens a connection */
	PROBE_TLS, /* opens a connection and completes a TLS handshake */
	PROBE_ICMP,
};

enum probe_transport {
	TRANSPORT_UDP,
	TRANSPORT_TCP,
	TRANSPORT_TLS,
};

#define STATUS_CODE_END 700 /* SIP has 100 to 699 */
#define STATUS_CODES_SIZE ((STATUS_CODE_END + 7) / 8)

/* Times are in ms. Texts that the file does not set are NULL. */
struct config_probe {
	enum probe_type type;
	enum probe_transport transport; /* of OPTIONS and REGISTER */
	bool to_address;                /* probe the backend's own address, not the VIP */
	uint16_t port;                  /* host order; 0: the port of the service */
	uint32_t interval;
	uint32_t timeout;
	unsigned int fall;                   /* consecutive failures until the backend is down */
	unsigned int rise;                   /* consecutive successes until the backend is up */
	uint8_t ok_codes[STATUS_CODES_SIZE]; /* the status codes that count as success: config_has_code() */
	char *from;                          /* URI of From and To */
	char *request_uri;                   /* NULL: sip:, user, and the probed address */
	char *user;
	bool verify; /* verify the certificate */
	char *ca;    /* file of certificates; NULL: the certificates of the system */
	struct position ca_position;
	char *sni;         /* the server name to send and verify; NULL: send none, verify the address */
	char *load_header; /* header of the response in which the server reports its load; NULL: none */
};

/* `passive:`, which observes the responses of the backends to clients. */
struct config_passive {
	bool is_set;
	unsigned int fall;                /* consecutive failures until the backend is down */
	uint8_t codes[STATUS_CODES_SIZE]; /* the status codes of failures: config_has_code() */
	uint32_t window;                  /* ms */
	unsigned int share;               /* of failures in the window, per cent */
	struct position position;
};

struct config_pool {
	char name[NAME_SIZE];
	enum forward_method forward;
	uint16_t port;                  /* of backends with FORWARD_NAT, host order; 0: the port of the service */
	uint16_t gue_port;              /* host order; of backends with FORWARD_GUE */
	struct prefix_key outer_source; /* of backends with FORWARD_IPIP; 0 bits: the address of the interface */
	unsigned int min_alive;         /* per cent, 0 to 100 */
	enum balance_method balance;
	unsigned int bound;      /* per cent of the share of a backend; for BALANCE_BOUNDED */
	uint32_t max_calls;      /* of each backend without its own; 0: no limit */
	uint32_t max_rate;       /* initial INVITEs per second, as above */
	unsigned int load_limit; /* per cent; 0: none */
	bool refuse_overload;    /* if all backends are full, new calls are refused with 503 */
	struct config_probe probe;
	struct config_passive passive;
	uint32_t record_time;             /* ms of the recording phase before a slot moves */
	uint32_t drain_timeout;           /* ms until the migration of a slot ends */
	uint32_t slow_start;              /* ms; 0: a returning backend has its full weight at once */
	struct config_rate backend_surge; /* initial INVITEs of all sources together, for each backend */
	size_t probed_service; /* index into config.services, or CONFIG_NO_SERVICE: see config_probed_service() */
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
	uint16_t port;         /* host order; 0: all ports */
	uint16_t last_port;    /* end of a range that begins with `port`; else equal to `port` */
	bool ping;             /* the balancer answers echo requests to the VIPs */
	bool message_counters; /* SIP messages are counted; only for UDP */
	uint8_t protocol;      /* IPPROTO_UDP, IPPROTO_TCP */
	enum affinity affinity;
	size_t pool;               /* index into config.pools */
	int methods[METHOD_COUNT]; /* pools of methods; CONFIG_NO_POOL: not in the file */
	struct config_service_guard guard;
	struct position position;
};

struct config_limits {
	uint32_t slots; /* a power of two */
	uint32_t pools;
	uint32_t services; /* each VIP of a service counts: it needs an entry in the services map */
	uint32_t backends;
	uint32_t tracked_calls;
	uint32_t counted_calls;
	uint32_t guarded_sources;
};

/* `join:`, which permits backends to join without a change to the file. */
struct config_join {
	struct endpoint listen; /* port 0: no `join:` */
	char *secret;
	struct prefix_key *from; /* networks whose requests are accepted; none: see core/join/join_sources.h */
	size_t from_count;
	bool guard;            /* servers may block and trust prefixes */
	uint32_t node_timeout; /* ms without a heartbeat until a backend is down; after twice this time the backend is
				  removed */
};

/* `metrics:`, which gives monitoring systems access to the state of the balancer over HTTP. */
struct config_metrics {
	struct endpoint listen; /* port 0: no `metrics:` */
};

/* `capture:`, which sends copies of SIP messages to a capture server. */
struct config_capture {
	struct endpoint to; /* port 0: no `capture:` */
	uint32_t id;        /* of this balancer at the capture server */
	uint32_t sample;    /* capture one of this many calls; 0 and 1: all */
	char *password;     /* NULL: none */
	char *node;         /* name of this balancer at the capture server; NULL: none */
};

/* When a backend is down for all members of a group of balancers. */
enum config_agree {
	AGREE_MAJORITY,
	AGREE_ANY,
	AGREE_OWN, /* each member decides by itself */
	AGREE_COUNT,
};

/* `group:`, which makes this balancer a member of a group that decides together (docs/design/group.md). */
struct config_membership {
	char name[NAME_SIZE]; /* "": no `group:` */
	char node[NAME_SIZE]; /* of this balancer */
	enum config_agree agree;
	uint32_t alone_after; /* ms */
};

struct config {
	char (*interfaces)[IFNAMSIZ];
	size_t interface_count;
	struct mac *macs; /* of this machine, in addition to the MAC addresses of its interfaces */
	size_t mac_count;
	uint64_t hash_key[2]; /* the 16 bytes of `hash_key:` as two big-endian numbers */
	struct config_limits limits;
	struct config_join join;
	struct config_metrics metrics;
	struct config_capture capture;
	struct config_membership group;
	struct config_guard guard;
	struct config_service *services;
	size_t service_count;
	struct config_pool *pools;
	size_t pool_count;
};

/* Reads the text of a file. Returns the configuration (free with config_free()), or NULL with at least one error.
 * Adds all errors in the text to `faults`, sorted by position. */
struct config *config_parse(const char *text, size_t length, struct faults *faults);

/* Replaces the secret of `join:` and the password of `capture:` with a word that config_parse() refuses. Use it
 * for output to users who may not read the file. */
void config_hide_secrets(struct config *config);

/* Writes the configuration as YAML. config_parse() of this text gives an equal configuration. */
void config_write(const struct config *config, FILE *out);

/* The pool for requests with this method; METHOD_NONE is for all other messages. The pool for INVITE also receives
 * the other requests of a call, unless the file names their method. A CANCEL must reach the same pool as its INVITE,
 * or the call breaks. */
size_t config_pool_of_method(const struct config_service *service, enum method method);

/* The names of these values in the file. */
const char *config_affinity_name(enum affinity affinity);
const char *config_method_name(enum method method);

/* The method with this name. 0 or -EINVAL. */
int config_method_find(const char *name, enum method *method);
const char *config_protocol_name(uint8_t protocol);
const char *config_probe_name(enum probe_type type);
const char *config_transport_name(enum probe_transport transport);
const char *config_forward_name(enum forward_method forward);
const char *config_admin_name(enum admin_state admin);
const char *config_balance_name(enum balance_method balance);
const char *config_agree_name(enum config_agree agree);

/* Is `name` a valid name of a service, pool or backend? Valid names have 1 to 63 characters from A-Z a-z 0-9 . _ - */
bool config_name_is_valid(const char *name);

/* Does the set contain this status code? */
bool config_has_code(const uint8_t codes[STATUS_CODES_SIZE], unsigned int code);

/* The name of the group of a backend; NULL if the backend has no group. */
const char *config_group_name(const struct config_pool *pool, const struct config_backend *backend);

/* Does the service use this pool (an index)? */
bool config_service_uses_pool(const struct config_service *service, size_t pool);

/* All pools that the service uses: indexes, ascending. Returns their number. */
size_t config_service_pools(const struct config_service *service, size_t pools[METHOD_COUNT]);

/* The service whose VIP and port the probe of a pool uses: the first service that uses the pool, has the protocol of
 * the probe and has a port. If there is no such service, the first service that uses the pool; the probe then has
 * its own port or needs no port. NULL if no service uses the pool, so that there is no VIP to probe. */
const struct config_service *config_probed_service(const struct config *config, const struct config_pool *pool);

/* Look-ups by name; NULL if there is none. */
struct config_pool *config_find_pool(const struct config *config, const char *name);
struct config_backend *config_find_backend(const struct config_pool *pool, const char *name);

/* How packets reach a backend: by its own `forward:`, or by that of its pool. */
enum forward_method config_backend_forward(const struct config_pool *pool, const struct config_backend *backend);

/* Does a service of this pool (an index) have the protocol and affinity with which the program counts calls? */
bool config_pool_is_counted(const struct config *config, size_t pool);

/* The limit of the live calls of a backend: its own `max_calls:`, or that of its pool; 0: none. */
uint32_t config_backend_max_calls(const struct config_pool *pool, const struct config_backend *backend);

/* Its limit of initial INVITEs per second, from `max_rate:`; 0: none. */
uint32_t config_backend_max_rate(const struct config_pool *pool, const struct config_backend *backend);

/* A deep copy. */
struct config *config_copy(const struct config *config);

void config_free(struct config *config);
