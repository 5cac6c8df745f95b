// SPDX-License-Identifier: GPL-2.0
/* See client.h. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "ctl/maps/maps_report.h"
#include "ctl/maps/pin_directory.h"
#include "client.h"
#include "output.h"

#define READ_SIZE ((size_t)64 << 10)
#define DEFAULT_TIMEOUT 60 /* seconds; a healthy daemon needs a few seconds at most */

__attribute__((format(printf, 3, 4))) static int fail(struct client *client, int err, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsnprintf(client->error, sizeof(client->error), format, values);
	va_end(values);
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	return err;
}

void client_open(struct client *client, const char *path, const char *pin_directory)
{
	*client = (struct client){.path = path, .pin_directory = pin_directory, .timeout = DEFAULT_TIMEOUT, .fd = -1};
}

static const char *advice(int error)
{
	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
		return " (is sipxdpd running?)";
	case EACCES:
	case EPERM:
		return " (only root and members of the group sipxdp have access)";
	case EAGAIN:
		return " (sipxdpd does not respond)";
	default:
		return "";
	}
}

static int connect_to_daemon(struct client *client)
{
	struct timeval timeout = {.tv_sec = client->timeout};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(client->path) >= sizeof(address.sun_path))
		return fail(
			client, -ENAMETOOLONG, "cannot connect to %.200s: %s", client->path, strerror(ENAMETOOLONG));
	strcpy(address.sun_path, client->path);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		return fail(client, -errno, "cannot create a socket: %s", strerror(errno));
	setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return fail(client, -errno, "cannot connect to %s: %s%s", client->path, strerror(errno), advice(errno));
	return 0;
}

/* Has the daemon closed the connection? The daemon closes it when it stops, and after a long idle time (a lookup with
 * typed input). Between requests, the daemon sends nothing else. */
static bool is_closed(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

static int send_line(struct client *client, const char *line, size_t length)
{
	while (length) {
		ssize_t sent = send(client->fd, line, length, MSG_NOSIGNAL);

		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return 0; /* the daemon has sent the reason for closing the connection: read it */
		if (sent < 0 && errno != EINTR)
			return fail(client, -errno, "cannot send to sipxdpd at %s: %s%s", client->path, strerror(errno),
				advice(errno));
		if (sent > 0) {
			line += sent;
			length -= (size_t)sent;
		}
	}
	return 0;
}

static int grow(struct client *client)
{
	size_t size = client->size ? client->size * 2 : READ_SIZE;
	char *buffer = realloc(client->buffer, size);

	if (!buffer)
		return fail(client, -ENOMEM, "out of memory");
	client->buffer = buffer;
	client->size = size;
	return 0;
}

/* Returns the next line in the buffer. NULL: the buffer contains no complete line. */
static char *take_line(struct client *client, size_t *length)
{
	char *line = client->buffer + client->taken;
	char *newline = client->filled > client->taken ? memchr(line, '\n', client->filled - client->taken) : NULL;

	if (!newline)
		return NULL;
	*length = newline - line;
	client->taken += *length + 1;
	return line;
}

/* Moves the incomplete line to the start of the buffer, and enlarges the buffer if no space remains. */
static int make_room(struct client *client)
{
	client->filled -= client->taken;
	if (client->taken)
		memmove(client->buffer, client->buffer + client->taken, client->filled);
	client->taken = 0;
	return client->filled == client->size ? grow(client) : 0;
}

/* Reads one line; `length` excludes the newline. */
static int receive_line(struct client *client, char **line, size_t *length)
{
	ssize_t got;

	while (!(*line = take_line(client, length))) {
		if (client->filled - client->taken > PROTOCOL_REPLY_MAX)
			return fail(client, -EPROTO, "the reply of sipxdpd at %s is too long", client->path);
		if (make_room(client) < 0)
			return -ENOMEM;
		got = recv(client->fd, client->buffer + client->filled, client->size - client->filled, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return fail(client, -ETIMEDOUT, "sipxdpd at %s has not answered within %d s", client->path,
				client->timeout);
		if (got <= 0)
			return fail(client, -ECONNRESET,
				"sipxdpd at %s closed the connection without an answer (see the log of sipxdpd)",
				client->path);
		client->filled += got;
	}
	return 0;
}

int client_receive(struct client *client, int milliseconds, const sigset_t *signals, json_t **out)
{
	const struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
	struct pollfd fds[] = {{.fd = client->fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};
	size_t length;
	char *line;
	int ready;

	while (!(line = take_line(client, &length))) {
		ready = ppoll(fds, 2, milliseconds < 0 ? NULL : &time, signals);
		if (ready <= 0)
			return ready ? -errno : -ETIMEDOUT;
		if (fds[1].revents & POLLERR)
			return -EPIPE;
		if (make_room(client) < 0)
			return -ENOMEM;
		ready = recv(client->fd, client->buffer + client->filled, client->size - client->filled, 0);
		if (ready <= 0)
			return fail(client, -ECONNRESET, "sipxdpd at %s closed the connection", client->path);
		client->filled += ready;
	}
	*out = json_loadb(line, length, 0, NULL);
	return *out ? 0 : fail(client, -EPROTO, "sipxdpd at %s sends lines that are not JSON", client->path);
}

static int ask_daemon(struct client *client, const json_t *request, struct reply *reply)
{
	size_t length = 0;
	char *line = protocol_encode(request, &length), *answer;
	int err = 0;

	*reply = (struct reply){0};
	if (!line)
		return fail(client, -ENOMEM, "out of memory");
	if (length - 1 > PROTOCOL_REQUEST_MAX)
		err = fail(client, -EMSGSIZE, "the request is too large: it has %zu bytes, the limit is %zu",
			length - 1, PROTOCOL_REQUEST_MAX);
	if (!err && client->fd >= 0 && is_closed(client->fd)) {
		close(client->fd);
		client->fd = -1;
	}
	if (!err && client->fd < 0)
		err = connect_to_daemon(client);
	client->filled = client->taken = 0;
	if (!err)
		err = send_line(client, line, length);
	free(line);
	if (!err)
		err = receive_line(client, &answer, &length);
	if (!err && protocol_parse_reply(answer, length, reply) < 0)
		err = fail(client, -EPROTO, "the program that listens on %s is not sipxdpd", client->path);
	return err;
}

__attribute__((format(printf, 2, 3))) static void warn(const struct client *client, const char *format, ...)
{
	char text[512];
	va_list values;

	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	if (!client->silent)
		output_warning("%s", text);
}

/* Answers the request from the maps and returns 0. If the maps do not contain the answer, returns `error` and keeps the
 * client's message. */
static int ask_maps(struct client *client, const json_t *json, int error, struct reply *reply)
{
	char ignored[PROTOCOL_ERROR_SIZE], refusal[PIN_DIRECTORY_ERROR_SIZE], *line;
	struct request request;
	json_t *answer = NULL;
	size_t length;
	bool changes;

	if (protocol_check_request(json_deep_copy(json), &request, ignored))
		return error;
	if (pin_directory_check(client->pin_directory, refusal))
		warn(client, "%s", refusal);
	else if (maps_report_can_answer(request.command))
		answer = maps_report_answer(&request, client->pin_directory, client->path);
	changes = request.command == COMMAND_AWAY || request.command == COMMAND_BACK;
	protocol_request_free(&request);
	line = answer ? protocol_encode(answer, &length) : NULL;
	json_decref(answer);
	if (line && protocol_parse_reply(line, length - 1, reply) == 0) {
		if (!client->from_maps)
			warn(client,
				"%s the maps: sipxdpd does not answer at %s (is it running, and is --socket right?)",
				changes ? "written to" : "read from", client->path);
		client->from_maps = true;
		error = 0;
	}
	free(line);
	return error;
}

int client_ask(struct client *client, const json_t *request, struct reply *reply)
{
	int error = ask_daemon(client, request, reply);

	return error == -ENOENT || error == -ECONNREFUSED ? ask_maps(client, request, error, reply) : error;
}

void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	free(client->buffer);
	*client = (struct client){.fd = -1};
}
