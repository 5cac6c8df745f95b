/* SPDX-License-Identifier: GPL-2.0 */
/* `sipxdp-ctl stats --rate` and `stats --watch`. */
#pragma once

#include "client.h"
#include "output.h"

/* Prints the counters or, if the arguments contain "rate", their change per second. Prints one sample or, with "watch",
 * one sample after another until the user interrupts. In JSON each sample is one line. Returns false on failure, after
 * it has printed the error. */
bool repeat_stats(struct output *output, struct client *client, const json_t *arguments);
