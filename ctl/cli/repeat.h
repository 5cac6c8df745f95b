/* SPDX-License-Identifier: GPL-2.0 */
/* `sipxdp-ctl stats --rate` and `stats --watch`. */
#pragma once

#include "client.h"
#include "output.h"

/* Prints the counters, or with "rate" in the arguments their change per second; once, or with "watch" until the user
 * interrupts. In JSON each sample is one line. False on failure; the user has a message. */
bool repeat_stats(struct output *output, struct client *client, const json_t *arguments);
