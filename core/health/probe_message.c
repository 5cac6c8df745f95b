// SPDX-License-Identifier: GPL-2.0
/* See probe_message.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "probe_message.h"
#include "core/sip/span.h"

/* --- Writing */

#define BRANCH_SIZE 32
#define CALL_ID_SIZE 32
#define HOST_TEXT_SIZE (ADDRESS_TEXT_SIZE + sizeof("[]:65535"))

/* The prefix marks a branch that is unique (8.1.1.7). */
static void write_branch(const struct probe_ids *ids, char text[BRANCH_SIZE])
{
	snprintf(text, BRANCH_SIZE, "z9hG4bK%016lx", ids->branch);
}

static void write_call_id(const struct probe_ids *ids, char text[CALL_ID_SIZE])
{
	snprintf(text, CALL_ID_SIZE, "%016lx@sipxdp", ids->call_id);
}

static void write_host(const struct address *address, uint16_t port, char text[HOST_TEXT_SIZE])
{
	char plain[ADDRESS_TEXT_SIZE];

	address_format(address, plain);
	snprintf(text, HOST_TEXT_SIZE, address_is_ipv4(address) ? "%s:%u" : "[%s]:%u", plain, port);
}

static const char *method_name(const struct config_probe *probe)
{
	return probe->type == PROBE_REGISTER ? "REGISTER" : "OPTIONS";
}

static const char *transport_name(enum probe_transport transport)
{
	switch (transport) {
	case TRANSPORT_UDP:
		return "UDP";
	case TRANSPORT_TCP:
		return "TCP";
	case TRANSPORT_TLS:
		return "TLS";
	}
	return "";
}

struct uris {
	char request[PROBE_MESSAGE_SIZE / 4];
	char from[PROBE_MESSAGE_SIZE / 4];
	char to[PROBE_MESSAGE_SIZE / 4];
};

static bool print(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static bool print(char *text, size_t size, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, size, format, arguments);
	va_end(arguments);
	return length >= 0 && (size_t)length < size;
}

/* The Request-URI of a REGISTER is a domain. To is the address of record; the response lists its bindings (10.2). */
static bool choose_uris(const struct probe_message *m, const char *local, const char *target, struct uris *uris)
{
	const struct config_probe *probe = m->probe;
	bool registers = probe->type == PROBE_REGISTER;
	const char *user = probe->user ?: registers ? "sipxdp" : "", *at = *user ? "@" : "";
	bool fits;

	if (probe->request_uri)
		fits = print(uris->request, sizeof(uris->request), "%s", probe->request_uri);
	else if (registers)
		fits = print(uris->request, sizeof(uris->request), "sip:%s", target);
	else
		fits = print(uris->request, sizeof(uris->request), "sip:%s%s%s", user, at, target);
	if (probe->from)
		return fits && print(uris->from, sizeof(uris->from), "%s", probe->from) &&
		       print(uris->to, sizeof(uris->to), "%s", probe->from);
	return fits && print(uris->to, sizeof(uris->to), "sip:%s%s%s", user, at, target) &&
	       print(uris->from, sizeof(uris->from), "sip:%s@%s", registers ? user : "sipxdp",
		       registers ? target : local);
}

int probe_message_write(const struct probe_message *m, char buffer[PROBE_MESSAGE_SIZE])
{
	const char *method = method_name(m->probe), *transport = transport_name(m->probe->transport);
	char branch[BRANCH_SIZE], call_id[CALL_ID_SIZE], local[HOST_TEXT_SIZE], target[HOST_TEXT_SIZE];
	char contact[HOST_TEXT_SIZE + 64] = "";
	struct uris uris;

	write_branch(&m->ids, branch);
	write_call_id(&m->ids, call_id);
	write_host(&m->local, m->local_port, local);
	write_host(&m->target, m->target_port, target);
	if (!choose_uris(m, local, target, &uris))
		return -EMSGSIZE;
	if (m->probe->type == PROBE_OPTIONS)
		snprintf(contact, sizeof(contact), "Contact: <sip:sipxdp@%s>\r\nAccept: application/sdp\r\n", local);
	if (!print(buffer, PROBE_MESSAGE_SIZE,
		    "%s %s SIP/2.0\r\n"
		    "Via: SIP/2.0/%s %s;rport;branch=%s\r\n"
		    "Max-Forwards: 0\r\n"
		    "From: <%s>;tag=%016lx\r\n"
		    "To: <%s>\r\n"
		    "Call-ID: %s\r\n"
		    "CSeq: 1 %s\r\n"
		    "%s"
		    "User-Agent: sipxdp\r\n"
		    "Content-Length: 0\r\n"
		    "\r\n",
		    method, uris.request, transport, local, branch, uris.from, m->ids.tag, uris.to, call_id, method,
		    contact))
		return -EMSGSIZE;
	return strlen(buffer);
}

/* --- Checking responses */

/* Does the first value of the Via header have this branch? */
static bool has_branch(struct span via, const char *branch)
{
	struct span name, value;

	span_take_unquoted(&via, ';', ',');
	while (span_take_parameter(&via, &name, &value))
		if (span_equals(name, "branch"))
			return span_equals(value, branch);
	return false;
}

static bool has_cseq(struct span value, const char *method)
{
	const char *at = value.at;

	while (at < value.end && !span_is_space(*at))
		at++;
	return span_number((struct span){value.at, at}) == 1 &&
	       span_equals(span_trim((struct span){at, value.end}), method);
}

/* Reads "SIP/2.0 503 Service Unavailable": returns the code, and copies code and reason as printable ASCII. */
static unsigned int take_status(struct span line, char status[PROBE_STATUS_SIZE])
{
	struct span version = span_take(&line, ' '), digits = span_take(&line, ' ');
	long code = span_number(digits);
	size_t length;

	if (!span_equals(version, "SIP/2.0") || digits.end - digits.at != 3 || code < 100 || code >= STATUS_CODE_END)
		return 0;
	length = snprintf(status, PROBE_STATUS_SIZE, "%ld%s", code, line.at < line.end ? " " : "");
	for (; line.at < line.end && length < PROBE_STATUS_SIZE - 1; line.at++)
		status[length++] = *line.at >= ' ' && *line.at <= '~' ? *line.at : '?';
	status[length] = '\0';
	return code;
}

/* If a message repeats one of these headers, the first one counts. */
enum {
	SEEN_VIA = 1,
	SEEN_CALL_ID = 2,
	SEEN_CSEQ = 4,
	SEEN_ALL = 7,
};

/* False if this line shows that the message is the response to a different request. */
static bool check_line(const struct probe_message *m, struct span line, int *seen)
{
	char text[BRANCH_SIZE > CALL_ID_SIZE ? BRANCH_SIZE : CALL_ID_SIZE];

	if (!(*seen & SEEN_VIA) && span_take_name(&line, "Via", "v")) {
		*seen |= SEEN_VIA;
		write_branch(&m->ids, text);
		return has_branch(line, text);
	}
	if (!(*seen & SEEN_CALL_ID) && span_take_name(&line, "Call-ID", "i")) {
		*seen |= SEEN_CALL_ID;
		write_call_id(&m->ids, text);
		return span_equals(line, text);
	}
	if (!(*seen & SEEN_CSEQ) && span_take_name(&line, "CSeq", NULL)) {
		*seen |= SEEN_CSEQ;
		return has_cseq(line, method_name(m->probe));
	}
	return true;
}

unsigned int probe_message_check(
	const struct probe_message *m, const char *response, size_t length, char status[PROBE_STATUS_SIZE])
{
	struct span rest = {response, response + length}, line;
	unsigned int code;
	int seen = 0;

	span_take_line(&rest, &line);
	code = take_status(line, status);
	if (!code)
		return 0;
	while (seen != SEEN_ALL) {
		span_take_line(&rest, &line);
		if (line.at == line.end ||
			!check_line(
				m, line, &seen)) /* the headers end, or the response belongs to a different request */
			return 0;
	}
	return code;
}

/* "95", or "95 %". Some servers count each processor as 100 %. */
static int load_of(struct span value)
{
	long load;

	if (value.at < value.end && value.end[-1] == '%')
		value = span_trim((struct span){value.at, value.end - 1});
	load = span_number(value);
	return load <= 100 ? load : 100;
}

int probe_message_load(const char *header, const char *response, size_t length)
{
	struct span rest = {response, response + length}, line;

	while (span_take_line(&rest, &line) && line.at < line.end)
		if (span_take_name(&line, header, NULL))
			return load_of(line);
	return -1;
}

/* --- Streams */

/* Reads the headers and the blank line. Returns the value of Content-Length, or 0 if the header is missing; -EAGAIN if
 * the blank line has not arrived; -EBADMSG if a header is invalid. */
static long take_headers(struct span *rest)
{
	long length = -1;
	struct span line;

	while (span_take_line(rest, &line)) {
		if (line.at == line.end)
			return length < 0 ? 0 : length;
		if (!span_take_name(&line, "Content-Length", "l"))
			continue;
		if (span_number(line) < 0 || (length >= 0 && length != span_number(line)))
			return -EBADMSG;
		length = span_number(line);
	}
	return -EAGAIN;
}

int probe_message_find(const char *stream, size_t length, size_t *start, size_t *end)
{
	struct span rest = {stream, stream + length};
	long body;

	while (rest.at < rest.end && span_is_newline(*rest.at))
		rest.at++;
	*start = rest.at - stream;
	body = take_headers(&rest);
	if (body == -EBADMSG)
		return -EBADMSG;
	if (body < 0 || rest.end - rest.at < body)
		return 0;
	*end = rest.at - stream + body;
	return 1;
}

/* --- Echo (RFC 792, RFC 4443) */

#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO 8
#define ICMPV6_ECHO 128
#define ICMPV6_ECHO_REPLY 129

/* A ping socket replaces the identifier of the request, so this function compares the data. */
struct echo {
	uint8_t type, code;
	uint16_t checksum;
	uint16_t id, sequence;
	struct probe_ids data;
};

_Static_assert(sizeof(struct echo) == PROBE_ECHO_SIZE, "echo");

/* RFC 1071. */
static uint16_t checksum_of(const uint8_t *bytes, size_t length)
{
	uint32_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i + 1 < length; i += 2) {
		memcpy(&word, bytes + i, sizeof(word));
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

void probe_echo_write(const struct probe_ids *ids, bool ipv6, uint8_t buffer[PROBE_ECHO_SIZE])
{
	struct echo echo = {.type = ipv6 ? ICMPV6_ECHO : ICMP_ECHO, .id = ids->tag, .sequence = htons(1), .data = *ids};

	memcpy(buffer, &echo, sizeof(echo));
	echo.checksum = checksum_of(buffer, sizeof(echo));
	memcpy(buffer, &echo, sizeof(echo));
}

bool probe_echo_matches(const struct probe_ids *ids, bool ipv6, const uint8_t *packet, size_t length)
{
	struct echo echo;
	size_t header = !ipv6 && length && packet[0] >> 4 == 4 ? (packet[0] & 0xf) * 4 : 0;

	if (length < header || length - header < sizeof(echo))
		return false;
	memcpy(&echo, packet + header, sizeof(echo));
	return echo.type == (ipv6 ? ICMPV6_ECHO_REPLY : ICMP_ECHO_REPLY) && echo.code == 0 &&
	       memcmp(&echo.data, ids, sizeof(*ids)) == 0;
}
