// SPDX-License-Identifier: GPL-2.0
/* The key `probe:` of a pool: a word, or a mapping with keys of its own. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "config_private.h"

#define INTERVAL_MIN 100 /* ms */
#define TIMEOUT_MIN 10
#define COUNT_MAX 100
#define URI_EXPECTED "a SIP URI, such as sip:probe@example.net"
#define TEXT_LENGTH_MAX 255 /* so that a request fits into one packet */

/* Values that exist only while a probe is being read. */
#define TYPE_UNKNOWN ((enum probe_type) - 1) /* the type is unreadable: no other key is refused because of it */

/* --- defaults */

/* Responses of a working server: redirections, refusals and 501 (method not implemented) count as
 * success. All other 5xx codes are failures. */
static bool code_is_usually_ok(unsigned int code)
{
	return code >= 200 && (code / 100 != 5 || code == 501);
}

void config_default_probe(struct config_probe *probe, enum probe_type type)
{
	unsigned int code;

	*probe = (struct config_probe){
		.type = type, .interval = 2 * SECOND, .timeout = SECOND, .fall = 3, .rise = 2, .verify = true};
	for (code = 0; code < STATUS_CODE_END; code++) {
		if (code_is_usually_ok(code))
			config_add_code(probe->ok_codes, code);
	}
}

/* --- which keys are valid for a type */

bool config_probe_is_sip(const struct config_probe *probe)
{
	return probe->type == PROBE_OPTIONS || probe->type == PROBE_REGISTER;
}

bool config_probe_has_port(const struct config_probe *probe)
{
	return probe->type != PROBE_NONE && probe->type != PROBE_ICMP;
}

static bool has_tls(const struct config_probe *probe)
{
	return probe->type == PROBE_TLS || (config_probe_is_sip(probe) && probe->transport == TRANSPORT_TLS);
}

static bool is_known(const struct config_probe *probe)
{
	return probe->type != TYPE_UNKNOWN;
}

static bool probes(const void *object)
{
	return ((const struct config_probe *)object)->type != PROBE_NONE;
}

static bool uses_port(const void *object)
{
	return !is_known(object) || config_probe_has_port(object);
}

static bool uses_sip(const void *object)
{
	return !is_known(object) || config_probe_is_sip(object);
}

static bool uses_options(const void *object)
{
	return !is_known(object) || ((const struct config_probe *)object)->type == PROBE_OPTIONS;
}

static bool uses_tls(const void *object)
{
	return !is_known(object) || has_tls(object);
}

static const struct key_condition not_for_none = {probes, "not for type none"};
static const struct key_condition only_with_port = {uses_port, "not for types none and icmp"};
static const struct key_condition only_sip = {uses_sip, "only for types options and register"};
static const struct key_condition only_options = {uses_options, "only for type options"};
static const struct key_condition only_tls = {
	uses_tls, "only for type tls, and for options and register with transport tls"};

/* --- type, transport and destination */

const struct word config_probe_types[] = {
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
	const struct word *word = config_probe_types;

	while (word->value != (int)type)
		word++;
	return word->text;
}

static void read_type(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;
	int type;

	if (!reader_word(reader, value, &type))
		return;
	probe->type = type;
	if (config_probe_is_sip(probe))
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
	int transport = TRANSPORT_TLS; /* an unreadable transport causes no further faults */

	reader_word(reader, value, &transport);
	probe->transport = transport;
}

/* Writes the transport for each type that has one, even if it is the default, because the default depends on a
 * service. */
static void write_transport(const struct writer *writer, const struct key *key, const void *object)
{
	const struct config_probe *probe = object;

	(void)key;
	if (config_probe_is_sip(probe))
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

	if (reader_word(reader, value, &to_address))
		probe->to_address = to_address;
}

static void write_via(const struct writer *writer, const struct key *key, const void *object)
{
	(void)key;
	fputs(((const struct config_probe *)object)->to_address ? "address" : "vip", writer->out);
}

/* --- times, counts and codes */

static void read_interval(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;

	if (!reader_time(reader, value, &probe->interval))
		probe->interval = HOUR; /* an unreadable interval causes no fault in `timeout:` */
	if (probe->timeout > probe->interval)
		probe->timeout = probe->interval;
}

static void read_timeout(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;
	char interval[DURATION_TEXT_SIZE], expected[64];
	uint32_t timeout;

	if (!reader_time(reader, value, &timeout))
		return;
	snprintf(expected, sizeof(expected), "at most the interval, %s", duration_format(probe->interval, interval));
	if (timeout > probe->interval)
		reader_refuse(reader, value, expected);
	probe->timeout = timeout;
}

static void read_ok_codes(struct reader *reader, const struct node *value, void *object)
{
	config_read_codes(reader, value, ((struct config_probe *)object)->ok_codes);
}

static void write_ok_codes(const struct writer *writer, const struct key *key, const void *object)
{
	(void)key;
	config_write_codes(writer->out, ((const struct config_probe *)object)->ok_codes);
}

/* --- texts */

static void read_valid_text(
	struct reader *reader, const struct node *value, void *object, bool (*is_valid)(const char *))
{
	const char *text = reader_text(reader, value);

	if (text && is_valid(text))
		*(char **)((char *)object + reader->key->member) = config_copy_text(text);
	else if (text)
		reader_refuse(reader, value, NULL);
}

static bool uri_is_valid(const char *uri)
{
	return strlen(uri) <= TEXT_LENGTH_MAX && strncmp(uri, "sip:", 4) == 0 && uri[4] && config_is_printable(uri) &&
	       !strpbrk(uri, " \"<>");
}

static void read_uri(struct reader *reader, const struct node *value, void *object)
{
	read_valid_text(reader, value, object, uri_is_valid);
}

static bool user_is_valid(const char *user) /* RFC 3261, section 25.1 */
{
	return strlen(user) <= TEXT_LENGTH_MAX && config_is_printable(user) && !strpbrk(user, " \"#:<>@[\\]^`{|}");
}

static void read_user(struct reader *reader, const struct node *value, void *object)
{
	read_valid_text(reader, value, object, user_is_valid);
}

static bool path_is_valid(const char *path)
{
	return path[0] == '/' && strlen(path) < PATH_MAX && config_is_printable(path);
}

static void read_ca(struct reader *reader, const struct node *value, void *object)
{
	struct config_probe *probe = object;

	probe->ca_position = value->position;
	read_valid_text(reader, value, object, path_is_valid);
}

static void read_sni(struct reader *reader, const struct node *value, void *object)
{
	read_valid_text(reader, value, object, host_name_is_valid);
}

static bool header_is_valid(const char *name) /* a token: RFC 3261, section 25.1 */
{
	return *name && strlen(name) < NAME_SIZE && config_is_printable(name) && !strpbrk(name, " \"(),/:;<=>?@[\\]{}");
}

static void read_header(struct reader *reader, const struct node *value, void *object)
{
	read_valid_text(reader, value, object, header_is_valid);
}

/* --- the table */

#define MEMBER(name) .member = offsetof(struct config_probe, name)

/* The type comes first and the transport second, because all other keys depend on them. */
const struct key config_probe_keys[] = {
	{.name = "type",
		.required = true,
		.read = read_type,
		.write = write_type,
		.flags = KEY_ALWAYS,
		.type = VALUE_WORD,
		.words = config_probe_types,
		.help = "`options` and `register` send a SIP request. `tcp` opens a connection. `tls` opens a "
			"connection and completes the TLS handshake. `icmp` sends an echo request. A key that the type "
			"does not use is refused."},
	{.name = "transport",
		.read = read_transport,
		.write = write_transport,
		.flags = KEY_ALWAYS,
		.type = VALUE_WORD,
		.words = transport_words,
		.usual = "the protocol of the first service that uses the pool",
		.condition = &only_sip,
		.help = "Transport of the request."},
	{.name = "via",
		.read = read_via,
		.condition = &not_for_none,
		.write = write_via,
		.type = VALUE_WORD,
		.words = via_words,
		.usual = "`vip`; with `forward: nat`: `address`",
		.help = "`vip` sends the probe to the VIP on the backend, on the same route as calls. `address` sends "
			"it to the backend's own address."},
	{.name = "port",
		.read = config_read_u16,
		.condition = &only_with_port,
		.write = config_write_u16,
		MEMBER(port),
		.type = VALUE_NUMBER,
		.max = 65535,
		.usual = "0",
		.help = "Destination port. 0 stands for the port of the first service that uses the pool and has the "
			"probe's protocol (TLS: `tcp`). If there is no such service, the key is required."},
	{.name = "interval",
		.read = read_interval,
		.condition = &not_for_none,
		.write = config_write_time,
		MEMBER(interval),
		.type = VALUE_TIME,
		.min = INTERVAL_MIN,
		.max = HOUR,
		.help = "Time from one probe to the next. A random part of up to 10 % is subtracted."},
	{.name = "timeout",
		.read = read_timeout,
		.condition = &not_for_none,
		.write = config_write_time,
		MEMBER(timeout),
		.type = VALUE_TIME,
		.min = TIMEOUT_MIN,
		.max = HOUR,
		.usual = "1s, or `interval` if that is shorter",
		.help = "How long the probe waits for the response. The time must not be longer than `interval`."},
	{.name = "fall",
		.read = config_read_u32,
		.condition = &not_for_none,
		.write = config_write_u32,
		MEMBER(fall),
		.type = VALUE_NUMBER,
		.min = 1,
		.max = COUNT_MAX,
		.help = "Consecutive failures after which a backend is down."},
	{.name = "rise",
		.read = config_read_u32,
		.condition = &not_for_none,
		.write = config_write_u32,
		MEMBER(rise),
		.type = VALUE_NUMBER,
		.min = 1,
		.max = COUNT_MAX,
		.help = "Consecutive successes after which a backend is up."},
	{.name = "ok_codes",
		.read = read_ok_codes,
		.write = write_ok_codes,
		.flags = KEY_LIST,
		.min = 200, /* the probe waits for a final response */
		.expected = "a final SIP status code, or a class of them, such as 200 or 4xx",
		.condition = &only_sip,
		.help = "Status codes that count as success. A server that refuses the request also works; most 5xx "
			"codes report a fault of the server."},
	{.name = "from",
		.read = read_uri,
		.write = config_write_text,
		MEMBER(from),
		.expected = URI_EXPECTED,
		.usual = "made from `user` and the addresses",
		.condition = &only_sip,
		.help = "URI of the From and To headers."},
	{.name = "request_uri",
		.read = read_uri,
		.write = config_write_text,
		MEMBER(request_uri),
		.expected = URI_EXPECTED,
		.usual = "`sip:` and the probed address, for `options` with `user`",
		.condition = &only_sip,
		.help = "Request-URI."},
	{.name = "user",
		.read = read_user,
		.write = config_write_text,
		MEMBER(user),
		.expected = "the user part of a SIP URI, such as probe",
		.usual = "none; for `register`: `sipxdp`",
		.condition = &only_sip,
		.help = "User of the URIs that the daemon makes: for `options` in the Request-URI and To, for "
			"`register` in From and To."},
	{.name = "ca",
		.read = read_ca,
		.write = config_write_text,
		MEMBER(ca),
		.expected = "the absolute path of a file, such as /etc/sipxdp/ca.pem",
		.usual = "the certificates of the system",
		.condition = &only_tls,
		.help = "File of CA certificates (PEM). `--check`, `plan` and `reload` open it."},
	{.name = "sni",
		.read = read_sni,
		.write = config_write_text,
		MEMBER(sni),
		.expected = "the name of a host, such as sip.example.net",
		.usual = "none: the address is verified",
		.condition = &only_tls,
		.help = "Server name that is requested and verified."},
	{.name = "verify",
		.read = config_read_truth,
		.write = config_write_truth,
		MEMBER(verify),
		.type = VALUE_WORD,
		.words = reader_truth_words,
		.condition = &only_tls,
		.help = "Whether the certificate of the backend is verified."},
	{.name = "load_header",
		.read = read_header,
		.write = config_write_text,
		MEMBER(load_header),
		.expected = "the name of a SIP header, such as X-Load",
		.usual = "none",
		.condition = &only_options,
		.help = "Header of the response in which the server reports its load, 0 to 100 (`load_limit` of the "
			"pool)."},
	{},
};

#undef MEMBER

void config_read_probe(struct reader *reader, const struct node *value, void *object)
{
	struct config_pool *pool = object;
	char noun[NAME_SIZE + 32];

	pool->probe.to_address = pool->forward == FORWARD_NAT; /* its backends do not have the VIP */
	if (value->kind != NODE_MAPPING) {
		read_type(reader, value, &pool->probe);
		return;
	}
	pool->probe.type = TYPE_UNKNOWN;
	snprintf(noun, sizeof(noun), "the probe of %s", reader->label);
	reader_mapping(reader, value, noun, config_probe_keys, &pool->probe);
	if (pool->forward == FORWARD_NAT && !pool->probe.to_address)
		faults_add(reader->faults, value->position,
			"'via' of %s must be 'address': backends with 'forward: nat' do not have the VIP", noun);
}
