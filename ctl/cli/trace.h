/* SPDX-License-Identifier: GPL-2.0 */
/* The command `trace`. */
#pragma once

#include "client.h"
#include "output.h"

/* Prints the packets until the end that `values` (the arguments) gives, a signal, or the end of a pipe. `request` is
 * valid. False after an error, which is printed. */
bool trace_run(struct output *output, struct client *client, const json_t *values, const json_t *request);
