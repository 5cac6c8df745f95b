// SPDX-License-Identifier: GPL-2.0
/* One client of the control socket: reads requests, writes replies and enforces time limits. Each turn of the event
 * loop does one step for a client: reads one piece, answers one request or writes one piece. Therefore a client
 * waits for at most one request of each other client. Memory and time are limited: the time limit applies to the
 * complete request or reply, however slowly its bytes arrive. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ctl/maps/clock.h"
#include "ctl/daemon/worker.h"
#include "control_private.h"

#define READ_SIZE ((size_t)64 << 10)
#define SMALL ((size_t)1 << 20)         /* bytes: a buffer up to this size ignores CONTROL_MEMORY */
#define LONG_REQUEST ((size_t)64 << 10) /* bytes: the worker parses a request of this size; 16 MiB take a second */
#define GRACE_US 100000                 /* extra time to read pending input before a timeout closes the client */
#define TIMER_ACCURACY_US 10000
#define US_PER_BYTE 1 /* additional time for a request or reply */

void client_close(struct client *client)
{
	struct control *control = client->control;

	for (size_t i = 0; i < control->client_count; i++)
		if (control->clients[i] == client)
			control->clients[i] = control->clients[--control->client_count];
	control->other_count -= !client->is_root;
	control->memory -= client->input_size + client->reply_length;
	sd_event_source_disable_unref(client->io);
	sd_event_source_disable_unref(client->timer);
	if (client->deferred)
		protocol_request_free(&client->request);
	close(client->fd);
	free(client->input);
	free(client->reply);
	free(client);
}

static enum phase client_phase(const struct client *client)
{
	if (client->reply)
		return PHASE_REPLY;
	if (client->has_line)
		return PHASE_TURN;
	return client->input_length ? PHASE_REQUEST : PHASE_IDLE;
}

static uint32_t client_events(const struct client *client)
{
	/* A client with a complete request waits for its turn. It waits for EPOLLOUT, which wakes the loop at once. */
	return client->reply || client->has_line ? EPOLLOUT : EPOLLIN;
}

bool client_is_ready(const struct client *client)
{
	struct pollfd fd = {.fd = client->fd, .events = (short)client_events(client)};

	return poll(&fd, 1, 0) > 0;
}

/* May a buffer grow from `old` to `size` bytes? A small buffer may always grow, so that clients with large buffers
 * cannot starve the others. */
static bool has_room(const struct control *control, size_t size, size_t old)
{
	return size <= SMALL || control->memory + size - old <= CONTROL_MEMORY;
}

static int client_queue_line(struct client *client, char *line, size_t length)
{
	if (!line)
		return -ENOMEM;
	if (length > PROTOCOL_REPLY_MAX || !has_room(client->control, length, 0)) {
		free(line);
		return -EMSGSIZE;
	}
	client->reply = line;
	client->reply_length = length;
	client->reply_sent = 0;
	client->control->memory += length;
	return 0;
}

static char *encode(json_t *reply, size_t *length)
{
	char *line = reply ? protocol_encode(reply, length) : NULL;

	json_decref(reply);
	return line;
}

static int client_queue(struct client *client, json_t *reply)
{
	size_t length = 0;
	char *line = encode(reply, &length);

	return client_queue_line(client, line, length);
}

static int client_refuse(struct client *client, const char *error)
{
	client->last_reply = true;
	return client_queue(client, protocol_error(NULL, "%s", error));
}

static void client_find_line(struct client *client)
{
	const char *newline = memchr(client->input + client->line, '\n', client->input_length - client->line);

	client->has_line = newline;
	client->line = newline ? (size_t)(newline - client->input) : client->input_length;
}

/* Removes the answered line from the input. */
static void client_drop_line(struct client *client)
{
	client->input_length -= client->line + 1;
	memmove(client->input, client->input + client->line + 1, client->input_length);
	client->line = 0;
	client->has_line = false;
	if (client->input_length) {
		client_find_line(client);
		return;
	}
	client->control->memory -= client->input_size;
	client->input_size = 0;
	free(client->input);
	client->input = NULL;
}

static int client_grow(struct client *client)
{
	size_t size = client->input_size ? client->input_size * 2 : READ_SIZE * 2;
	char *larger;

	if (client->input_size - client->input_length >= READ_SIZE)
		return 0;
	if (!has_room(client->control, size, client->input_size))
		return client_refuse(client, "too many large requests at the same time: try again");
	larger = realloc(client->input, size);
	if (!larger)
		return -ENOMEM;
	client->control->memory += size - client->input_size;
	client->input = larger;
	client->input_size = size;
	return 0;
}

static int client_read(struct client *client)
{
	ssize_t got;
	int err = client_grow(client);

	if (err || client->last_reply)
		return err;
	got = recv(client->fd, client->input + client->input_length, READ_SIZE, MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (got == 0)
		return -EPIPE;
	client->input_length += (size_t)got;
	client_find_line(client);
	if (!client->has_line && client->input_length > PROTOCOL_REQUEST_MAX)
		return client_refuse(client, "the request is too long: a line has at most 16 MiB");
	return 0;
}

static int client_finish(struct client *client, char *line, size_t length)
{
	int err;

	client_drop_line(client);
	err = client_queue_line(client, line, length);
	if (err == -EMSGSIZE)
		return client_queue(client, protocol_error(NULL, "the reply is too large"));
	return err == -ENOMEM ? client_refuse(client, "out of memory") : err;
}

static int client_finish_json(struct client *client, json_t *reply)
{
	size_t length = 0;
	char *line = encode(reply, &length);

	return client_finish(client, line, length);
}

static void client_parse(struct client *client)
{
	client->invalid = protocol_parse_request(client->input, client->line, &client->request, client->error);
}

/* Answers the parsed request. */
static int client_run(struct client *client)
{
	struct control *control = client->control;
	json_t *reply;

	if (client->invalid)
		return client_finish_json(client, protocol_error(NULL, "%s", client->error));
	client->request.is_root = client->is_root;
	client->request.uid = client->peer.uid;
	client->request.pid = client->peer.pid;
	control->answering = client;
	reply = control->answer(&client->request, control->data);
	control->answering = NULL;
	if (client->deferred)
		return sd_event_source_set_enabled(client->io, SD_EVENT_OFF);
	protocol_request_free(&client->request);
	return client->taken_over && !reply ? -ECANCELED : client_finish_json(client, reply);
}

static int client_write(struct client *client)
{
	const char *rest = client->reply + client->reply_sent;
	ssize_t sent = send(client->fd, rest, client->reply_length - client->reply_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	client->reply_sent += (size_t)sent;
	if (client->reply_sent < client->reply_length)
		return 0;
	client->control->memory -= client->reply_length;
	free(client->reply);
	client->reply = NULL;
	client->reply_length = 0;
	return client->last_reply ? -EPIPE : 0;
}

/* The deadline of the phase. Arriving bytes extend it by US_PER_BYTE only. */
static uint64_t client_due(const struct client *client)
{
	const struct control *control = client->control;

	if (client->phase == PHASE_IDLE)
		return client->since + client->extra + control->idle_us;
	return client->since + client->extra + control->request_us +
	       US_PER_BYTE * (client->phase == PHASE_REPLY ? client->reply_sent : client->input_length);
}

static int client_set_timer(struct client *client)
{
	int err = sd_event_source_set_time(client->timer, client_due(client));

	if (err >= 0)
		err = sd_event_source_set_enabled(
			client->timer, client->phase == PHASE_TURN ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
	return err < 0 ? err : 0;
}

static int client_wait(struct client *client)
{
	enum phase phase = client_phase(client);
	int err = sd_event_source_set_io_events(client->io, client_events(client));

	client->active = clock_usec();
	if (err < 0)
		return err;
	if (phase == client->phase && phase != PHASE_IDLE)
		return 0;
	client->phase = phase;
	client->since = client->active;
	client->extra = 0;
	return client_set_timer(client);
}

/* The client waits for the worker during this job, so no other code uses its input. */
static void parse_job(void *data)
{
	struct client *client = data;
	struct worker *worker = client->control->worker;

	worker_unlock(worker);
	client_parse(client);
	worker_lock(worker);
}

static void end_parse_job(void *data)
{
	struct client *client = data;
	int err = client_run(client);

	if (!err && !client->deferred)
		err = client_wait(client);
	if (!err && !client->deferred)
		err = sd_event_source_set_enabled(client->io, SD_EVENT_ON);
	if (err < 0)
		client_close(client);
}

static int client_answer(struct client *client)
{
	struct control *control = client->control;

	if (!control->worker || client->line < LONG_REQUEST) {
		client_parse(client);
		return client_run(client);
	}
	worker_add(control->worker, parse_job, end_parse_job, client);
	return sd_event_source_set_enabled(client->io, SD_EVENT_OFF);
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct client *client = data;
	int err = 0;

	(void)source, (void)fd, (void)events;
	if (!client->reply && !client->has_line)
		err = client_read(client);
	if (!err && !client->reply && client->has_line)
		err = client_answer(client);
	if (!err && client->reply)
		err = client_write(client);
	if (!err)
		err = client_wait(client);
	if (err)
		client_close(client);
	return 0;
}

int control_take_over(struct control *control)
{
	int fd = fcntl(control->answering->fd, F_DUPFD_CLOEXEC, 3);

	control->answering->taken_over = fd >= 0;
	return fd < 0 ? -errno : fd;
}

struct client *control_defer(struct control *control)
{
	control->answering->deferred = true;
	return control->answering;
}

void control_reply(struct client *client, char *line, size_t length)
{
	int err;

	client->deferred = false;
	protocol_request_free(&client->request);
	err = client_finish(client, line, length);
	if (!err)
		err = client_wait(client);
	if (!err)
		err = sd_event_source_set_enabled(client->io, SD_EVENT_ON);
	if (err < 0)
		client_close(client);
}

/* The deadline of a client has passed. Its input may have arrived in time while the event loop was late: the first
 * time this happens, the client receives the delay of the loop plus GRACE_US as additional time. */
static int on_patience_over(sd_event_source *source, uint64_t usec, void *data)
{
	struct client *client = data;
	uint64_t now = clock_usec(), due = client_due(client);

	(void)source;
	if (due <= now && !client->extra)
		client->extra = now - due + (now - usec) + GRACE_US;
	if (client_due(client) > now && client_set_timer(client) == 0)
		return 0;
	if (client->phase == PHASE_REQUEST && client_refuse(client, "the request was not complete in time") == 0)
		client_write(client);
	client_close(client);
	return 0;
}

int client_open(struct control *control, int fd, bool is_root, const struct ucred *peer)
{
	struct client *client = calloc(1, sizeof(*client));
	int err;

	if (!client) {
		close(fd);
		return -ENOMEM;
	}
	*client = (struct client){.control = control, .fd = fd, .is_root = is_root, .peer = *peer};
	control->clients[control->client_count++] = client;
	control->other_count += !is_root;
	err = sd_event_add_io(control->event, &client->io, fd, EPOLLIN, on_client, client);
	if (err >= 0)
		err = sd_event_add_time(control->event, &client->timer, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_US,
			on_patience_over, client);
	client->phase = PHASE_TURN; /* makes client_wait() start PHASE_IDLE */
	if (err >= 0)
		err = client_wait(client);
	if (err < 0)
		client_close(client);
	return err;
}
