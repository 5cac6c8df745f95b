/* SPDX-License-Identifier: GPL-2.0 */
/* A listening socket for HTTP in the event loop, with libmicrohttpd in single-threaded mode. Limits the
 * number of connections in total and per client, the duration of a request, and the memory for its headers.
 * A slow client blocks only its own connection. */
#pragma once

#include <stdbool.h>
#include <microhttpd.h>
#include <systemd/sd-event.h>
#include "endpoint_socket.h"

struct http_server;

enum http_client {
	HTTP_OUTSIDER, /* the server closes every connection of this client */
	HTTP_STRANGER,
	HTTP_KNOWN, /* may use the connections that are reserved for known clients */
};

struct http_service {
	unsigned int request_time; /* maximum ms until the client has read the response */
	enum http_client (*classify)(void *data, struct endpoint client); /* NULL: all are strangers */
	void (*on_lost)(void *data); /* no descriptor was free for a new connection; or NULL */
	MHD_AccessHandlerCallback on_request;
	MHD_RequestCompletedCallback on_completed;
};

/* Listens; calls the functions of `service` with `data` in the thread of the loop. 0 or -errno. */
int http_server_new(struct http_server **out, sd_event *event, struct endpoint where,
	const struct http_service *service, void *data);

/* Calls on_request again for a connection that MHD_suspend_connection() has suspended. */
void http_server_resume(struct http_server *server, struct MHD_Connection *connection);

/* The path of a request. Its target may also be a complete URI (RFC 9112, section 3.2.2): http://lb1:9464/metrics. */
const char *http_server_path(const char *target);

/* Closes every connection. No connection may be suspended at this time. */
void http_server_free(struct http_server *server);
