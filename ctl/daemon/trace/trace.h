/* SPDX-License-Identifier: GPL-2.0 */
/* The command `trace`: sends a line of JSON for each selected packet to a client of the control socket, until the
 * client closes its connection. */
#pragma once

#include "ctl/daemon/daemon.h"

#define TRACERS 4 /* maximum number of traces at the same time */

/* Starts a trace for the client of this request, takes ownership of its connection, and sends the reply. Returns NULL,
 * or the reply that refuses the request. */
json_t *trace_start(struct daemon *daemon, const struct request *request);

struct traces *traces_new(struct daemon *daemon);

/* Ends all traces. */
void traces_free(struct traces *traces);

/* Call this every second: reports lost packets to the clients. Ends the traces whose clients do not read, those
 * whose filter has a service or backend that is gone, and all traces if packets cannot be observed. */
void traces_update(struct traces *traces);

/* The number of running traces. */
size_t traces_count(const struct traces *traces);
