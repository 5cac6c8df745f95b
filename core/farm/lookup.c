// SPDX-License-Identifier: GPL-2.0
/* See lookup.h. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "bpf/sip.h"
#include "bpf/sip_host.h"
#include "bpf/sip_user.h"
#include "core/config/config.h"
#include "lookup.h"

/* --- Keys */

static bool has_space(const char *text)
{
	for (; *text; text++)
		if ((uint8_t)*text <= ' ')
			return true;
	return false;
}

int lookup_call_id(const char *call_id, const uint64_t hash_key[2], uint64_t *hash)
{
	struct sip_key key = {.hash_key = {hash_key[0], hash_key[1]}};
	uint8_t text[1 + SIP_VALUE_WORDS * 8 + 1 + SIP_MINIMUM];

	if (!*call_id || has_space(call_id))
		return -EINVAL;
	/* Place the text as in a packet: after the colon and before the end of the line. */
	memset(text, '\n', sizeof(text));
	text[0] = ':';
	memcpy(text + 1, call_id, strnlen(call_id, SIP_VALUE_WORDS * 8));
	sip_hash(sip_text(text, text + sizeof(text), sizeof(text), 0), 0, &key);
	*hash = key.hash;
	return 0;
}

static bool is_uri(const char *text)
{
	return !strncasecmp(text, "sip:", 4) || !strncasecmp(text, "sips:", 5) || !strncasecmp(text, "tel:", 4);
}

/* Is the text a URI of a different scheme or a whole header, instead of a user? */
static bool is_more_than_user(const char *text)
{
	const char *mark = strpbrk(text, ":<>\"@");

	return mark && *mark != '@';
}

int lookup_user(const char *user, const uint64_t hash_key[2], uint64_t *hash)
{
	struct sip_user key = {.hash_key = {hash_key[0], hash_key[1]}};
	uint8_t text[SIP_USER_BUDGET * 8 / SIP_COST_USER +
		     SIP_MINIMUM]; /* longer than any user that the kernel reads */
	const int room = sizeof(text) - SIP_MINIMUM;
	uint16_t budget = SIP_USER_BUDGET; /* as in bpf/key.h */
	bool uri = is_uri(user);
	int length;

	if (has_space(user) || (!uri && is_more_than_user(user)))
		return -EINVAL;
	memset(text, '\n', sizeof(text));
	length = snprintf((char *)text, room, uri ? "%s" : "sip:%s@host", user);
	text[length < room ? length : room - 1] = '\n';
	if (sip_user(sip_text(text, text + sizeof(text), sizeof(text), 0), 0, &key, &budget) != SIP_FOUND)
		return -EINVAL;
	*hash = key.hash;
	return 0;
}

/* --- Packets */

static int refuse(char error[LOOKUP_ERROR_SIZE], int number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(char error[LOOKUP_ERROR_SIZE], int number, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, LOOKUP_ERROR_SIZE, format, arguments);
	va_end(arguments);
	return number;
}

static bool goes_by_source(const struct lookup *lookup)
{
	return lookup->service.affinity == AFFINITY_SOURCE || lookup->service.affinity == AFFINITY_FLOW;
}

/* A service has one entry for each VIP. Finds the entry with the address family of the source. */
static bool find_service(struct lookup *lookup, const char *name)
{
	struct hash_map_entry entry;
	size_t cursor = 0;
	bool found = false;

	while (hash_map_next(lookup->image->maps[IMAGE_SERVICES], &cursor, &entry)) {
		const struct service_key *key = entry.key;
		const struct service *service = entry.value;

		if (!key->protocol || strcmp(lookup->image->service_names[service->id].name, name))
			continue;
		if (found && address_is_ipv4(&key->vip) != address_is_ipv4(&lookup->source))
			continue;
		lookup->key = *key;
		lookup->service = *service;
		found = true;
	}
	return found;
}

static int take_source(struct lookup *lookup, const char *text, char error[LOOKUP_ERROR_SIZE])
{
	char host[HOST_SIZE];

	if (!text)
		return 0;
	if (host_parse(text, host, &lookup->source_port) || address_parse(host, &lookup->source))
		return refuse(error, -EINVAL,
			"'%.80s' is no address and port, such as 192.0.2.1:5060 or [2001:db8::1]:5060", text);
	lookup->has_source = true;
	return 0;
}

static int take_method(struct lookup *lookup, const char *text, char error[LOOKUP_ERROR_SIZE])
{
	enum method method = METHOD_NONE;

	if (text && config_method_find(text, &method))
		return refuse(error, -EINVAL, "'%.80s' is no method of SIP, in capitals, or '*'", text);
	lookup->pool = lookup->service.pool[method];
	return 0;
}

/* --- Backends that a message names (bpf/hint.h) */

static bool is_alive(const struct image *image, uint32_t id)
{
	return id && id <= image->contract.backends && image->backends[id].alive;
}

static const __u32 *find_hint(const struct lookup *lookup, uint64_t hash, uint16_t port)
{
	struct hint_key key = {.host = hash, .group = lookup->service.hint_group, .port = port};

	return hash_map_find(lookup->image->maps[IMAGE_HINTS], &key);
}

/* The backend that a parameter after the host names; NULL: none. */
static const __u32 *find_parameter(const struct lookup *lookup, struct sip_text text, uint16_t budget)
{
	const __u64 *hash_key = lookup->service.hash_key;
	const __u32 *id = NULL;
	__u32 at = 0;
	__u64 hash;
	__u8 last;

	last = sip_part(text, &at, SIP_HOST_OR_PARAMETER, hash_key, &hash, &budget);
	for (int i = 0; i < HINT_PARAMETERS && last == ';' && !id; i++) {
		last = sip_part(text, &at, SIP_HOST_OR_PARAMETER, hash_key, &hash, &budget);
		id = last ? find_hint(lookup, hash, 0) : NULL;
	}
	return id;
}

#define NAME_LENGTH_MAX (HOST_SIZE + 8)

/* Copies a host or a tag to `line`, followed by the end of a line as in a packet. False: it is no part of a message. */
static bool place_name(const char *name, uint8_t line[NAME_LENGTH_MAX + SIP_MINIMUM], struct sip_text *text)
{
	size_t length = strlen(name), size = NAME_LENGTH_MAX + SIP_MINIMUM;

	if (!length || length > NAME_LENGTH_MAX || has_space(name))
		return false;
	memset(line, '\n', size);
	memcpy(line, name, length);
	*text = sip_text(line, line + size, size, 0);
	return true;
}

/* Finds the live backend that a host and its parameters name, as the program does. *backend is 0 if there is none.
 * False: the text has no valid host. */
static bool read_name(const struct lookup *lookup, const char *name, uint16_t *backend)
{
	struct sip_host host = {.hash_key = {lookup->service.hash_key[0], lookup->service.hash_key[1]}};
	uint8_t line[NAME_LENGTH_MAX + SIP_MINIMUM];
	uint16_t budget = SIP_PACKET_BUDGET;
	struct sip_text text;
	const __u32 *id;

	if (!place_name(name, line, &text) || sip_host(text, 0, &host, &budget) != SIP_FOUND)
		return false;
	id = find_hint(lookup, host.hash, host.port ? host.port : htons(5060));
	if (!id)
		id = find_hint(lookup, host.hash, 0); /* with any port */
	if (!id && lookup->service.flags & SERVICE_PARAMETER)
		id = find_parameter(lookup, text, budget);
	*backend = id && is_alive(lookup->image, *id) ? *id : 0;
	return true;
}

/* `counts` is true if the service uses names in this header. */
static int take_name(
	struct lookup *lookup, const char *by, const char *text, bool counts, char error[LOOKUP_ERROR_SIZE])
{
	uint16_t backend;

	if (!text)
		return 0;
	if (lookup->key.protocol != IPPROTO_UDP)
		return refuse(error, -EINVAL, "of tcp no message is read: --source decides");
	if (!read_name(lookup, text, &backend))
		return refuse(error, -EINVAL, "'%.80s' is no host as in SIP, such as px1.example.net:5062", text);
	if (!counts || !lookup->service.hint_group)
		return 0;
	lookup->named = backend;
	lookup->named_by = lookup->named ? by : NULL;
	return 0;
}

/* Finds the live backend whose hint is the prefix of the tag. */
static int take_tag(struct lookup *lookup, const char *tag, char error[LOOKUP_ERROR_SIZE])
{
	uint8_t line[NAME_LENGTH_MAX + SIP_MINIMUM];
	uint16_t budget = SIP_PACKET_BUDGET;
	const __u32 *id = NULL;
	struct sip_text text;
	__u64 hash;

	if (!tag || lookup->named)
		return 0;
	if (lookup->key.protocol != IPPROTO_UDP)
		return refuse(error, -EINVAL, "of tcp no message is read: --source decides");
	if (!place_name(tag, line, &text))
		return refuse(error, -EINVAL, "'%.80s' is no tag as in SIP, such as px1-8f3a", tag);
	if (lookup->service.flags & SERVICE_TAG &&
		sip_part(text, &(__u32){0}, SIP_TAG_PREFIX, lookup->service.hash_key, &hash, &budget))
		id = find_hint(lookup, hash, 0);
	lookup->named = id && is_alive(lookup->image, *id) ? *id : 0;
	lookup->named_by = lookup->named ? "tag" : NULL;
	return 0;
}

/* The topmost Route names the backend of a request. Without a Route, the Request-URI does. */
static int take_hosts(struct lookup *lookup, const struct lookup_question *question, char error[LOOKUP_ERROR_SIZE])
{
	bool requests = lookup->service.flags & SERVICE_ROUTE;

	if (question->via && (question->route || question->request_uri || question->method))
		return refuse(error, -EINVAL,
			"--via is for a response, --route, --request-uri and --method are for a request");
	if (question->via)
		return take_name(lookup, "via", question->via, true, error);
	if (question->route)
		return take_name(lookup, "route", question->route, requests, error);
	return take_name(lookup, "request-uri", question->request_uri, requests, error);
}

int lookup_open(struct lookup *lookup, const struct image *image, const struct lookup_question *question,
	char error[LOOKUP_ERROR_SIZE])
{
	int result;

	*lookup = (struct lookup){.image = image};
	result = take_source(lookup, question->source, error);
	if (result)
		return result;
	if (!find_service(lookup, question->service))
		return refuse(error, -ENOENT, "no service '%s' (see 'sipxdp-ctl service list')", question->service);
	result = take_method(lookup, question->method, error);
	if (!result)
		result = take_hosts(lookup, question, error);
	return result ? result : take_tag(lookup, question->tag, error);
}

/* --- The affinity key */

int lookup_key(const struct lookup *lookup, const char *text, uint64_t *hash, const char **reason)
{
	const struct service *service = &lookup->service;
	const uint64_t key[2] = {service->hash_key[0], service->hash_key[1]};
	bool by_port = service->affinity != AFFINITY_SOURCE;

	*reason = NULL;
	if (!text && !lookup->has_source && !goes_by_source(lookup))
		*reason = "a Call-ID or a user is missing, and the request names no live backend";
	else if (!text || goes_by_source(lookup)) {
		if (!lookup->has_source || (by_port && !lookup->source_port))
			*reason = by_port ? "the affinity of the service needs the client's address and port: --source "
					    "ADDRESS:PORT"
					  : "the affinity of the service needs the client's address: --source ADDRESS";
		else
			*hash = hash_source(
				&lookup->source, by_port ? htons(lookup->source_port) : 0, service->hash_key);
	} else if (service->affinity == AFFINITY_CALL_ID) {
		if (lookup_call_id(text, key, hash))
			*reason = "a Call-ID must not be empty or contain white space";
	} else if (lookup_user(text, key, hash)) {
		*reason = "no user in it: expected the user alone, or a sip, sips or tel URI with a user";
	}
	return *reason ? -EINVAL : 0;
}

uint32_t lookup_slot(const struct lookup *lookup, uint64_t hash)
{
	return hash & (lookup->image->contract.slots - 1);
}

uint64_t lookup_tracked_key(const struct lookup *lookup, uint64_t hash)
{
	if (lookup->key.protocol != IPPROTO_TCP)
		return hash;
	return hash_connection(&lookup->source, &lookup->key.vip, htons(lookup->source_port), lookup->key.port,
		lookup->service.hash_key);
}

/* The same rule as migration_owner() in bpf/migration.h. */
struct lookup_owner lookup_owner(const struct lookup *lookup, uint64_t hash, uint16_t tracked)
{
	uint32_t slot = lookup_slot(lookup, hash);
	uint16_t backend = image_slots(lookup->image, lookup->pool)[slot];
	uint16_t previous = image_previous_owners(lookup->image, lookup->pool)[slot];

	if (!previous)
		return (struct lookup_owner){backend, backend};
	if (is_alive(lookup->image, tracked))
		return (struct lookup_owner){tracked, tracked};
	return (struct lookup_owner){backend, is_alive(lookup->image, previous) ? previous : backend};
}
