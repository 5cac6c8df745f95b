// SPDX-License-Identifier: GPL-2.0
/* The TCP socket of `join:`: POST with JSON. */
#include <string.h>
#include "core/base/memory.h"
#include "core/control/protocol.h"
#include "ctl/daemon/http/http_server.h"
#include "join_private.h"

#define TOO_LONG "a request may have at most 4096 bytes"
#define REQUEST_TIME 2000 /* ms from the connection to the end of the response */

struct join_http {
	struct http_server *server;
	struct join_listener *listener;
};

struct body {
	size_t length;
	bool is_too_long;
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

static struct endpoint peer_of(struct MHD_Connection *connection)
{
	return endpoint_of(MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
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

/* The length of a chunked body is not known before its end. */
static void append(struct body *body, const char *piece, size_t length)
{
	body->is_too_long |= length > sizeof(body->text) - body->length;
	if (body->is_too_long)
		return;
	memcpy(body->text + body->length, piece, length);
	body->length += length;
}

/* Called once the headers are complete, then for each part of the body, then at its end. */
static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *path, const char *method,
	const char *version, const char *piece, size_t *piece_length, void **state)
{
	struct join_http *http = data;
	struct body *body = *state;

	(void)version;
	if (!body) {
		if (strcmp(http_server_path(path), "/"))
			return refuse(http, connection, 404, "not found: send requests to /");
		if (strcmp(method, MHD_HTTP_METHOD_POST))
			return refuse(http, connection, 405, "only POST is accepted");
		if (is_too_long(connection))
			return refuse(http, connection, 413, TOO_LONG);
		*state = allocate(1, sizeof(*body));
		return MHD_YES;
	}
	if (!*piece_length)
		return body->is_too_long ? refuse(http, connection, 413, TOO_LONG) : take(http, connection, body);
	append(body, piece, *piece_length);
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

static enum http_client classify(void *data, struct endpoint peer)
{
	struct join_http *http = data;

	switch (join_listener_classify(http->listener, peer)) {
	case JOIN_OUTSIDER:
		return HTTP_OUTSIDER;
	case JOIN_STRANGER:
		return HTTP_STRANGER;
	case JOIN_KNOWN:
		return HTTP_KNOWN;
	}
	return HTTP_OUTSIDER;
}

static void on_lost(void *data)
{
	struct join_http *http = data;

	join_listener_count_lost(http->listener, JOIN_LOST_CONNECTIONS, 1);
}

/* --- setup and cleanup */

static const struct http_service service = {
	.request_time = REQUEST_TIME,
	.classify = classify,
	.on_lost = on_lost,
	.on_request = on_request,
	.on_completed = on_completed,
};

int join_http_new(struct join_http **out, sd_event *event, struct endpoint where, struct join_listener *listener)
{
	struct join_http *http = allocate(1, sizeof(*http));
	int error;

	http->listener = listener;
	error = http_server_new(&http->server, event, where, &service, http);
	if (error) {
		free(http);
		return error;
	}
	*out = http;
	return 0;
}

void join_http_free(struct join_http *http)
{
	if (!http)
		return;
	http_server_free(http->server);
	free(http);
}
