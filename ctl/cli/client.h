/* SPDX-License-Identifier: GPL-2.0 */
/* The connection to sipxdpd: sends a request and waits for the reply. */
#pragma once

#include <signal.h>
#include "core/control/protocol.h"

struct client {
	const char *path;          /* path of the control socket */
	const char *pin_directory; /* directory of the maps; some commands read the maps while sipxdpd is not running */
	bool from_maps;            /* a result came from the maps, and the user was warned */
	bool silent;               /* no warnings: the screen is in use */
	int timeout;               /* seconds to wait for a reply */
	int fd;                    /* -1: not connected */
	char *buffer;
	size_t size;
	size_t filled;   /* bytes received */
	size_t taken;    /* number of received bytes that belong to earlier lines */
	char error[512]; /* what failed, on which object, and a remedy */
};

/* Initializes the client, which connects when it sends its first request. */
void client_open(struct client *client, const char *path, const char *pin_directory);

/* Sends a request and reads the reply, which the caller frees with protocol_reply_free(). Connects again if
 * sipxdpd has closed the connection. If no daemon listens, answers from the pinned maps if possible, and warns
 * the user. 0, or -errno with the reason in `error` of the client: -EMSGSIZE if the request is too large. */
int client_ask(struct client *client, const json_t *request, struct reply *reply);

/* Reads the next line that sipxdpd sends after the reply to `trace`. Waits until `milliseconds` are over (-1: no
 * limit), or until one of `signals` arrives. Returns 0 and an object that the caller frees, -ETIMEDOUT, -EINTR,
 * -EPIPE if the reader of standard output has closed its pipe, or -ECONNRESET at the end of the connection. */
int client_receive(struct client *client, int milliseconds, const sigset_t *signals, json_t **out);

void client_close(struct client *client);
