/* SPDX-License-Identifier: GPL-2.0 */
/* The configuration of the guard: `guard:` of the file, of a service, and the surges of pools. Part of config.h, which
 * includes this file. */
#pragma once

#include "bpf/abi_guard.h"
#include "core/net/prefix.h"
#include "faults.h"

#define GUARD_RATE_MAX 100000                 /* packets per second */
#define GUARD_SERVICES_MAX 127                /* services with settings of their own */
#define GUARD_FILE_LISTS_MAX 126              /* twice as many fit into the maps, for a change of all lists */
#define GUARD_LIMIT_SETS_MAX 256              /* with different names */
#define GUARD_CLASSES_MAX (GUARD_CLASSES / 2) /* of a file; the maps contain the old and the new classes */
#define GUARD_CLASS_BLOCK 8                   /* the number of classes of a guard is a multiple of this number */
#define GUARD_TEXTS_MAX 256                   /* in each of the lists of texts of a file */
#define GUARD_TEXT_LENGTH_MAX (GUARD_TEXT_SIZE - sizeof("+")) /* an entry may begin with "+" and end with a NUL */

/* What a rule does. A value that the file does not set is inherited: a rule inherits from its service, and a service
 * from the guard of the file. */
enum guard_mode {
	GUARD_INHERIT,
	GUARD_OBSERVE, /* counts the packets, and forwards them */
	GUARD_ENFORCE,
};

/* A limit of `rate` packets per second, with a burst. */
struct config_rate {
	uint32_t rate;  /* 0: no limit */
	uint32_t burst; /* packets */
	bool refuse;    /* answer initial INVITEs with 503; else drop the packets */
	enum guard_mode mode;
};

/* The limits of one source, by enum guard_bucket. */
struct config_limit_set {
	char name[NAME_SIZE];
	struct config_rate rates[GUARD_BUCKETS];
	struct position position;
};

#define CONFIG_DEFAULT_LIMITS ((size_t)-1) /* the set that is named "default" */
#define CONFIG_INHERIT_LIMITS ((size_t)-2) /* of a service: the set of the guard of the file */

/* A list of sources. It has either prefixes or a file. */
struct config_guard_list {
	char name[NAME_SIZE];
	enum guard_action action;
	size_t limits; /* of GUARD_LIMIT: index into limit_sets, or CONFIG_DEFAULT_LIMITS */
	enum guard_mode mode;
	struct prefix_key *prefixes;
	size_t prefix_count;
	char *file; /* NULL: none */
	struct position position;
};

/* A rule that is on or off. */
struct config_switch {
	enum {
		SWITCH_INHERIT,
		SWITCH_OFF,
		SWITCH_ON,
	} state;
	enum guard_mode mode;
};

/* The settings that a service can have for itself. */
struct config_guard_settings {
	enum guard_mode mode;
	size_t limits; /* for sources on no list: index into limit_sets, or one of the values above */
	struct config_switch scanners;
	struct config_switch broken;
	uint32_t retry_after; /* seconds; 0: the answer has no such header, or of a service: inherited */
};

/* Words that select messages. */
struct config_texts {
	char **list;
	size_t count;
};

/* `guard:` of the file. */
struct config_guard {
	bool is_set; /* the file has a guard: it applies to all services without `guard: off` */
	struct config_guard_settings settings;
	uint8_t ipv4_bits, ipv6_bits;   /* the prefix that counts as one source */
	struct config_texts scanners;   /* in addition to the built-in names */
	struct config_texts emergency;  /* users and URNs of emergency calls */
	struct config_texts priorities; /* namespaces of Resource-Priority */
	struct config_limit_set *limit_sets;
	size_t limit_set_count;
	struct config_guard_list *lists;
	size_t list_count;
	struct position position;
};

/* `guard:` of a service. */
struct config_service_guard {
	enum {
		GUARD_SHARED, /* the guard of the file, if it has one */
		GUARD_OWN,    /* the settings below */
		GUARD_OFF,
	} kind;
	struct config_guard_settings settings;
	bool names_lists; /* the service has only the lists below; else all lists */
	size_t *lists;    /* indexes into config_guard.lists, ascending */
	size_t list_count;
	struct config_rate surge; /* initial INVITEs of all sources together */
	struct position position;
};

struct config;
struct config_service;

/* The settings of the guard of a service (NULL: of the file) after inheritance. */
struct config_guard_settings config_guard_settings(const struct config *config, const struct config_service *service);

/* Does the service have a guard? Does it have one of its own, which no other service shares? */
bool config_service_is_guarded(const struct config *config, const struct config_service *service);
bool config_service_has_own_guard(const struct config *config, const struct config_service *service);

/* Does the guard of a service (NULL: of the file) use the list with this index? */
bool config_service_uses_list(const struct config_service *service, size_t list);

/* The set of limits with this index, or CONFIG_DEFAULT_LIMITS. */
const struct config_limit_set *config_limit_set(const struct config *config, size_t index);

/* The name of the guard of a service (NULL: of the file), as commands and metrics show it. */
const char *config_guard_name(const struct config *config, const struct config_service *service);
#define GUARD_SHARED_NAME "default"

/* "trust", "deny" or "limit". */
const char *config_guard_action_name(enum guard_action action);
