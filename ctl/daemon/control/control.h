/* SPDX-License-Identifier: GPL-2.0 */
/* The control socket: accepts clients, reads requests and writes replies. A slow, greedy or broken client
 * does not disturb the others. Handles the protocol only; commands.h
 * executes the commands. */
#pragma once

#include <systemd/sd-event.h>
#include "core/control/protocol.h"

#define CONTROL_GROUP "sipxdp" /* members may use the socket, if the group exists */
#define CONTROL_CLIENTS 64
#define CONTROL_ROOT 16                    /* connections, of CONTROL_CLIENTS, that are reserved for root */
#define CONTROL_MEMORY ((size_t)192 << 20) /* maximum bytes of all large requests and replies together */
#define CONTROL_REQUEST_MS 2000            /* time for a complete request or reply, plus 1 s for each MiB */
#define CONTROL_IDLE_MS 300000             /* time between two requests */

struct control;
struct worker;

/* Answers a valid request: returns the complete reply (protocol_ok, protocol_error), which the caller then
 * owns. NULL: out of memory; the client then receives an error. Must not free the control. */
typedef json_t *control_answer(const struct request *request, void *data);

/* Defers the reply. Call it inside a control_answer, which then returns NULL; call control_reply() later, in
 * the thread of the event loop. The request stays valid until then. */
struct client *control_defer(struct control *control);

/* Sends a deferred reply. `line` comes from protocol_encode(), and this function takes ownership of it;
 * NULL: out of memory. */
void control_reply(struct client *client, char *line, size_t length);

/* Takes over the connection of the client. Call it inside a control_answer, which then returns NULL: the client
 * receives no reply from the control socket, and no longer counts as one of its clients. Returns a non-blocking
 * descriptor, which the caller must close, or -errno. */
int control_take_over(struct control *control);

/* Listens on a Unix socket at `path`, mode 0660, in the event loop. Creates the last directory of the path if it is
 * missing, and replaces a socket without a listener. 0 or -errno: -EADDRINUSE if another daemon listens there,
 * -EEXIST if the path is not a socket, -EAGAIN if a different process keeps the directory locked (after 0.1 s),
 * -ENAMETOOLONG beyond 107 bytes. */
int control_new(struct control **out, sd_event *event, const char *path, control_answer *answer, void *data);

/* Makes the worker parse long requests, because parsing them in the event loop would delay all other events. */
void control_set_worker(struct control *control, struct worker *worker);

/* Replaces the default time limits CONTROL_REQUEST_MS and CONTROL_IDLE_MS. */
void control_set_patience(struct control *control, unsigned int request_ms, unsigned int idle_ms);

/* Call this every second: creates the socket again if its file is missing. Returns 1 if the socket was created, 0 if
 * the file exists, or -errno like control_new(). */
int control_check_socket(struct control *control);

/* Closes every connection, and removes the socket file unless another daemon has replaced it. */
void control_free(struct control *control);
