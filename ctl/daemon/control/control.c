// SPDX-License-Identifier: GPL-2.0
/* The control socket: listens, accepts a limited number of clients and closes them. Some connections are reserved for
 * root. control_client.c serves each client. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "control_private.h"
#include "control_socket.h"
#include "ctl/daemon/descriptors.h"

#define ACCEPT_PAUSE_US 1000000

/* --- new clients */

/* Makes room for a new client: closes the connection that has been idle for longest. A client without root privileges
 * never replaces a client of root. */
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

static void refuse(int fd, const char *error)
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

/* Accepts or refuses a new client. */
static void admit(struct control *control, int fd)
{
	struct ucred peer;
	bool root = control_socket_is_root(fd, &peer);

	if (!root && descriptors_is_reserved(fd))
		refuse(fd, "sipxdpd has no free file descriptors: try again");
	else if (has_place(control, root))
		client_open(control, fd, root, &peer);
	else
		refuse(fd, "sipxdpd already serves the largest number of clients: try again");
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct control *control = data;
	int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source, (void)events;
	if (connection >= 0) {
		admit(control, connection);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		/* The connection stays in the queue and would wake the loop again at once, so the listener pauses. */
		sd_event_source_set_enabled(control->listen, SD_EVENT_OFF);
		sd_event_source_set_time_relative(control->resume, ACCEPT_PAUSE_US);
		sd_event_source_set_enabled(control->resume, SD_EVENT_ONESHOT);
	}
	return 0;
}

/* --- open and close */

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
		err = sd_event_add_io(event, &control->listen, control->fd, EPOLLIN, on_connection, control);
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

int control_check_socket(struct control *control)
{
	sd_event_source *listen = NULL;
	struct stat file;
	int fd = -1, err;

	if (control_socket_is_there(control->path, &control->file))
		return 0;
	err = control_socket_open(control->path, &fd, &file);
	if (!err)
		err = sd_event_add_io(control->event, &listen, fd, EPOLLIN, on_connection, control);
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

void control_set_worker(struct control *control, struct worker *worker)
{
	control->worker = worker;
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
