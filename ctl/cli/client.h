/* SPDX-License-Identifier: GPL-2.0 */
/* Owns the connection to sipxdpd: sends a request, waits for its reply. */
#pragma once

#include "core/control/protocol.h"

struct client {
	const char *path;          /* of the socket */
	const char *pin_directory; /* of the maps, which answer some questions while no daemon runs */
	bool from_maps;            /* they did, and the user was told */
	int fd;                    /* -1: not connected */
	char *buffer;
	size_t size;
	char error[512]; /* what failed, on what, and what to do */
};

/* Connects at the first request, not here. */
void client_open(struct client *client, const char *path, const char *pin_directory);

/* Sends a request and reads its reply, to be given to protocol_reply_free. Connects
 * anew if the daemon has closed the connection since the last request. 0, or -errno
 * and the client's `error` is set: -EMSGSIZE for a request that is too large. Where nothing
 * listens, the reply is from the maps if they can give it, and the user is told. */
int client_ask(struct client *client, const json_t *request, struct reply *reply);

void client_close(struct client *client);
