/* SPDX-License-Identifier: GPL-2.0 */
/* Owns `sipxdp-ctl lookup`: however many Call-IDs there are, they are asked for some
 * hundred at a time over one connection, in constant memory. */
#pragma once

#include "client.h"
#include "output.h"

/* Prints the owner of each of the arguments' `call_ids`, or of each line of standard input
 * if they are only "-". What has been read is answered before more is waited for. False if any has
 * no answer; the user has been told. */
bool lookup_run(struct output *output, struct client *client, const json_t *arguments);
