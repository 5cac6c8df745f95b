// SPDX-License-Identifier: GPL-2.0
/* The TCP socket of `join:`: POST with JSON, by libmicrohttpd without threads. The library has its
 * sockets in an epoll of its own, which is one source of our loop. This file accepts the connections
 * and hands them to the library, because its own limits are only by address and by idle time.
 * core/join/join_connections.h bounds the number and the time of connections per client. */
#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/join/join_connections.h"
#include "core/base/memory.h"
#include "core/control/protocol.h"
#include "ctl/daemon/clock.h"
#include "ctl/daemon/descriptors.h"
#include "join_private.h"

#define BACKLOG 4096
#define AT_ONCE 64 /* connections accepted in one turn of the loop */
#define CONNECTIONS                                                                                                    \
	(JOIN_CONNECTIONS_KNOWN + JOIN_CONNECTIONS_STRANGERS +                                                         \
		4 * AT_ONCE)    /* including connections that are about to end */
#define CONNECTION_MEMORY 16384 /* bytes */
#define TIMER_ACCURACY 10000    /* us */
#define PAUSE 1000              /* ms, while descriptors are exhausted */

struct join_http {
	struct MHD_Daemon *daemon;
	int fd;
	sd_event_source *newcomers, *io, *timer;
	bool paused;
	struct join_connections connections;
	struct join_listener *listener;
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
	join_listener_log_refusal(http->listener, &answer, peer_of(connection));
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
	struct join_answer answer = join_listener_handle(http->listener, &request, peer_of(connection));

	return reply(connection, &answer);
}

static bool is_too_long(struct MHD_Connection *connection)
{
	return strtoull(header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH).at, NULL, 10) > JOIN_REQUEST_MAX;
}

/* Called once the headers are complete, then for each part of the body, then at its end. */
static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *path, const char *method,
	const char *version, const char *piece, size_t *piece_length, void **state)
{
	struct join_http *http = data;
	struct body *body = *state;

	(void)version;
	if (!body) {
		if (strcmp(path, "/"))
			return refuse(http, connection, 404, "not found: send requests to /");
		if (strcmp(method, MHD_HTTP_METHOD_POST))
			return refuse(http, connection, 405, "only POST is accepted");
		if (is_too_long(connection))
			return refuse(http, connection, 413, "a request may have at most 4096 bytes");
		*state = allocate(1, sizeof(*body));
		return MHD_YES;
	}
	if (!*piece_length)
		return take(http, connection, body);
	if (*piece_length > sizeof(body->text) - body->length)
		return MHD_NO; /* a chunked body that is too long: closes the connection */
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

/* --- connections */

static struct join_connection *find_connection(struct join_http *http, int fd)
{
	struct join_connection *connection;

	TAILQ_FOREACH(connection, &http->connections, entry)
	if (connection->fd == fd && !connection->started)
		return connection;
	return NULL;
}

static void on_connection(
	void *data, struct MHD_Connection *accepted, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct join_http *http = data;
	struct join_connection *connection = *context;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED && connection) {
		join_connections_remove(&http->connections, connection);
		*context = NULL;
	} else if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		connection = find_connection(
			http, MHD_get_connection_info(accepted, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
		if (connection)
			connection->started = true;
		*context = connection;
	}
}

/* libmicrohttpd sees the end of the stream and closes the connection. */
static void end_connection(const struct join_connection *connection)
{
	shutdown(connection->fd, SHUT_RDWR);
}

/* Removes connections that libmicrohttpd closed for lack of memory. */
static void drop_unstarted(struct join_http *http)
{
	struct join_connection *connection, *next;

	for (connection = TAILQ_FIRST(&http->connections); connection; connection = next) {
		next = TAILQ_NEXT(connection, entry);
		if (!connection->started)
			join_connections_remove(&http->connections, connection);
	}
}

static void take_connection(struct join_http *http, int fd, const struct sockaddr *name, socklen_t size)
{
	struct join_peer peer = join_peer_of(name);
	enum join_source source = join_listener_classify(http->listener, peer);
	struct join_connection *connection, *ended;

	if (source == JOIN_OUTSIDER || descriptors_is_reserved(fd)) {
		close(fd);
		return;
	}
	connection =
		join_connections_add(&http->connections, &peer.address, source == JOIN_KNOWN, clock_msec(), &ended);
	connection->fd = fd;
	if (ended)
		end_connection(ended);
	if (MHD_add_connection(http->daemon, fd, name, size) != MHD_YES)
		join_connections_remove(&http->connections, connection); /* the library has closed the socket */
}

/* --- the loop */

/* Sets the timer to the next deadline: of a connection, or of libmicrohttpd itself. */
static int set_timer(struct join_http *http)
{
	uint64_t due = join_connections_due(&http->connections), now = clock_msec();
	uint64_t wait = due == UINT64_MAX ? due : due > now ? due - now : 0;
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(http->daemon, &ms) == MHD_YES && ms < wait)
		wait = ms;
	if (http->paused && wait > PAUSE)
		wait = PAUSE;
	if (wait == UINT64_MAX)
		return sd_event_source_set_enabled(http->timer, SD_EVENT_OFF);
	sd_event_source_set_time(http->timer, (now + wait) * 1000);
	return sd_event_source_set_enabled(http->timer, SD_EVENT_ONESHOT);
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct join_http *http = data;

	(void)source, (void)fd, (void)events;
	MHD_run(http->daemon);
	return set_timer(http);
}

/* Without a free descriptor a new connection stays in the queue and would wake the loop at once. */
static void pause_newcomers(struct join_http *http, bool paused)
{
	http->paused = paused;
	sd_event_source_set_enabled(http->newcomers, paused ? SD_EVENT_OFF : SD_EVENT_ON);
}

static int on_newcomers(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct join_http *http = data;
	union join_name name;

	(void)source, (void)events;
	for (int i = 0; i < AT_ONCE; i++) {
		socklen_t size = sizeof(name);
		int newcomer = accept4(fd, &name.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (newcomer >= 0)
			take_connection(http, newcomer, &name.any, size);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_newcomers(http, true);
		if (newcomer < 0 && errno != ECONNABORTED)
			break;
	}
	MHD_run(http->daemon);
	drop_unstarted(http);
	return set_timer(http);
}

/* Reads pending data first. */
static int on_timer(sd_event_source *source, uint64_t scheduled, void *data)
{
	struct join_http *http = data;
	struct join_connection *connection;
	uint64_t now;

	(void)source;
	if (http->paused)
		pause_newcomers(http, false);
	MHD_run(http->daemon);
	now = clock_msec();
	while ((connection = join_connections_overdue(&http->connections, now, now - scheduled / 1000)))
		end_connection(connection);
	return set_timer(http);
}

/* --- setup and cleanup */

static struct MHD_Daemon *start(struct join_http *http)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, http,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
}

static int join_loop(struct join_http *http, sd_event *event)
{
	int fd = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	int error = sd_event_add_io(event, &http->io, fd, EPOLLIN, on_ready, http);

	if (error >= 0)
		error = sd_event_add_io(event, &http->newcomers, http->fd, EPOLLIN, on_newcomers, http);
	if (error >= 0)
		error = sd_event_add_time(event, &http->timer, CLOCK_MONOTONIC, 0, TIMER_ACCURACY, on_timer, http);
	if (error >= 0)
		error = sd_event_source_set_enabled(http->timer, SD_EVENT_OFF);
	return error < 0 ? error : 0;
}

int join_http_new(struct join_http **out, sd_event *event, struct join_peer where, struct join_listener *listener)
{
	int fd = join_socket(where, SOCK_STREAM), error;
	struct join_http *http;

	if (fd < 0)
		return fd;
	http = allocate(1, sizeof(*http));
	*http = (struct join_http){.fd = fd, .listener = listener};
	TAILQ_INIT(&http->connections);
	error = listen(fd, BACKLOG) < 0 ? -errno : 0;
	if (!error) {
		http->daemon = start(http);
		error = http->daemon ? join_loop(http, event) : -ENOMEM;
	}
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
	sd_event_source_disable_unref(http->newcomers);
	sd_event_source_disable_unref(http->io);
	sd_event_source_disable_unref(http->timer);
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	drop_unstarted(http);
	close(http->fd);
	free(http);
}
