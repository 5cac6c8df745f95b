/* SPDX-License-Identifier: GPL-2.0 */
/* The command `trace`. */
#pragma once

#include "client.h"
#include "output.h"

/* Prints packets until the limit in `values` (the arguments), until a signal arrives, or until the reader closes the
 * pipe. `request` must be valid. Returns false after an error, which this function has printed. */
bool trace_run(struct output *output, struct client *client, const json_t *values, const json_t *request);
