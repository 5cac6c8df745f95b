/* SPDX-License-Identifier: GPL-2.0 */
/* The server and its clients. Only control.c and control_client.c include this file. */
#pragma once

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "control.h"

/* The phase of a client's exchange. Each phase except PHASE_TURN has a time limit. */
enum phase {
	PHASE_IDLE,    /* the client may send a request */
	PHASE_REQUEST, /* the client has sent a part of a request */
	PHASE_TURN,    /* the client waits for the daemon's reply */
	PHASE_REPLY,   /* the client reads the reply */
};

struct client {
	struct control *control;
	int fd;
	bool is_root;
	struct ucred peer;
	sd_event_source *io;
	sd_event_source *timer;
	enum phase phase;
	uint64_t since;  /* start of the phase, us */
	uint64_t extra;  /* additional time for the phase, us, because the event loop was late */
	uint64_t active; /* last activity, us */

	char *input;
	size_t input_length;
	size_t input_size;
	size_t line; /* with has_line: length of the first line of `input`; else bytes without a newline */
	bool has_line;
	struct request request; /* the current request */
	bool invalid;           /* the request is invalid, because of `error` */
	char error[PROTOCOL_ERROR_SIZE];
	bool deferred;   /* the reply is deferred; until it is sent, the daemon does not read from the client */
	bool taken_over; /* a trace owns the connection now: free this client without a reply */

	char *reply; /* the reply to send; NULL: none */
	size_t reply_length;
	size_t reply_sent;
	bool last_reply; /* close the connection after this reply */
};

struct control {
	sd_event *event;
	control_answer *answer;
	void *data;
	struct worker *worker; /* parses long requests; NULL: none */
	uint64_t request_us;   /* time limit of a request, and of a reply */
	uint64_t idle_us;

	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct stat file; /* of the socket, to recognize a replaced file */
	int fd;
	sd_event_source *listen;
	sd_event_source *resume; /* timer that ends the pause after accept4() ran out of descriptors */

	struct client *clients[CONTROL_CLIENTS];
	struct client *answering; /* the client whose request `answer` handles now */
	size_t client_count;
	size_t other_count; /* clients without root privileges */
	size_t memory;      /* sum of input_size and reply_length of all clients */
};

/* Serves a connection as a client of `control`, which must have room for it. Takes ownership of `fd`, also on
 * failure. 0 or -errno. */
int client_open(struct control *control, int fd, bool is_root, const struct ucred *peer);

/* Closes the connection and frees the client. */
void client_close(struct client *client);

/* Is there an event for this client that the loop has not handled yet? */
bool client_is_ready(const struct client *client);
