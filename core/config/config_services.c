// SPDX-License-Identifier: GPL-2.0
/* The keys of services. */
#include <errno.h>
#include <string.h>
#include "config_private.h"
#include "core/base/memory.h"

#define SUGGESTED_POOLS_MAX 32 /* a suggestion considers at most this number of pools */

static void read_name(struct reader *reader, const struct node *value, void *object)
{
	struct config_service *service = object;

	config_claim_name(reader, value, service->name, CLAIM_SERVICE, 0);
}

static void read_port(struct reader *reader, const struct node *value, void *object)
{
	struct config_service *service = object;
	struct parse *parse = reader->context;
	uint16_t first, last;

	if (!reader_range(reader, value, &first, &last))
		return;
	if (strchr(value->text, '-') && (first == 0 || first == last)) {
		reader_refuse(reader, value, "one port, or a range of at least two ports such as 5060-5080");
		return;
	}
	service->port = first;
	service->last_port = last;
	parse->port_known = true;
}

static void write_port(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_service *service = object;

	(void)key;
	config_write_range(writer->out, service->port, service->last_port);
}

static const struct word protocol_words[] = {
	{"udp", IPPROTO_UDP},
	{"tcp", IPPROTO_TCP},
	{},
};

static void read_protocol(struct reader *reader, const struct node *value, void *object)
{
	struct config_service *service = object;
	int protocol = 0; /* unknown */

	reader_word(reader, value, &protocol);
	service->protocol = protocol;
	if (protocol == IPPROTO_TCP)
		service->affinity = AFFINITY_FLOW;
}

static const struct word affinity_words[] = {
	{"call-id", AFFINITY_CALL_ID},
	{"from-user", AFFINITY_FROM_USER},
	{"to-user", AFFINITY_TO_USER},
	{"request-user", AFFINITY_REQUEST_USER},
	{"source", AFFINITY_SOURCE},
	{"flow", AFFINITY_FLOW},
	{},
};

static void read_affinity(struct reader *reader, const struct node *value, void *object)
{
	struct config_service *service = object;
	int affinity;

	if (!reader_word(reader, value, &affinity))
		return;
	if (affinity != AFFINITY_SOURCE && affinity != AFFINITY_FLOW && service->protocol == IPPROTO_TCP)
		reader_refuse(reader, value, "source or flow for protocol tcp");
	service->affinity = affinity;
}

static void write_affinity(const struct writer *writer, const struct key *key, const void *object)
{
	(void)key;
	fputs(config_affinity_name(((const struct config_service *)object)->affinity), writer->out);
}

const char *config_affinity_name(enum affinity affinity)
{
	const struct word *word = affinity_words;

	while (word->value != (int)affinity)
		word++;
	return word->text;
}

const char *config_protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? "tcp" : "udp";
}

static void write_protocol(const struct writer *writer, const struct key *key, const void *object)
{
	(void)key;
	fputs(config_protocol_name(((const struct config_service *)object)->protocol), writer->out);
}

static void read_vip(
	struct reader *reader, const struct node *value, struct config_service *service, struct address *vip)
{
	struct parse *parse = reader->context;
	struct claim claim = {.kind = CLAIM_ROLE_VIP,
		.sharing = SHARING_VIPS,
		.key = vip,
		.length = sizeof(*vip),
		.owner = service->name,
		.position = value->position};

	config_check_limit(reader, value->position, ++parse->vip_count, parse->config->limits.services,
		"services (each VIP counts)", MAX_SERVICES);
	if (!config_read_address(reader, value, vip))
		return;
	claims_add(&parse->claims, claim);
	claim.kind = CLAIM_VIP;
	claim.scope = service->protocol;
	claim.sharing = SHARING_NONE;
	claim.first = service->port;
	claim.last = service->last_port;
	if (parse->port_known && service->protocol)
		claims_add(&parse->claims, claim);
}

/* The keys are read in the order of the table. `vip` comes after `port` and `protocol`, because its check needs all
 * three: together they must be unique. */
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

static void write_vips(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_service *service = object;

	(void)key;
	for (size_t i = 0; i < service->vip_count; i++) {
		fputs(i ? ", " : "[", writer->out);
		config_write_address(writer->out, &service->vips[i]);
	}
	fputc(']', writer->out);
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
		faults_add(reader->faults, value->position, "'pool' of %s: no pool is named %s; did you mean %s?",
			reader->label, value->text, suggestion.best);
	else
		faults_add(reader->faults, value->position,
			"'pool' of %s: no pool is named %s; define it under 'pools'", reader->label, value->text);
}

/* Finds the pool with this name. False if there is none. */
static bool read_pool(struct reader *reader, const struct node *value, size_t *out)
{
	struct parse *parse = reader->context;
	const struct config *config = parse->config;
	const struct config_pool *pool;
	char name[NAME_SIZE];

	if (!config_read_name(reader, value, name) ||
		config->pool_count == 0) /* a file without pools has already been reported */
		return false;
	pool = config_named_pool(parse, name);
	if (pool)
		*out = pool - config->pools;
	else if (!parse->truncated) /* otherwise the missing part of the file may define it */
		refuse_pool(reader, value);
	return pool;
}

static void read_own_pool(struct reader *reader, const struct node *value, void *object)
{
	struct config_service *service = object;

	read_pool(reader, value, &service->pool);
}

static void write_pool(const struct writer *writer, const struct key *key, const void *object)
{
	(void)key;
	config_write_word(writer->out, writer->config->pools[((const struct config_service *)object)->pool].name);
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

int config_method_find(const char *name, enum method *method)
{
	const struct key *key = method_keys;

	while (key->name && strcmp(key->name, name))
		key++;
	if (!key->name)
		return -EINVAL;
	*method = key->member / sizeof(int);
	return 0;
}

static bool is_udp(const void *object)
{
	return ((const struct config_service *)object)->protocol != IPPROTO_TCP;
}

static const struct key_condition only_udp = {
	is_udp, "only for protocol udp, because messages in a TCP connection are not parsed"};

static void read_methods(struct reader *reader, const struct node *value, void *object)
{
	struct config_service *service = object;

	reader_mapping(reader, value, "'methods'", method_keys, service->methods);
}

static void write_methods(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_service *service = object;
	const char *before = "{";

	(void)key;
	for (int method = 0; method < METHOD_COUNT; method++) {
		if (service->methods[method] == CONFIG_NO_POOL)
			continue;
		fprintf(writer->out, "%s'%s': ", before, config_method_name(method));
		config_write_word(writer->out, writer->config->pools[service->methods[method]].name);
		before = ", ";
	}
	if (*before == ',')
		fputc('}', writer->out);
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

bool config_service_uses_pool(const struct config_service *service, size_t pool)
{
	int method = METHOD_NONE;

	while (method < METHOD_COUNT && service->methods[method] != (int)pool)
		method++;
	return service->pool == pool || method < METHOD_COUNT;
}

static int compare_indexes(const void *left, const void *right)
{
	const size_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

size_t config_service_pools(const struct config_service *service, size_t pools[METHOD_COUNT])
{
	size_t count = 0;

	for (int method = 0; method < METHOD_COUNT; method++)
		pools[method] = config_pool_of_method(service, method);
	qsort(pools, METHOD_COUNT, sizeof(*pools), compare_indexes);
	for (int i = 0; i < METHOD_COUNT; i++)
		if (!count || pools[count - 1] != pools[i])
			pools[count++] = pools[i];
	return count;
}

const struct key config_service_keys[] = {
	{.name = "name",
		.required = true,
		.read = read_name,
		.expected = NAME_EXPECTED,
		.help = "Name of the service, unique in the file."},
	{.name = "port",
		.required = true,
		.read = read_port,
		.write = write_port,
		.flags = KEY_ALWAYS,
		.type = VALUE_RANGE,
		.max = 65535,
		.help = "Port, or range of ports. 0 stands for every port of the VIP that no other service has. "
			"Services of the same VIP and protocol must not overlap."},
	{.name = "protocol",
		.read = read_protocol,
		.write = write_protocol,
		.flags = KEY_ALWAYS,
		.type = VALUE_WORD,
		.words = protocol_words,
		.help = "Transport protocol. TLS is balanced as `tcp`."},
	{.name = "vip",
		.required = true,
		.read = read_vips,
		.write = write_vips,
		.flags = KEY_ALWAYS | KEY_IN_STEPS | KEY_ONE_OR_LIST,
		.expected = ADDRESS_EXPECTED,
		.help = "Virtual IP address. Put an IPv6 address in quotes. With `forward: dsr`, the backends may have "
			"addresses of a different family."},
	{.name = "affinity",
		.read = read_affinity,
		.write = write_affinity,
		.flags = KEY_ALWAYS | KEY_IN_STEPS,
		.type = VALUE_WORD,
		.words = affinity_words,
		.usual = "`call-id`; for `tcp`: `flow`",
		.help = "Packets with the same value of this property go to the same backend. `call-id`: the Call-ID. "
			"`from-user`, `to-user`, `request-user`: the user of the From, To or Request-URI. `source`: "
			"the source address. `flow`: the source address and port, for TCP the connection. A `tcp` "
			"service supports only `source` and `flow`."},
	{.name = "pool",
		.required = true,
		.read = read_own_pool,
		.write = write_pool,
		.flags = KEY_ALWAYS | KEY_IN_STEPS,
		.expected = "the name of a pool",
		.help = "Pool that receives the packets."},
	{.name = "methods",
		.read = read_methods,
		.write = write_methods,
		.flags = KEY_IN_STEPS,
		.keys = method_keys,
		.condition = &only_udp,
		.help = "Different pools for requests with certain methods. ACK, BYE, CANCEL, PRACK, INFO and UPDATE "
			"follow INVITE unless they are listed. All other requests and all responses go to `pool`. `*` "
			"stands for the methods that are not among these keys."},
	{.name = "ping",
		.read = config_read_truth,
		.write = config_write_truth,
		.member = offsetof(struct config_service, ping),
		.type = VALUE_WORD,
		.words = reader_truth_words,
		.help = "Whether the balancer answers ICMP echo requests to the VIP. If not, its kernel receives "
			"them."},
	{.name = "message_counters",
		.read = config_read_truth,
		.write = config_write_truth,
		.member = offsetof(struct config_service, message_counters),
		.type = VALUE_WORD,
		.words = reader_truth_words,
		.condition = &only_udp,
		.help = "Whether the balancer counts SIP messages by method, status code and backend."},
	{.name = "guard",
		.read = config_read_service_guard,
		.write = config_write_service_guard,
		.expected = "`off`, or a mapping of `mode`, `limits`, `lists`, `scanners`, `broken`, `retry_after` and "
			    "`surge`",
		.usual = "the guard of the file",
		.help = "Settings of the guard for this service alone. `lists` names the lists that apply; the default "
			"is "
			"all. `surge` limits the initial INVITEs of all sources together, as `{rate: 400, burst: "
			"400}`; "
			"INVITEs above the limit are refused with 503, or dropped with `action: drop`."},
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
		service->position = item->position;
		service->protocol = IPPROTO_UDP;
		service->affinity = AFFINITY_CALL_ID;
		service->message_counters = true;
		service->pool = POOL_UNKNOWN;
		service->guard.settings.limits = CONFIG_INHERIT_LIMITS;
		memset(service->methods, 0xff, sizeof(service->methods)); /* CONFIG_NO_POOL */
		parse->port_known = false;
		reader_mapping(reader, item, "a service", config_service_keys, service);
	}
}
