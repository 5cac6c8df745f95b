// SPDX-License-Identifier: GPL-2.0
/* The TCP socket of `join:`: POST with JSON, by libmicrohttpd. It has its sockets in an
 * epoll of its own, and that is one of our loop's; there is no thread. What a client can
 * hold is bounded in number, bytes and time. */
#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../core/memory.h"
#include "../core/protocol.h"
#include "join_private.h"

#define BACKLOG 128
#define CONNECTIONS 256
#define CONNECTIONS_OF_ONE 16   /* address */
#define CONNECTION_MEMORY 16384 /* bytes */
#define CONNECTION_TIMEOUT 10   /* seconds without a byte */

struct join_http {
	struct MHD_Daemon *daemon;
	sd_event_source *io, *timer;
	struct joining *joining;
};

struct body {
	size_t length;
	char text[JOIN_REQUEST_MAX];
};

/* --- one request */

static enum MHD_Result reply(struct MHD_Connection *connection, const struct join_answer *answer)
{
	json_t *json = answer->status == 200 ? protocol_ok(json_string(answer->text))
					     : protocol_error(NULL, "%s", answer->text);
	size_t length = 0;
	char *line = json ? protocol_encode(json, &length) : NULL;
	struct MHD_Response *response =
		line ? MHD_create_response_from_buffer(length, line, MHD_RESPMEM_MUST_FREE) : NULL;
	enum MHD_Result result;

	json_decref(json);
	if (!response) {
		free(line);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (answer->status == 401) /* RFC 9110, 15.5.2 */
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "X-Sipxdp-Signature");
	if (answer->status == 405)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "POST");
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

static struct join_peer peer_of(struct MHD_Connection *connection)
{
	return join_peer_of(MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
}

static enum MHD_Result refuse(
	struct join_http *http, struct MHD_Connection *connection, unsigned int status, const char *text)
{
	struct join_answer answer = {.status = status};

	snprintf(answer.text, sizeof(answer.text), "%s", text);
	joining_refused(http->joining, &answer, peer_of(connection));
	return reply(connection, &answer);
}

static struct span header(struct MHD_Connection *connection, const char *name)
{
	const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name) ?: "";

	return (struct span){value, value + strlen(value)};
}

static enum MHD_Result take(struct join_http *http, struct MHD_Connection *connection, const struct body *body)
{
	struct join_request request = {
		.text = {body->text, body->text + body->length},
		.time = header(connection, "X-Sipxdp-Time"),
		.signature = header(connection, "X-Sipxdp-Signature"),
		.is_json = true,
	};
	struct join_answer answer = joining_take(http->joining, &request, peer_of(connection));

	return reply(connection, &answer);
}

static bool is_too_long(struct MHD_Connection *connection)
{
	return strtoull(header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH).at, NULL, 10) > JOIN_REQUEST_MAX;
}

/* Is called when the headers are there, with each piece of the body, and at its end. */
static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *path, const char *method,
	const char *version, const char *piece, size_t *piece_length, void **state)
{
	struct join_http *http = data;
	struct body *body = *state;

	(void)version;
	if (!body) {
		if (strcmp(path, "/"))
			return refuse(http, connection, 404, "nothing is here: requests go to /");
		if (strcmp(method, MHD_HTTP_METHOD_POST))
			return refuse(http, connection, 405, "only POST is taken here");
		if (is_too_long(connection))
			return refuse(http, connection, 413, "a request has 4096 bytes at most");
		*state = allocate(1, sizeof(*body));
		return MHD_YES;
	}
	if (!*piece_length)
		return take(http, connection, body);
	if (*piece_length > sizeof(body->text) - body->length)
		return MHD_NO; /* in chunks, and too long: hung up on */
	memcpy(body->text + body->length, piece, *piece_length);
	body->length += *piece_length;
	*piece_length = 0;
	return MHD_YES;
}

static void on_completed(
	void *data, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
	(void)data, (void)connection, (void)code;
	free(*state);
	*state = NULL;
}

/* --- the loop */

/* What libmicrohttpd has still to do by itself, and when: ends of connections, mostly. */
static int set_timer(struct join_http *http)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(http->daemon, &ms) != MHD_YES)
		return sd_event_source_set_enabled(http->timer, SD_EVENT_OFF);
	sd_event_source_set_time_relative(http->timer, ms * 1000);
	return sd_event_source_set_enabled(http->timer, SD_EVENT_ONESHOT);
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct join_http *http = data;

	(void)source, (void)fd, (void)events;
	MHD_run(http->daemon);
	return set_timer(http);
}

static int on_timer(sd_event_source *source, uint64_t now, void *data)
{
	struct join_http *http = data;

	(void)source, (void)now;
	MHD_run(http->daemon);
	return set_timer(http);
}

/* Takes the socket over. */
static struct MHD_Daemon *start(struct join_http *http, int fd, bool ipv6)
{
	return MHD_start_daemon(MHD_USE_EPOLL | (ipv6 ? MHD_USE_IPv6 : 0), 0, NULL, NULL, on_request, http,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_OF_ONE,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned int)CONNECTION_TIMEOUT, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
}

static int join_loop(struct join_http *http, sd_event *event)
{
	int fd = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	int error = sd_event_add_io(event, &http->io, fd, EPOLLIN, on_ready, http);

	if (error >= 0)
		error = sd_event_add_time_relative(event, &http->timer, CLOCK_MONOTONIC, 0, 0, on_timer, http);
	return error < 0 ? error : 0;
}

int join_http_new(struct join_http **out, sd_event *event, struct join_peer where, struct joining *joining)
{
	int fd = join_socket(where, SOCK_STREAM), error;
	struct join_http *http;

	if (fd < 0)
		return fd;
	if (listen(fd, BACKLOG) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	http = allocate(1, sizeof(*http));
	http->joining = joining;
	http->daemon = start(http, fd, !address_is_ipv4(&where.address));
	if (!http->daemon)
		close(fd);
	error = http->daemon ? join_loop(http, event) : -ENOMEM;
	if (error) {
		join_http_free(http);
		return error;
	}
	*out = http;
	return 0;
}

void join_http_free(struct join_http *http)
{
	if (!http)
		return;
	sd_event_source_disable_unref(http->io);
	sd_event_source_disable_unref(http->timer);
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	free(http);
}
