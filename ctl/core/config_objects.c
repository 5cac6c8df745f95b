// SPDX-License-Identifier: GPL-2.0
/* The meaning of the keys of services, pools and backends. */
#include <arpa/inet.h>
#include <string.h>
#include "config_parse.h"
#include "memory.h"

#define SUGGESTED_POOLS_MAX 32 /* whoever has more of them must look himself */

/* Adds a fault where the count goes past a limit: once, for the first that is too many. */
static void check_limit(
	struct reader *reader, struct mark mark, size_t count, uint32_t limit, const char *what, uint32_t max)
{
	if (count != (size_t)limit + 1)
		return;
	if (limit < max)
		faults_add(reader->faults, mark, "too many %s: there is room for %u; raise it in 'limits' (at most %u)",
			what, limit, max);
	else
		faults_add(reader->faults, mark, "too many %s: there is room for %u", what, limit);
}

static bool read_name(struct reader *reader, const struct node *value, char out[NAME_SIZE])
{
	const char *text = reader_text(reader, value);

	if (!text)
		return false;
	if (!config_name_is_valid(text)) {
		reader_refuse(reader, value, "1 to 63 of the characters A-Z a-z 0-9 . _ -");
		return false;
	}
	strcpy(out, text);
	return true;
}

static void claim_name(
	struct reader *reader, const struct node *value, char name[NAME_SIZE], enum claim_kind kind, size_t scope)
{
	struct parse *parse = reader->context;

	if (read_name(reader, value, name))
		claims_add(&parse->claims, kind, scope, name, strlen(name), name, value->mark);
}

static bool read_address(struct reader *reader, const struct node *value, struct address *out)
{
	const char *text = reader_text(reader, value);
	struct address address;

	if (!text)
		return false;
	if (address_parse(text, &address)) {
		reader_refuse(reader, value,
			strchr(text, '/') ? "an address without a prefix length" : "an IPv4 or IPv6 address");
		return false;
	}
	if (!address_is_host(&address)) {
		reader_refuse(reader, value,
			"a host's address (not unspecified, loopback, link-local, multicast, broadcast)");
		return false;
	}
	*out = address;
	return true;
}

/* --- backends */

static void read_backend_name(struct reader *reader, const struct node *value, void *object)
{
	struct config_backend *backend = object;
	struct parse *parse = reader->context;

	claim_name(reader, value, backend->name, CLAIM_BACKEND, parse->pool);
}

static void read_backend_address(struct reader *reader, const struct node *value, void *object)
{
	struct config_backend *backend = object;
	struct parse *parse = reader->context;
	struct address *address = &backend->address;

	if (!read_address(reader, value, address))
		return;
	claims_add(&parse->claims, CLAIM_BACKEND_ADDRESS, parse->pool, address, sizeof(*address), backend->name,
		value->mark);
	claims_add(&parse->claims, CLAIM_ROLE_BACKEND, 0, address, sizeof(*address), backend->name, value->mark);
}

static void read_weight(struct reader *reader, const struct node *value, void *object)
{
	struct config_backend *backend = object;
	uint32_t weight;

	if (reader_number(reader, value, 0, MAX_WEIGHT, &weight))
		backend->weight = weight;
}

static void read_mac(struct reader *reader, const struct node *value, void *object)
{
	struct config_backend *backend = object;
	const char *text = reader_text(reader, value);

	if (text && mac_parse(text, &backend->mac))
		reader_refuse(reader, value, "the MAC of one host, such as 02:00:5e:10:00:01");
}

static const struct key backend_keys[] = {
	{.name = "name", .required = true, .read = read_backend_name},
	{.name = "address", .required = true, .read = read_backend_address},
	{.name = "weight", .read = read_weight},
	{.name = "mac", .read = read_mac},
	{},
};

/* --- pools */

static void read_pool_name(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;

	claim_name(reader, value, pool->name, CLAIM_POOL, 0);
}

static const struct word forward_words[] = {
	{"dsr", FORWARD_DSR, NULL},
	{"ipip", FORWARD_IPIP, NULL},
	{},
};

static void read_forward(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;
	int forward;

	if (reader_word(reader, value, forward_words, &forward))
		pool->forward = forward;
}

static void read_min_alive(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;

	reader_number(reader, value, 0, 100, &pool->min_alive);
}

static void read_backends(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;
	struct parse *parse = reader->context;
	struct config_backend *backend;
	const struct node *item;

	backend = pool->backends = reader_items(reader, value, sizeof(*backend), true, &pool->backend_count);
	if (!backend)
		return;
	for (item = node_first(value); item; item = node_next(value, item), backend++) {
		backend->weight = 1;
		backend->mark = item->mark;
		check_limit(reader, item->mark, ++parse->backend_count, parse->config->limits.backends, "backends",
			MAX_BACKENDS);
		reader_mapping(reader, item, "a backend", backend_keys, backend);
	}
}

static const struct key pool_keys[] = {
	{.name = "name", .required = true, .read = read_pool_name},
	{.name = "forward", .read = read_forward},
	{.name = "min_alive", .read = read_min_alive},
	{.name = "backends", .required = true, .read = read_backends},
	{},
};

static int compare_pools(const void *left, const void *right)
{
	const struct config_pool *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

void config_read_pools(struct reader *reader, const struct node *value, void *object)
{
	struct config *config = object;
	struct parse *parse = reader->context;
	const struct node *item;
	struct config_pool *pool;
	size_t i = 0;

	config->pools = reader_items(reader, value, sizeof(*pool), false, &config->pool_count);
	if (!config->pools)
		return;
	parse->pools_by_name = allocate(config->pool_count, sizeof(pool));
	for (item = node_first(value); item; item = node_next(value, item), i++) {
		pool = &config->pools[i];
		*pool = (struct config_pool){.forward = FORWARD_DSR, .mark = item->mark};
		parse->pools_by_name[i] = pool;
		parse->pool = i;
		check_limit(reader, item->mark, i + 1, config->limits.pools, "pools", MAX_POOLS);
		reader_mapping(reader, item, "a pool", pool_keys, pool);
	}
	qsort(parse->pools_by_name, i, sizeof(pool), compare_pools);
}

/* --- services */

static void read_service_name(struct reader *reader, const struct node *value, void *object)
{
	struct config_service *service = object;

	claim_name(reader, value, service->name, CLAIM_SERVICE, 0);
}

static void read_port(struct reader *reader, const struct node *value, void *object)
{
	struct config_service *service = object;
	struct parse *parse = reader->context;
	uint32_t port;

	if (!reader_number(reader, value, 0, 65535, &port))
		return;
	service->port = port;
	parse->port_known = true;
}

static const struct word protocol_words[] = {
	{"udp", IPPROTO_UDP, NULL},
	{"tcp", IPPROTO_TCP, NULL},
	{},
};

static void read_protocol(struct reader *reader, const struct node *value, void *object)
{
	struct config_service *service = object;
	int protocol = 0; /* unknown */

	reader_word(reader, value, protocol_words, &protocol);
	service->protocol = protocol;
	if (protocol == IPPROTO_TCP)
		service->affinity = AFFINITY_FLOW;
}

#define NOT_YET "call-id, source and flow are there, this is not yet"

static const struct word affinity_words[] = {
	{"call-id", AFFINITY_CALL_ID, NULL},
	{"from-user", 0, NOT_YET},
	{"to-user", 0, NOT_YET},
	{"request-user", 0, NOT_YET},
	{"source", AFFINITY_SOURCE, NULL},
	{"flow", AFFINITY_FLOW, NULL},
	{},
};

static void read_affinity(struct reader *reader, const struct node *value, void *object)
{
	struct config_service *service = object;
	int affinity;

	if (!reader_word(reader, value, affinity_words, &affinity))
		return;
	if (affinity == AFFINITY_CALL_ID && service->protocol == IPPROTO_TCP)
		reader_refuse(reader, value, "source or flow for tcp (a connection is no message)");
	service->affinity = affinity;
}

const char *config_affinity_name(enum affinity affinity)
{
	const struct word *word = affinity_words;

	while (word->refused || word->value != (int)affinity)
		word++;
	return word->text;
}

const char *config_protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? "tcp" : "udp";
}

static void read_vip(
	struct reader *reader, const struct node *value, struct config_service *service, struct address *vip)
{
	struct parse *parse = reader->context;
	struct service_key key = {};

	check_limit(reader, value->mark, ++parse->vip_count, parse->config->limits.services,
		"services (each VIP counts)", MAX_SERVICES);
	if (!read_address(reader, value, vip))
		return;
	key = (struct service_key){.vip = *vip, .port = htons(service->port), .protocol = service->protocol};
	claims_add(&parse->claims, CLAIM_ROLE_VIP, 0, vip, sizeof(*vip), service->name, value->mark);
	if (parse->port_known && service->protocol)
		claims_add(&parse->claims, CLAIM_VIP, 0, &key, sizeof(key), service->name, value->mark);
}

/* Behind port and protocol in the table, because the three together must be unique. */
static void read_vips(struct reader *reader, const struct node *value, void *object)
{
	struct config_service *service = object;
	const struct node *item;
	size_t i = 0;

	if (value->kind != NODE_LIST) {
		service->vips = allocate(1, sizeof(*service->vips));
		service->vip_count = 1;
		read_vip(reader, value, service, service->vips);
		return;
	}
	service->vips = reader_items(reader, value, sizeof(*service->vips), false, &service->vip_count);
	for (item = node_first(value); item; item = node_next(value, item))
		read_vip(reader, item, service, &service->vips[i++]);
}

static void refuse_pool(struct reader *reader, const struct node *value)
{
	struct parse *parse = reader->context;
	const struct config *config = parse->config;
	struct suggestion suggestion = {.text = value->text};
	size_t i;

	for (i = 0; i < config->pool_count && i < SUGGESTED_POOLS_MAX; i++)
		suggestion_offer(&suggestion, config->pools[i].name);
	if (suggestion.best)
		faults_add(reader->faults, value->mark, "'pool' of %s: no pool is named %s; did you mean %s?",
			reader->label, value->text, suggestion.best);
	else
		faults_add(reader->faults, value->mark, "'pool' of %s: no pool is named %s; define it under 'pools'",
			reader->label, value->text);
}

/* Finds the pool that is named; false if there is none. */
static bool read_pool(struct reader *reader, const struct node *value, size_t *out)
{
	struct parse *parse = reader->context;
	const struct config *config = parse->config;
	struct config_pool wanted = {};
	const struct config_pool *key = &wanted, **found;

	if (!read_name(reader, value, wanted.name) || config->pool_count == 0) /* no pools: a fault already */
		return false;
	found = bsearch(&key, parse->pools_by_name, config->pool_count, sizeof(key), compare_pools);
	if (found)
		*out = *found - config->pools;
	else if (!parse->cut) /* else it may come further down */
		refuse_pool(reader, value);
	return found;
}

static void read_service_pool(struct reader *reader, const struct node *value, void *object)
{
	struct config_service *service = object;

	read_pool(reader, value, &service->pool);
}

static void read_method(struct reader *reader, const struct node *value, void *object)
{
	int *method = (int *)((char *)object + reader->key->member);
	size_t pool;

	if (read_pool(reader, value, &pool))
		*method = pool;
}

#define METHOD(method)                                                                                                 \
	{                                                                                                              \
		.name = #method, .read = read_method, .member = METHOD_##method * sizeof(int)                          \
	}

static const struct key method_keys[] = {
	METHOD(INVITE),
	METHOD(ACK),
	METHOD(BYE),
	METHOD(CANCEL),
	METHOD(OPTIONS),
	METHOD(REGISTER),
	METHOD(PRACK),
	METHOD(SUBSCRIBE),
	METHOD(NOTIFY),
	METHOD(PUBLISH),
	METHOD(INFO),
	METHOD(REFER),
	METHOD(MESSAGE),
	METHOD(UPDATE),
	{.name = "*", .read = read_method, .member = METHOD_OTHER * sizeof(int)},
	{},
};

const char *config_method_name(enum method method)
{
	const struct key *key = method_keys;

	while (key->member != method * sizeof(int))
		key++;
	return key->name;
}

static void read_methods(struct reader *reader, const struct node *value, void *object)
{
	struct config_service *service = object;

	if (service->protocol == IPPROTO_TCP)
		faults_add(reader->faults, value->mark, "'methods' of %s: of tcp no message is read, so udp only",
			reader->label);
	reader_mapping(reader, value, "'methods'", method_keys, service->methods);
}

size_t config_pool_of_method(const struct config_service *service, enum method method)
{
	const int *methods = service->methods;

	if (methods[method] != CONFIG_NO_POOL)
		return methods[method];
	switch (method) {
	case METHOD_ACK:
	case METHOD_BYE:
	case METHOD_CANCEL:
	case METHOD_PRACK:
	case METHOD_INFO:
	case METHOD_UPDATE:
		return config_pool_of_method(service, METHOD_INVITE);
	default:
		return service->pool;
	}
}

static const struct key service_keys[] = {
	{.name = "name", .required = true, .read = read_service_name},
	{.name = "port", .required = true, .read = read_port},
	{.name = "protocol", .read = read_protocol},
	{.name = "vip", .required = true, .read = read_vips},
	{.name = "affinity", .read = read_affinity},
	{.name = "pool", .required = true, .read = read_service_pool},
	{.name = "methods", .read = read_methods},
	{},
};

void config_read_services(struct reader *reader, const struct node *value, void *object)
{
	struct config *config = object;
	struct parse *parse = reader->context;
	struct config_service *service;
	const struct node *item;

	service = config->services = reader_items(reader, value, sizeof(*service), true, &config->service_count);
	if (!service)
		return;
	for (item = node_first(value); item; item = node_next(value, item), service++) {
		service->mark = item->mark;
		service->protocol = IPPROTO_UDP;
		service->affinity = AFFINITY_CALL_ID;
		memset(service->methods, 0xff, sizeof(service->methods)); /* CONFIG_NO_POOL */
		parse->port_known = false;
		reader_mapping(reader, item, "a service", service_keys, service);
	}
}
