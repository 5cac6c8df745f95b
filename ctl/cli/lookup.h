/* SPDX-License-Identifier: GPL-2.0 */
/* `sipxdp-ctl lookup`: looks up any number of Call-IDs in batches, over one connection and in constant
 * memory. */
#pragma once

#include "client.h"
#include "output.h"

/* Prints the owner of each of `call_ids` in the arguments or, if they are only "-", of each line of standard
 * input. Processes the lines that have arrived before it waits for more. False if a look-up has failed; the
 * error has then been printed. */
bool lookup_run(struct output *output, struct client *client, const json_t *arguments);
