/* SPDX-License-Identifier: GPL-2.0 */
/* Owns the control socket: listens, reads requests, writes replies, and puts up with
 * every kind of client. Knows the protocol, and nothing of what a command does. */
#pragma once

#include <systemd/sd-event.h>
#include "core/control/protocol.h"

#define CONTROL_GROUP "sipxdp" /* may use the socket, if there is such a group */
#define CONTROL_CLIENTS 64
#define CONTROL_ROOT 16                    /* of these places, kept for root */
#define CONTROL_MEMORY ((size_t)192 << 20) /* all large requests and replies together */
#define CONTROL_REQUEST_MS 2000            /* for a whole request or reply, and a second more for each MiB of it */
#define CONTROL_IDLE_MS 300000             /* between requests */

struct control;

/* Answers a request that the protocol has found to be right: returns the whole reply
 * (protocol_ok, protocol_error), which the server takes. NULL tells the client that
 * memory is out. Must not free the control. */
typedef json_t *control_answer(const struct request *request, void *data);

/* Within an answer that then returns NULL: control_reply gives the reply later, in the loop's
 * thread. Until then the request stays, and the client waits. */
struct client *control_defer(struct control *control);

/* `line` is the reply as protocol_encode() makes it, which the server takes; NULL: memory is out. */
void control_reply(struct client *client, char *line, size_t length);

/* Listens on a Unix socket at `path`, mode 0660, and joins the loop. The last directory
 * of the path is made if need be, and a socket that nobody answers on is replaced.
 * 0 or -errno: -EADDRINUSE when another daemon answers there, -EEXIST when the path
 * is something other than a socket, -ENAMETOOLONG beyond 107 bytes. */
int control_new(struct control **out, sd_event *event, const char *path, control_answer *answer, void *data);

/* How long a client may take for a request, and be idle, instead of the above. */
void control_set_patience(struct control *control, unsigned int request_ms, unsigned int idle_ms);

/* To be called every second: makes the socket anew if its file is gone. 1 if so, 0 if it is there, or
 * -errno as control_new(). */
int control_check_socket(struct control *control);

/* Closes every connection and removes the socket, if it is still this one's. */
void control_free(struct control *control);
