// SPDX-License-Identifier: GPL-2.0
/* The meaning of `probe:` of a pool: a word, or a mapping of keys. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config_private.h"

#define INTERVAL_MIN 100 /* ms */
#define TIMEOUT_MIN 10
#define COUNT_MAX 100
#define TEXT_LENGTH_MAX 255 /* so that a request fits a packet */

/* While a probe is being read. */
#define TYPE_UNKNOWN ((enum probe_type) - 1)              /* nothing is refused on account of it */
#define TRANSPORT_OF_SERVICE ((enum probe_transport) - 1) /* not said: known when services are */

/* --- defaults */

/* Whoever says so is alive. A redirection, a refusal, a method that is not implemented
 * (501) are answers of a server that works; the other 5xx are not. */
static bool code_is_usually_ok(unsigned int code)
{
	return code >= 200 && (code / 100 != 5 || code == 501);
}

static void add_code(struct config_probe *probe, unsigned int code)
{
	probe->ok_codes[code / 8] |= 1 << code % 8;
}

void config_default_probe(struct config_probe *probe, enum probe_type type)
{
	unsigned int code;

	*probe = (struct config_probe){
		.type = type, .interval = 2 * SECOND, .timeout = SECOND, .fall = 3, .rise = 2, .verify = true};
	for (code = 0; code < STATUS_CODE_END; code++) {
		if (code_is_usually_ok(code))
			add_code(probe, code);
	}
}

/* --- which keys a type has */

static bool is_sip(const struct config_probe *probe)
{
	return probe->type == PROBE_OPTIONS || probe->type == PROBE_REGISTER;
}

static bool has_port(const struct config_probe *probe)
{
	return probe->type != PROBE_NONE && probe->type != PROBE_ICMP;
}

static bool has_tls(const struct config_probe *probe)
{
	return probe->type == PROBE_TLS || (is_sip(probe) && probe->transport == TRANSPORT_TLS);
}

/* Refuses the key if the probe has no use for it. */
static bool has_use(struct reader *reader, const struct node *value, const struct config_probe *probe, bool use)
{
	if (use || probe->type == TYPE_UNKNOWN)
		return true;
	/* A SIP probe has a use for all keys but those of TLS. */
	faults_add(reader->faults, value->position, "'%s' of %s: type %s has no use for it%s", reader->key->name,
		reader->label, config_probe_name(probe->type), is_sip(probe) ? " without transport tls" : "");
	return false;
}

/* --- what is asked, and where */

static const struct word type_words[] = {
	{"none", PROBE_NONE},
	{"options", PROBE_OPTIONS},
	{"register", PROBE_REGISTER},
	{"tcp", PROBE_TCP},
	{"tls", PROBE_TLS},
	{"icmp", PROBE_ICMP},
	{},
};

const char *config_probe_name(enum probe_type type)
{
	const struct word *word = type_words;

	while (word->value != (int)type)
		word++;
	return word->text;
}

static void read_type(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;
	int type;

	if (!reader_word(reader, value, type_words, &type))
		return;
	probe->type = type;
	if (is_sip(probe))
		probe->transport = TRANSPORT_OF_SERVICE;
}

static const struct word transport_words[] = {
	{"udp", TRANSPORT_UDP},
	{"tcp", TRANSPORT_TCP},
	{"tls", TRANSPORT_TLS},
	{},
};

const char *config_transport_name(enum probe_transport transport)
{
	const struct word *word = transport_words;

	while (word->value != (int)transport)
		word++;
	return word->text;
}

static void write_type(const struct writer *writer, const struct key *key, const void *object)
{
	(void)key;
	fputs(config_probe_name(((const struct config_probe *)object)->type), writer->out);
}

static void read_transport(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;
	int transport = TRANSPORT_TLS; /* so that no key is refused for what nobody said */

	if (!has_use(reader, value, probe, is_sip(probe)))
		return;
	reader_word(reader, value, transport_words, &transport);
	probe->transport = transport;
}

/* Its default is another service's affair, so it is written for each type that has one. */
static void write_transport(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_probe *probe = object;

	(void)key;
	if (is_sip(probe))
		fputs(config_transport_name(probe->transport), writer->out);
}

static const struct word via_words[] = {
	{"vip", false},
	{"address", true},
	{},
};

static void read_via(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;
	int to_address;

	if (has_use(reader, value, probe, probe->type != PROBE_NONE) &&
		reader_word(reader, value, via_words, &to_address))
		probe->to_address = to_address;
}

static void write_via(const struct writer *writer, const struct key *key, const void *object)
{
	(void)key;
	fputs(((const struct config_probe *)object)->to_address ? "address" : "vip", writer->out);
}

static void read_port(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;
	uint32_t port;

	if (has_use(reader, value, probe, has_port(probe)) && reader_number(reader, value, 0, 65535, &port))
		probe->port = port;
}

/* --- when, and what counts */

static void read_interval(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;

	if (!has_use(reader, value, probe, probe->type != PROBE_NONE))
		return;
	if (!reader_time(reader, value, INTERVAL_MIN, HOUR, &probe->interval))
		probe->interval = HOUR; /* so that no timeout is too long for what nobody said */
	if (probe->timeout > probe->interval)
		probe->timeout = probe->interval;
}

static void read_timeout(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;
	char interval[DURATION_TEXT_SIZE], expected[64];
	uint32_t timeout;

	if (!has_use(reader, value, probe, probe->type != PROBE_NONE) ||
		!reader_time(reader, value, TIMEOUT_MIN, HOUR, &timeout))
		return;
	snprintf(expected, sizeof(expected), "no more than the interval, %s",
		duration_format(probe->interval, interval));
	if (timeout > probe->interval)
		reader_refuse(reader, value, expected);
	probe->timeout = timeout;
}

static void read_count(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;
	unsigned int *count = (unsigned int *)((char *)object + reader->key->member);

	if (has_use(reader, value, probe, probe->type != PROBE_NONE))
		reader_number(reader, value, 1, COUNT_MAX, count);
}

/* "200", or "2xx" for a hundred of them. */
static bool parse_codes(const char *text, unsigned int *first, unsigned int *last)
{
	if (text[0] < '1' || text[0] > '6')
		return false;
	*first = (text[0] - '0') * 100;
	*last = *first + 99;
	if (strcmp(text + 1, "xx") == 0)
		return true;
	if (!isdigit((unsigned char)text[1]) || !isdigit((unsigned char)text[2]) || text[3])
		return false;
	*first = *last = strtoul(text, NULL, 10);
	return true;
}

static void read_ok_codes(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;
	unsigned int code, last;
	const struct node *item;
	const char *text;

	if (!has_use(reader, value, probe, is_sip(probe)) || !reader_list(reader, value, false))
		return;
	memset(probe->ok_codes, 0, sizeof(probe->ok_codes));
	for (item = node_first(value); item; item = node_next(value, item)) {
		text = reader_text(reader, item);
		if (!text)
			continue;
		if (!parse_codes(text, &code, &last)) {
			reader_refuse(reader, item, "a status code of SIP, or all of a class, such as 200 or 4xx");
			continue;
		}
		for (; code <= last; code++)
			add_code(probe, code);
	}
}

static bool class_is_ok(const struct config_probe *probe, unsigned int class)
{
	unsigned int code = class * 100;

	while (code < (class + 1) * 100 && config_code_is_ok(probe, code))
		code++;
	return code == (class + 1) * 100;
}

static void write_ok_codes(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_probe *probe = object;
	const char *before = "[";

	(void)key;
	for (unsigned int code = 100; code < STATUS_CODE_END; code++) {
		if (!config_code_is_ok(probe, code))
			continue;
		if (code % 100 == 0 && class_is_ok(probe, code / 100)) {
			fprintf(writer->out, "%s%uxx", before, code / 100);
			code += 99;
		} else {
			fprintf(writer->out, "%s%u", before, code);
		}
		before = ", ";
	}
	fputc(']', writer->out);
}

/* --- texts */

static void set_text(const struct reader *reader, struct config_probe *probe, const char *text)
{
	*(char **)((char *)probe + reader->key->member) = config_copy_text(text);
}

static bool uri_is_valid(const char *uri)
{
	return strlen(uri) <= TEXT_LENGTH_MAX && strncmp(uri, "sip:", 4) == 0 && uri[4] && config_is_printable(uri) &&
	       !strpbrk(uri, " \"<>");
}

static void read_uri(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;
	const char *text;

	if (!has_use(reader, value, probe, is_sip(probe)))
		return;
	text = reader_text(reader, value);
	if (text && uri_is_valid(text))
		set_text(reader, probe, text);
	else if (text)
		reader_refuse(reader, value, "a SIP URI, such as sip:probe@example.net");
}

static bool user_is_valid(const char *user) /* RFC 3261, 25.1 */
{
	return strlen(user) <= TEXT_LENGTH_MAX && config_is_printable(user) && !strpbrk(user, " \"#:<>@[\\]^`{|}");
}

static void read_user(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;
	const char *text;

	if (!has_use(reader, value, probe, is_sip(probe)))
		return;
	text = reader_text(reader, value);
	if (text && user_is_valid(text))
		set_text(reader, probe, text);
	else if (text)
		reader_refuse(reader, value, "the user part of a SIP URI, such as probe");
}

static void read_ca(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;
	const char *text;

	if (!has_use(reader, value, probe, has_tls(probe)))
		return;
	probe->ca_position = value->position;
	text = reader_text(reader, value);
	if (text && text[0] == '/' && strlen(text) < PATH_MAX && config_is_printable(text))
		set_text(reader, probe, text);
	else if (text)
		reader_refuse(reader, value, "the path of a file, such as /etc/sipxdp/ca.pem");
}

static void read_sni(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;
	const char *text;

	if (!has_use(reader, value, probe, has_tls(probe)))
		return;
	text = reader_text(reader, value);
	if (text && host_name_is_valid(text))
		set_text(reader, probe, text);
	else if (text)
		reader_refuse(reader, value, "the name of a host, such as sip.example.net");
}

static void read_verify(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;

	if (has_use(reader, value, probe, has_tls(probe)))
		reader_truth(reader, value, &probe->verify);
}

/* --- the whole */

#define MEMBER(name) .member = offsetof(struct config_probe, name)

/* The type comes first and the transport next: the others depend on them. */
const struct key config_probe_keys[] = {
	{.name = "type", .required = true, .read = read_type, .write = write_type, .flags = KEY_ALWAYS},
	{.name = "transport", .read = read_transport, .write = write_transport, .flags = KEY_ALWAYS},
	{.name = "via", .read = read_via, .write = write_via},
	{.name = "port", .read = read_port, .write = config_write_u16, MEMBER(port)},
	{.name = "interval", .read = read_interval, .write = config_write_time, MEMBER(interval)},
	{.name = "timeout", .read = read_timeout, .write = config_write_time, MEMBER(timeout)},
	{.name = "fall", .read = read_count, .write = config_write_u32, MEMBER(fall)},
	{.name = "rise", .read = read_count, .write = config_write_u32, MEMBER(rise)},
	{.name = "ok_codes", .read = read_ok_codes, .write = write_ok_codes},
	{.name = "from", .read = read_uri, .write = config_write_text, MEMBER(from)},
	{.name = "request_uri", .read = read_uri, .write = config_write_text, MEMBER(request_uri)},
	{.name = "user", .read = read_user, .write = config_write_text, MEMBER(user)},
	{.name = "ca", .read = read_ca, .write = config_write_text, MEMBER(ca)},
	{.name = "sni", .read = read_sni, .write = config_write_text, MEMBER(sni)},
	{.name = "verify", .read = read_verify, .write = config_write_truth, MEMBER(verify)},
	{},
};

#undef MEMBER

void config_read_probe(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;
	char noun[NAME_SIZE + 32];

	if (value->kind != NODE_MAPPING) {
		read_type(reader, value, &pool->probe);
		return;
	}
	pool->probe.type = TYPE_UNKNOWN;
	snprintf(noun, sizeof(noun), "the probe of %s", reader->label);
	reader_mapping(reader, value, noun, config_probe_keys, &pool->probe);
}

static uint8_t protocol_of(const struct config_probe *probe)
{
	bool udp = is_sip(probe) && probe->transport == TRANSPORT_UDP;

	return udp ? IPPROTO_UDP : IPPROTO_TCP;
}

const struct config_service *config_probed_service(const struct config *config, const struct config_pool *pool)
{
	return pool->probed_service == CONFIG_NO_SERVICE ? NULL : &config->services[pool->probed_service];
}

static bool can_be_asked(const struct config_service *service, const struct config_probe *probe)
{
	return has_port(probe) && service->port && service->protocol == protocol_of(probe);
}

/* Finds for each pool the first service that uses it, or that its probe can ask, too. */
static void find_services(struct config *config, bool to_ask)
{
	for (size_t i = config->service_count; i-- > 0;) {
		size_t pools[METHOD_COUNT], count = config_service_pools(&config->services[i], pools);

		for (size_t j = 0; j < count; j++) {
			struct config_pool *pool = &config->pools[pools[j]];

			if (!to_ask || can_be_asked(&config->services[i], &pool->probe))
				pool->probed_service = i;
		}
	}
}

static void check_port(const struct config *config, const struct config_pool *pool, struct faults *faults)
{
	const struct config_service *service = config_probed_service(config, pool);
	const struct config_probe *probe = &pool->probe;

	if (service && !probe->port && has_port(probe) && !can_be_asked(service, probe))
		faults_add(faults, pool->position,
			"pool %s: its probe needs a 'port', because no %s service of the pool has one", pool->name,
			config_protocol_name(protocol_of(probe)));
}

void config_resolve_probes(struct config *config, struct faults *faults)
{
	size_t i;

	for (i = 0; i < config->pool_count; i++)
		config->pools[i].probed_service = CONFIG_NO_SERVICE;
	find_services(config, false);
	for (i = 0; i < config->pool_count; i++) {
		const struct config_service *first = config_probed_service(config, &config->pools[i]);
		struct config_probe *probe = &config->pools[i].probe;

		if (probe->type != PROBE_NONE && probe->transport == TRANSPORT_OF_SERVICE)
			probe->transport = first && first->protocol == IPPROTO_TCP ? TRANSPORT_TCP : TRANSPORT_UDP;
	}
	find_services(config, true);
	for (i = 0; i < config->pool_count; i++)
		if (config->pools[i].probe.type != PROBE_NONE)
			check_port(config, &config->pools[i], faults);
}
