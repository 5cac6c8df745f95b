/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the files of this layer and by its tests. Other layers must not include it. */
#pragma once

#include "unique_claims.h"
#include "config.h"
#include "core/base/duration.h"
#include "yaml_reader.h"

/* A backend with `ports:`. */
struct port_owner {
	size_t pool;
	const struct config_backend *backend;
	struct position position;
};

/* A backend with a hint that is an address, but not the address of the backend. */
struct hint_owner {
	size_t pool;
	const struct config_backend *backend;
	const struct config_hint *hint;
	struct position position;
};

/* The state of the reader while it reads a file. */
struct parse {
	struct config *config;
	struct claims claims;
	const struct config_pool **pools_by_name;
	struct port_owner *port_owners; /* sorted by pool */
	size_t port_owner_count;
	struct hint_owner *hint_owners;
	size_t hint_owner_count;
	size_t pool;          /* index of the pool that is being read */
	size_t backend_count; /* in all pools */
	size_t vip_count;     /* in all services */
	size_t guard_count;   /* services with a guard of their own */
	bool port_known;      /* the port of the current service could be read */
	bool truncated;       /* reading stopped at a syntax error: missing objects may be in the unread part */
};

enum claim_sharing {
	SHARING_NONE,
	SHARING_VIPS,   /* several services may have the same VIP */
	SHARING_OTHERS, /* several objects may have the same address if it is not a VIP */
};

#define POOL_UNKNOWN ((size_t)-1) /* the pool of a service could not be read */

/* --- keys of the file; `object` is a struct config */

void config_read_join(struct reader *reader, const struct node *value, void *object);

/* Call it after config_read_join(), because the two `listen:` must not conflict. */
void config_read_metrics(struct reader *reader, const struct node *value, void *object);
void config_read_capture(struct reader *reader, const struct node *value, void *object);
void config_read_membership(struct reader *reader, const struct node *value, void *object);
void config_read_pools(struct reader *reader, const struct node *value, void *object);

/* Call it before config_read_services(), because guards of services refer to its lists and limit sets. */
void config_read_guard(struct reader *reader, const struct node *value, void *object);

/* Call it after config_read_pools(), because services refer to pools. */
void config_read_services(struct reader *reader, const struct node *value, void *object);

/* --- tables with a row for each key of the file. Reading, `save`, `plan` and the documentation use
 * them. The objects are struct config, config_limits, config_join, ... */

extern const struct key config_file_keys[];
extern const struct key config_limit_keys[];
extern const struct key config_join_keys[];
extern const struct key config_metrics_keys[];
extern const struct key config_capture_keys[];
extern const struct key config_membership_keys[];
extern const struct key config_guard_keys[];
extern const struct key config_limit_set_keys[];
extern const struct key config_service_keys[];
extern const struct key config_pool_keys[];
extern const struct key config_probe_keys[];
extern const struct key config_passive_keys[];
extern const struct key config_backend_keys[];
extern const struct key config_group_keys[];

/* --- parts of pools */

/* The values of `backends:` and `groups:`; `object` is a struct config_pool. `groups:` comes after
 * `backends:`, because groups refer to backends. */
void config_read_backends(struct reader *reader, const struct node *value, void *object);
void config_read_groups(struct reader *reader, const struct node *value, void *object);

/* The value of `probe:`; `object` is a struct config_pool. */
void config_read_probe(struct reader *reader, const struct node *value, void *object);

/* `passive:`; `object` is a struct config_pool. */
void config_default_passive(struct config_passive *passive);
void config_read_passive(struct reader *reader, const struct node *value, void *object);
void config_write_passive(const struct writer *writer, const struct key *key, const void *object);

/* Refuses `passive:` of pools whose responses are not counted. Call it after all services have been read. */
void config_check_passive(const struct config *config, struct faults *faults);

/* Set the default values of a pool, and of a probe of a given type. */
void config_default_pool(struct config_pool *pool);
void config_default_probe(struct config_probe *probe, enum probe_type type);

/* Does the probe send SIP requests (OPTIONS or REGISTER)? */
bool config_probe_is_sip(const struct config_probe *probe);
bool config_probe_has_port(const struct config_probe *probe);

/* The transport of a probe without `transport:`, until config_resolve_probes() sets it from the service. */
#define TRANSPORT_OF_SERVICE ((enum probe_transport) - 1)

/* NULL if there is no such pool. Call it after all pools have been read. */
const struct config_pool *config_named_pool(const struct parse *parse, const char *name);

/* Sets the transport of each probe and checks its port. Call it after all services have been read. */
void config_resolve_probes(struct config *config, struct faults *faults);

/* Adds claims for the `ports:` of each backend on each VIP to which they apply. */
void config_claim_vip_ports(struct parse *parse, struct faults *faults);

/* Refuses a hint that is the address of a different backend, or an address and port to which new calls are sent. */
void config_check_hints(const struct parse *parse, struct faults *faults);

/* Refuses services and pools with `forward: nat` whose packets could not be translated. Call it for a file without
 * faults. */
void config_check_nat(const struct config *config, struct faults *faults);

/* The keys of pools and backends that share load by calls. */
extern const struct word config_balance_words[];
extern const struct word config_overload_words[];
void config_read_balance(struct reader *reader, const struct node *value, void *object);
void config_write_balance(const struct writer *writer, const struct key *key, const void *object);
void config_read_overload(struct reader *reader, const struct node *value, void *object);
void config_write_overload(const struct writer *writer, const struct key *key, const void *object);
void config_write_limit(const struct writer *writer, const struct key *key, const void *object);

/* Refuses services whose messages do not show the calls that their pools count. Call it for a file without faults. */
void config_check_balance(const struct config *config, struct faults *faults);

/* --- parts of the guard */

void config_default_guard(struct config_guard *guard);

/* `guard:` of a service; `object` is a struct config_service. */
extern const struct key config_service_guard_keys[];
void config_read_service_guard(struct reader *reader, const struct node *value, void *object);
void config_write_service_guard(const struct writer *writer, const struct key *key, const void *object);

/* Checks the number of classes. Call it after all services have been read. */
void config_check_guard(const struct parse *parse, struct faults *faults);

/* Lists of sources; `object` is a struct config_guard. */
extern const struct key config_guard_list_keys[];
void config_read_guard_lists(struct reader *reader, const struct node *value, void *object);
void config_write_guard_lists(const struct writer *writer, const struct key *key, const void *object);

/* Values of the guard and of the guard of a service, at the member of the key: an enum guard_mode, the index of a limit
 * set, a struct config_switch. An inherited value has no text. */
extern const struct word config_mode_words[];
extern const struct word config_scanner_words[];
extern const struct word config_broken_words[];
#define CONFIG_RETRY_AFTER_MAX 3600 /* seconds */
void config_read_mode(struct reader *reader, const struct node *value, void *object);
void config_write_mode(const struct writer *writer, const struct key *key, const void *object);
void config_read_limits(struct reader *reader, const struct node *value, void *object);
void config_write_limits(const struct writer *writer, const struct key *key, const void *object);
void config_read_switch(struct reader *reader, const struct node *value, void *object);
void config_write_switch(const struct writer *writer, const struct key *key, const void *object);
const char *config_mode_name(enum guard_mode mode);

/* A limit: its keys, or "none". */
enum config_rate_kind {
	CONFIG_RATE_DROP,   /* cannot be refused with 503 */
	CONFIG_RATE_REFUSE, /* can be refused */
	CONFIG_RATE_SURGE,  /* is refused unless the file says otherwise */
};

void config_read_rate(
	struct reader *reader, const struct node *value, struct config_rate *rate, enum config_rate_kind kind);
void config_write_rate(FILE *out, const struct config_rate *rate);

/* `limit_sets:`; `object` is a struct config_guard. */
void config_read_limit_sets(struct reader *reader, const struct node *value, void *object);
void config_write_limit_sets(const struct writer *writer, const struct key *key, const void *object);

/* Replace the pointers of a shallow copy with deep copies; free them. */
void config_copy_guard(struct config_guard *guard);
void config_free_guard(struct config_guard *guard);

/* --- values of a plain type, read into the member that the key names */

void config_read_u8(struct reader *reader, const struct node *value, void *object);
void config_read_u16(struct reader *reader, const struct node *value, void *object);
void config_read_u32(struct reader *reader, const struct node *value, void *object);
void config_read_time(struct reader *reader, const struct node *value, void *object);
void config_read_truth(struct reader *reader, const struct node *value, void *object);
void config_read_listen(struct reader *reader, const struct node *value, void *object); /* struct endpoint */

/* A list of status codes and classes, none of them below the minimum of the key. */
void config_read_codes(struct reader *reader, const struct node *value, uint8_t codes[STATUS_CODES_SIZE]);
void config_write_codes(FILE *out, const uint8_t codes[STATUS_CODES_SIZE]);
void config_add_code(uint8_t codes[STATUS_CODES_SIZE], unsigned int code);

/* --- values; false after a fault has been added */

#define NAME_EXPECTED "1 to 63 of the characters A-Z a-z 0-9 . _ -"
#define ADDRESS_EXPECTED "an IPv4 or IPv6 address"

extern const struct word config_forward_words[];
extern const struct word config_probe_types[];

bool config_read_name(struct reader *reader, const struct node *value, char out[NAME_SIZE]);
bool config_read_address(struct reader *reader, const struct node *value, struct address *out);

/* Is this the address of a host, or a loopback address? */
bool config_is_host_or_loopback(const struct address *address);
bool config_read_forward(struct reader *reader, const struct node *value, enum forward_method *out);

/* Reads a name and claims it. The name must be unique for its kind and scope. */
void config_claim_name(
	struct reader *reader, const struct node *value, char name[NAME_SIZE], enum claim_kind kind, size_t scope);

/* Adds an error when the count first exceeds the limit. `max` is the highest limit that the file can set. */
void config_check_limit(
	struct reader *reader, struct position position, size_t count, uint32_t limit, const char *what, uint32_t max);

/* --- writing (config_write.c) */

/* Write functions for members of plain types. */
void config_write_u8(const struct writer *writer, const struct key *key, const void *object);
void config_write_u16(const struct writer *writer, const struct key *key, const void *object);
void config_write_port(const struct writer *writer, const struct key *key, const void *object); /* 0: no text */
void config_write_u32(const struct writer *writer, const struct key *key, const void *object);
void config_write_time(const struct writer *writer, const struct key *key, const void *object);
void config_write_truth(const struct writer *writer, const struct key *key, const void *object);
void config_write_listen(const struct writer *writer, const struct key *key, const void *object);
void config_write_text(const struct writer *writer, const struct key *key, const void *object); /* char * */

/* The value of a key in its text form, "" if there is no value; valid until the next call. */
struct key_text {
	struct writer writer;
	char *bytes;
	size_t length;
};

void key_text_open(struct key_text *text, const struct config *config);
const char *key_text(struct key_text *text, const struct key *key, const void *object);
void key_text_close(struct key_text *text);

/* Write values. The first function quotes words that a YAML reader could take for a different type. The range has
 * the form "5060" or "5060-5080". */
void config_write_word(FILE *out, const char *text);
void config_write_address(FILE *out, const struct address *address);
void config_write_host(FILE *out, const char *host, uint16_t port);
void config_write_range(FILE *out, unsigned int first, unsigned int last);

/* Adds an error if the value is the word that config_hide_secrets() writes instead of a secret. */
bool config_is_hidden(struct reader *reader, const struct node *value);

/* Does the text consist of ASCII characters from space to tilde? YAML, SIP and logs can then contain it unchanged. */
bool config_is_printable(const char *text);

/* Returns a copy of a text, which the caller must free; NULL for NULL. */
char *config_copy_text(const char *text);
