// SPDX-License-Identifier: GPL-2.0
/* The control socket. A client is served one request at a time and one step at a
 * time: each turn of the loop reads one piece, answers one request or writes one
 * piece, so that no client waits for more than one request of each other one. What a
 * client can hold is bounded in number, bytes and time: a whole request or reply has its
 * time, however its bytes come. Root has places of its own. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "clock.h"
#include "control.h"
#include "control_socket.h"
#include "descriptors.h"

#define READ_SIZE ((size_t)64 << 10)
#define SMALL ((size_t)1 << 20) /* a request or reply that CONTROL_MEMORY is not asked for */
#define ACCEPT_PAUSE_US 1000000
#define GRACE_US 100000 /* to read what has come, before a client is judged */
#define TIMER_ACCURACY_US 10000
#define US_PER_BYTE 1 /* of a request or reply, besides the time that each of them has */

/* What is awaited from a client. While it waits for its turn, nothing is. */
enum phase {
	PHASE_IDLE,    /* another request, or none */
	PHASE_REQUEST, /* the rest of it */
	PHASE_TURN,
	PHASE_REPLY, /* that it is read */
};

struct client {
	struct control *control;
	int fd;
	bool is_root;
	sd_event_source *io;
	sd_event_source *timer;
	enum phase phase;
	uint64_t since;  /* when the phase began, us */
	uint64_t extra;  /* us that it has besides its time, because the loop was late */
	uint64_t active; /* when it last did something, us */

	char *input;
	size_t input_length;
	size_t input_size;
	size_t line; /* bytes of `input` searched for a newline; up to it, when has_line */
	bool has_line;
	struct request request; /* that is being answered */
	bool deferred;          /* it is, and the client is not listened to */

	char *reply; /* being sent; NULL: none is */
	size_t reply_length;
	size_t reply_sent;
	bool last_reply; /* close when it is sent */
};

struct control {
	sd_event *event;
	control_answer *answer;
	void *data;
	uint64_t request_us; /* for a request, and for a reply */
	uint64_t idle_us;

	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct stat file; /* of the socket, to remove no other one's */
	int fd;
	sd_event_source *listen;
	sd_event_source *resume; /* listening, after file descriptors had run out */

	struct client *clients[CONTROL_CLIENTS];
	struct client *answering; /* whose request is with `answer` */
	size_t client_count;
	size_t other_count; /* of the clients, those that are not root's */
	size_t memory;      /* input_size and reply_length of all clients */
};

/* --- one client */

static void client_close(struct client *client)
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
	/* With a request in hand it waits for its turn: writable is what it is at once. */
	return client->reply || client->has_line ? EPOLLOUT : EPOLLIN;
}

/* Could it go on, had the loop come round to it? */
static bool client_is_ready(const struct client *client)
{
	struct pollfd fd = {.fd = client->fd, .events = (short)client_events(client)};

	return poll(&fd, 1, 0) > 0;
}

/* May a buffer of `old` bytes become one of `size`? What is small always may, so that
 * those with large ones take nothing from the others. */
static bool has_room(const struct control *control, size_t size, size_t old)
{
	return size <= SMALL || control->memory + size - old <= CONTROL_MEMORY;
}

static int client_queue(struct client *client, json_t *reply)
{
	size_t length = 0;
	char *line = reply ? protocol_encode(reply, &length) : NULL;

	json_decref(reply);
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

/* Drops the line that was answered. */
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
		return client_refuse(client, "too many large requests at once; try again");
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
		return client_refuse(client, "request without an end; a line has at most 16 MiB");
	return 0;
}

static int client_finish(struct client *client, json_t *reply)
{
	int err;

	client_drop_line(client);
	err = client_queue(client, reply);
	if (err == -EMSGSIZE)
		return client_queue(client, protocol_error(NULL, "the reply is too large"));
	return err == -ENOMEM ? client_refuse(client, "out of memory") : err;
}

static int client_answer(struct client *client)
{
	struct control *control = client->control;
	char error[PROTOCOL_ERROR_SIZE];
	json_t *reply;

	if (protocol_parse_request(client->input, client->line, &client->request, error))
		return client_finish(client, protocol_error(NULL, "%s", error));
	client->request.is_root = client->is_root;
	control->answering = client;
	reply = control->answer(&client->request, control->data);
	control->answering = NULL;
	if (client->deferred)
		return sd_event_source_set_enabled(client->io, SD_EVENT_OFF);
	protocol_request_free(&client->request);
	return client_finish(client, reply);
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

/* When the phase must have ended: that is independent of how often a byte comes. */
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

struct client *control_defer(struct control *control)
{
	control->answering->deferred = true;
	return control->answering;
}

void control_reply(struct client *client, json_t *reply)
{
	int err;

	client->deferred = false;
	protocol_request_free(&client->request);
	err = client_finish(client, reply);
	if (!err)
		err = client_wait(client);
	if (!err)
		err = sd_event_source_set_enabled(client->io, SD_EVENT_ON);
	if (err < 0)
		client_close(client);
}

/* Once, what has come is read before the client is judged: if the loop was late, in as much time
 * again. */
static int on_patience_over(sd_event_source *source, uint64_t usec, void *data)
{
	struct client *client = data;
	uint64_t now = clock_usec(), due = client_due(client);

	(void)source;
	if (due <= now && !client->extra)
		client->extra = now - due + (now - usec) + GRACE_US;
	if (client_due(client) > now && client_set_timer(client) == 0)
		return 0;
	if (client->phase == PHASE_REQUEST && client_refuse(client, "request not completed in time") == 0)
		client_write(client);
	client_close(client);
	return 0;
}

static int client_open(struct control *control, int fd, bool is_root)
{
	struct client *client = calloc(1, sizeof(*client));
	int err;

	if (!client) {
		close(fd);
		return -ENOMEM;
	}
	*client = (struct client){.control = control, .fd = fd, .is_root = is_root};
	control->clients[control->client_count++] = client;
	control->other_count += !is_root;
	err = sd_event_add_io(control->event, &client->io, fd, EPOLLIN, on_client, client);
	if (err >= 0)
		err = sd_event_add_time(control->event, &client->timer, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_US,
			on_patience_over, client);
	client->phase = PHASE_TURN; /* so that client_wait() finds a new one */
	if (err >= 0)
		err = client_wait(client);
	if (err < 0)
		client_close(client);
	return err;
}

/* --- the newcomers */

/* Makes room by closing the client that has been idle for longest, for one that is not root by
 * one of these. */
static bool close_idlest(struct control *control, bool for_root)
{
	struct client *idlest = NULL;

	for (size_t i = 0; i < control->client_count; i++) {
		struct client *client = control->clients[i];

		if (client->phase == PHASE_IDLE && (for_root || !client->is_root) &&
			(!idlest || client->active < idlest->active) && !client_is_ready(client))
			idlest = client;
	}
	if (idlest)
		client_close(idlest);
	return idlest;
}

static void turn_away(int fd, const char *error)
{
	json_t *reply = protocol_error(NULL, "%s", error);
	size_t length;
	char *line = reply ? protocol_encode(reply, &length) : NULL;

	if (line)
		(void)!send(fd, line, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	free(line);
	json_decref(reply);
	close(fd);
}

static int on_resume(sd_event_source *source, uint64_t usec, void *data)
{
	struct control *control = data;

	(void)source, (void)usec;
	return sd_event_source_set_enabled(control->listen, SD_EVENT_ON);
}

static bool has_place(struct control *control, bool for_root)
{
	bool full = control->client_count == CONTROL_CLIENTS ||
		    (!for_root && control->other_count == CONTROL_CLIENTS - CONTROL_ROOT);

	return !full || close_idlest(control, for_root);
}

/* Some places and descriptors are kept for root. */
static void take_newcomer(struct control *control, int fd)
{
	bool root = control_socket_is_root(fd);

	if (!root && descriptors_is_reserved(fd))
		turn_away(fd, "the daemon has no descriptors left; try again");
	else if (has_place(control, root))
		client_open(control, fd, root);
	else
		turn_away(fd, "too many clients are being served already; try again");
}

static int on_newcomer(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct control *control = data;
	int newcomer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source, (void)events;
	if (newcomer >= 0) {
		take_newcomer(control, newcomer);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		/* It stays in the queue, and would wake the loop again at once. */
		sd_event_source_set_enabled(control->listen, SD_EVENT_OFF);
		sd_event_source_set_time_relative(control->resume, ACCEPT_PAUSE_US);
		sd_event_source_set_enabled(control->resume, SD_EVENT_ONESHOT);
	}
	return 0;
}

/* --- life */

int control_new(struct control **out, sd_event *event, const char *path, control_answer *answer, void *data)
{
	struct control *control = calloc(1, sizeof(*control));
	int err;

	if (!control)
		return -ENOMEM;
	*control = (struct control){.event = sd_event_ref(event), .answer = answer, .data = data, .fd = -1};
	control_set_patience(control, CONTROL_REQUEST_MS, CONTROL_IDLE_MS);
	err = control_socket_open(path, &control->fd, &control->file);
	if (!err)
		strcpy(control->path, path);
	if (!err)
		err = sd_event_add_io(event, &control->listen, control->fd, EPOLLIN, on_newcomer, control);
	if (err >= 0)
		err = sd_event_add_time_relative(event, &control->resume, CLOCK_MONOTONIC, 0, 0, on_resume, control);
	if (err >= 0)
		err = sd_event_source_set_enabled(control->resume, SD_EVENT_OFF);
	if (err < 0) {
		control_free(control);
		return err;
	}
	*out = control;
	return 0;
}

int control_look(struct control *control)
{
	sd_event_source *listen = NULL;
	struct stat file;
	int fd = -1, err;

	if (control_socket_is_there(control->path, &control->file))
		return 0;
	err = control_socket_open(control->path, &fd, &file);
	if (!err)
		err = sd_event_add_io(control->event, &listen, fd, EPOLLIN, on_newcomer, control);
	if (err < 0) {
		if (fd >= 0)
			close(fd);
		return err;
	}
	sd_event_source_disable_unref(control->listen);
	close(control->fd);
	control->listen = listen;
	control->fd = fd;
	control->file = file;
	return 1;
}

void control_set_patience(struct control *control, unsigned int request_ms, unsigned int idle_ms)
{
	control->request_us = request_ms * UINT64_C(1000);
	control->idle_us = idle_ms * UINT64_C(1000);
}

void control_free(struct control *control)
{
	if (!control)
		return;
	while (control->client_count)
		client_close(control->clients[0]);
	sd_event_source_disable_unref(control->listen);
	sd_event_source_disable_unref(control->resume);
	if (control->fd >= 0)
		close(control->fd);
	if (control->file.st_ino && control_socket_is_there(control->path, &control->file))
		unlink(control->path);
	sd_event_unref(control->event);
	free(control);
}
