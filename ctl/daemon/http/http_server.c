// SPDX-License-Identifier: GPL-2.0
/* See http_server.h. libmicrohttpd keeps its sockets in a separate epoll, which is one source of our
 * loop. This file accepts the connections and passes them to libmicrohttpd, because the library can limit
 * connections only by address and by idle time. core/net/connections.h bounds the number and the time of connections
 * per client. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "core/net/connections.h"
#include "ctl/maps/clock.h"
#include "ctl/daemon/descriptors.h"
#include "http_server.h"

#define BACKLOG 4096
#define AT_ONCE 64 /* connections accepted in one turn of the loop */
#define CONNECTIONS                                                                                                    \
	(CONNECTIONS_KNOWN + CONNECTIONS_STRANGERS + 4 * AT_ONCE) /* including connections that are about to end */
#define CONNECTION_MEMORY 16384                                   /* bytes */
#define TIMER_ACCURACY 10000                                      /* us */
#define PAUSE 1000                                                /* ms, while descriptors are exhausted */

struct http_server {
	struct MHD_Daemon *daemon;
	int fd;
	sd_event_source *newcomers, *io, *timer;
	bool paused;
	struct connections connections;
	const struct http_service *service;
	void *data;
};

/* --- connections */

static struct connection *find_connection(struct http_server *server, int fd)
{
	struct connection *connection;

	TAILQ_FOREACH(connection, &server->connections, entry)
	if (connection->fd == fd && !connection->started)
		return connection;
	return NULL;
}

static void on_connection(
	void *data, struct MHD_Connection *accepted, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct http_server *server = data;
	struct connection *connection = *context;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED && connection) {
		connections_remove(&server->connections, connection);
		*context = NULL;
	} else if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		connection = find_connection(
			server, MHD_get_connection_info(accepted, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
		if (connection)
			connection->started = true;
		*context = connection;
	}
}

/* Ends the stream, so that libmicrohttpd closes the connection. */
static void end_connection(const struct connection *connection)
{
	shutdown(connection->fd, SHUT_RDWR);
}

/* Removes connections that libmicrohttpd has closed because it had no memory. */
static void drop_unstarted(struct http_server *server)
{
	struct connection *connection, *next;

	for (connection = TAILQ_FIRST(&server->connections); connection; connection = next) {
		next = TAILQ_NEXT(connection, entry);
		if (!connection->started)
			connections_remove(&server->connections, connection);
	}
}

static void report_lost(struct http_server *server)
{
	if (server->service->on_lost)
		server->service->on_lost(server->data);
}

static void take_connection(struct http_server *server, int fd, const struct sockaddr *name, socklen_t size)
{
	struct endpoint peer = endpoint_of(name);
	enum http_client client =
		server->service->classify ? server->service->classify(server->data, peer) : HTTP_STRANGER;
	bool lost = client != HTTP_OUTSIDER && descriptors_is_reserved(fd);
	struct connection *connection, *ended;

	if (lost)
		report_lost(server);
	if (client == HTTP_OUTSIDER || lost) {
		close(fd);
		return;
	}
	connection = connections_add(&server->connections, &peer.address, client == HTTP_KNOWN,
		clock_msec() + server->service->request_time, &ended);
	connection->fd = fd;
	if (ended)
		end_connection(ended);
	if (MHD_add_connection(server->daemon, fd, name, size) != MHD_YES)
		connections_remove(&server->connections, connection); /* the library has closed the socket */
}

const char *http_server_path(const char *target)
{
	static const char scheme[] = "http://";
	const char *path;

	if (strncasecmp(target, scheme, strlen(scheme)) != 0)
		return target;
	path = strchr(target + strlen(scheme), '/');
	return path ? path : "/";
}

/* --- the loop */

/* Sets the timer to the next deadline: of a connection, or of libmicrohttpd itself. */
static int set_timer(struct http_server *server)
{
	uint64_t due = connections_due(&server->connections), now = clock_msec();
	uint64_t wait = due == UINT64_MAX ? due : due > now ? due - now : 0;
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(server->daemon, &ms) == MHD_YES && ms < wait)
		wait = ms;
	if (server->paused && wait > PAUSE)
		wait = PAUSE;
	if (wait == UINT64_MAX)
		return sd_event_source_set_enabled(server->timer, SD_EVENT_OFF);
	sd_event_source_set_time(server->timer, (now + wait) * 1000);
	return sd_event_source_set_enabled(server->timer, SD_EVENT_ONESHOT);
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct http_server *server = data;

	(void)source, (void)fd, (void)events;
	MHD_run(server->daemon);
	return set_timer(server);
}

/* Without a free descriptor a new connection stays in the queue and would wake the loop at once. */
static void pause_newcomers(struct http_server *server, bool paused)
{
	server->paused = paused;
	if (paused)
		report_lost(server);
	sd_event_source_set_enabled(server->newcomers, paused ? SD_EVENT_OFF : SD_EVENT_ON);
}

static int on_newcomers(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct http_server *server = data;
	union socket_name name;

	(void)source, (void)events;
	for (int i = 0; i < AT_ONCE; i++) {
		socklen_t size = sizeof(name);
		int newcomer = accept4(fd, &name.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (newcomer >= 0)
			take_connection(server, newcomer, &name.any, size);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_newcomers(server, true);
		if (newcomer < 0 && errno != ECONNABORTED)
			break;
	}
	MHD_run(server->daemon);
	drop_unstarted(server);
	return set_timer(server);
}

/* Reads pending data before it ends overdue connections, so that a late event loop does not end a complete request. */
static int on_timer(sd_event_source *source, uint64_t scheduled, void *data)
{
	struct http_server *server = data;
	struct connection *connection;
	uint64_t now;

	(void)source;
	if (server->paused)
		pause_newcomers(server, false);
	MHD_run(server->daemon);
	now = clock_msec();
	while ((connection = connections_overdue(&server->connections, now, now - scheduled / 1000)))
		end_connection(connection);
	return set_timer(server);
}

/* --- setup and cleanup */

static struct MHD_Daemon *start(struct http_server *server)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
		server->service->on_request, server->data, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_NOTIFY_COMPLETED,
		server->service->on_completed, server->data, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
		MHD_OPTION_END);
}

static int join_loop(struct http_server *server, sd_event *event)
{
	int fd = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	int error = sd_event_add_io(event, &server->io, fd, EPOLLIN, on_ready, server);

	if (error >= 0)
		error = sd_event_add_io(event, &server->newcomers, server->fd, EPOLLIN, on_newcomers, server);
	if (error >= 0)
		error = sd_event_add_time(event, &server->timer, CLOCK_MONOTONIC, 0, TIMER_ACCURACY, on_timer, server);
	if (error >= 0)
		error = sd_event_source_set_enabled(server->timer, SD_EVENT_OFF);
	return error < 0 ? error : 0;
}

int http_server_new(struct http_server **out, sd_event *event, struct endpoint where,
	const struct http_service *service, void *data)
{
	int fd = endpoint_socket(where, SOCK_STREAM), error;
	struct http_server *server;

	if (fd < 0)
		return fd;
	server = allocate(1, sizeof(*server));
	*server = (struct http_server){.fd = fd, .service = service, .data = data};
	TAILQ_INIT(&server->connections);
	error = listen(fd, BACKLOG) < 0 ? -errno : 0;
	if (!error) {
		server->daemon = start(server);
		error = server->daemon ? join_loop(server, event) : -ENOMEM;
	}
	if (error) {
		http_server_free(server);
		return error;
	}
	*out = server;
	return 0;
}

void http_server_resume(struct http_server *server, struct MHD_Connection *connection)
{
	MHD_resume_connection(connection);
	MHD_run(server->daemon);
	set_timer(server);
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	sd_event_source_disable_unref(server->newcomers);
	sd_event_source_disable_unref(server->io);
	sd_event_source_disable_unref(server->timer);
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	drop_unstarted(server);
	close(server->fd);
	free(server);
}
