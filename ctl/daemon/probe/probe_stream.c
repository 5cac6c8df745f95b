// SPDX-License-Identifier: GPL-2.0
/* Probes over a connection. Each probe opens a new connection, and tests the connection itself, the TLS handshake,
 * or SIP over TCP or TLS. A probe runs its steps until it must wait for the socket,
 * or has read from it once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "core/base/memory.h"
#include "probe_private.h"

#define STREAM_SIZE 16384 /* size limit of a response */

enum step {
	STEP_CONNECT,
	STEP_HANDSHAKE,
	STEP_SEND,
	STEP_RECEIVE,
};

struct stream {
	enum step step;
	SSL *tls;
	size_t length; /* bytes in the buffer: first the request, then the response */
	size_t sent;   /* bytes of the request sent */
	char buffer[STREAM_SIZE];
};

/* --- reading and writing, with or without TLS; results as in probe_tls.c */

static ssize_t result_of(ssize_t result, uint32_t wanted, uint32_t *events)
{
	*events = wanted;
	return result < 0 ? -errno : result;
}

static ssize_t read_some(struct prober *prober, char *buffer, size_t size, uint32_t *events)
{
	if (prober->stream->tls)
		return probe_tls_read(prober->stream->tls, buffer, size, events);
	return result_of(recv(prober->fd, buffer, size, 0), EPOLLIN, events);
}

static ssize_t write_some(struct prober *prober, const char *buffer, size_t size, uint32_t *events)
{
	if (prober->stream->tls)
		return probe_tls_write(prober->stream->tls, buffer, size, events);
	return result_of(send(prober->fd, buffer, size, MSG_NOSIGNAL), EPOLLOUT, events);
}

/* --- the steps. A step returns true if the next step can run at once, false if it must wait or the probe has ended. */

static bool enter(struct prober *prober, enum step step, const char *awaited)
{
	prober->stream->step = step;
	prober->awaited = awaited;
	return true;
}

/* Handles a result of 0 or below. */
static bool wait_or_fail(struct prober *prober, ssize_t result, uint32_t events)
{
	if (result == -EAGAIN)
		probe_socket_wait(prober, events);
	else if (result == -EPROTO && prober->stream->tls)
		probe_tls_fail(prober, prober->stream->tls);
	else if (result == 0)
		probe_fail(prober, "connection closed, no %s", prober->awaited);
	else
		probe_fail(prober, "%s, no %s", strerror(-result), prober->awaited);
	return false;
}

static bool begin_handshake(struct prober *prober)
{
	SSL *tls = probe_tls_new(prober);

	if (!tls)
		return false;
	prober->stream->tls = tls;
	return enter(prober, STEP_HANDSHAKE, "TLS handshake");
}

static bool begin_request(struct prober *prober)
{
	int length = probe_message_write(&prober->message, prober->stream->buffer);

	if (length < 0) {
		probe_fail_errno(prober, "cannot write the request", length);
		return false;
	}
	prober->stream->length = length;
	return enter(prober, STEP_SEND, probe_response_name(prober));
}

static bool finish_connect(struct prober *prober)
{
	const struct config_probe *probe = &prober->profile->probe;
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(prober->fd, SOL_SOCKET, SO_ERROR, &error, &size))
		error = errno;
	if (error) {
		probe_fail_errno(prober, "cannot connect", -error);
		return false;
	}
	if (probe->type == PROBE_TCP) {
		probe_pass(prober);
		return false;
	}
	if (probe->type == PROBE_TLS || probe->transport == TRANSPORT_TLS)
		return begin_handshake(prober);
	return begin_request(prober);
}

static bool handshake(struct prober *prober)
{
	uint32_t events;
	ssize_t result = probe_tls_connect(prober->stream->tls, &events);

	if (result <= 0)
		return wait_or_fail(prober, result, events);
	if (prober->profile->probe.type != PROBE_TLS)
		return begin_request(prober);
	probe_pass(prober);
	return false;
}

static bool send_request(struct prober *prober)
{
	struct stream *stream = prober->stream;
	uint32_t events;
	ssize_t result = write_some(prober, stream->buffer + stream->sent, stream->length - stream->sent, &events);

	if (result <= 0)
		return wait_or_fail(prober, result, events);
	stream->sent += result;
	if (stream->sent < stream->length)
		return true;
	stream->length = 0;
	return enter(prober, STEP_RECEIVE, prober->awaited);
}

/* Checks each complete message in the buffer, until a message ends the probe. */
static bool take_messages(struct prober *prober)
{
	struct stream *stream = prober->stream;
	size_t taken = 0, start, end;
	int found;

	while ((found = probe_message_find(stream->buffer + taken, stream->length - taken, &start, &end)) == 1) {
		probe_take_message(prober, stream->buffer + taken + start, end - start);
		if (!prober->awaited)
			return false;
		taken += end;
	}
	stream->length -= taken;
	memmove(stream->buffer, stream->buffer + taken, stream->length);
	if (found < 0)
		probe_fail(prober, "a response without a readable Content-Length");
	else if (stream->length == sizeof(stream->buffer))
		probe_fail(prober, "a response of more than %zu bytes", sizeof(stream->buffer));
	return prober->awaited;
}

/* Reads once in a turn of the loop: a server can send without an end, and the timeout and all other events must have
 * their turn. The exception is the rest of a TLS record, which epoll does not see. */
static bool receive_response(struct prober *prober)
{
	struct stream *stream = prober->stream;
	uint32_t events;
	ssize_t result =
		read_some(prober, stream->buffer + stream->length, sizeof(stream->buffer) - stream->length, &events);

	if (result <= 0)
		return wait_or_fail(prober, result, events);
	stream->length += result;
	if (!take_messages(prober))
		return false;
	if (stream->tls && SSL_pending(stream->tls))
		return true;
	probe_socket_wait(prober, EPOLLIN);
	return false;
}

static bool (*const STEPS[])(struct prober *prober) = {
	[STEP_CONNECT] = finish_connect,
	[STEP_HANDSHAKE] = handshake,
	[STEP_SEND] = send_request,
	[STEP_RECEIVE] = receive_response,
};

static void ready(struct prober *prober)
{
	while (STEPS[prober->stream->step](prober))
		;
}

static void start(struct prober *prober)
{
	prober->stream = allocate(1, sizeof(*prober->stream));
	enter(prober, STEP_CONNECT, "connection");
	probe_socket_open(prober, SOCK_STREAM, 0, EPOLLOUT);
}

void probe_stream_free(struct prober *prober)
{
	if (!prober->stream)
		return;
	probe_tls_free(prober->stream->tls);
	free(prober->stream);
	prober->stream = NULL;
}

const struct probe_kind probe_stream = {.start = start, .ready = ready};
