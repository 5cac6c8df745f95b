/* SPDX-License-Identifier: GPL-2.0 */
/* What control.c and control_client.c share and no other file sees: the server, its clients and
 * what these hold together. */
#pragma once

#include <sys/stat.h>
#include <sys/un.h>
#include "control.h"

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
	struct client *answering; /* the one that waits for `answer` to return */
	size_t client_count;
	size_t other_count; /* of the clients, those that are not root's */
	size_t memory;      /* input_size and reply_length of all clients */
};

/* Serves a connection as a client of `control`, which has a place for it. Takes `fd`, also where it
 * fails. 0 or -errno. */
int client_open(struct control *control, int fd, bool is_root);

/* Ends the connection and gives back what the client held. */
void client_close(struct client *client);

/* Could it go on, had the loop come round to it? */
bool client_is_ready(const struct client *client);
