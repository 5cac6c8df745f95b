/* SPDX-License-Identifier: GPL-2.0 */
/* `sipxdp-ctl lookup`: looks up any number of Call-IDs in batches, over one connection and in constant
 * memory. */
#pragma once

#include "client.h"
#include "output.h"

/* Prints the owner of each Call-ID in the argument `call_ids` or, if its only value is "-", of each line of standard
 * input. Processes all lines that have arrived before it waits for more. Returns false if a look-up has failed, after
 * it has printed the error. */
bool lookup_run(struct output *output, struct client *client, const json_t *arguments);
