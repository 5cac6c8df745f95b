/* SPDX-License-Identifier: GPL-2.0 */
/* The options --rate and --watch of commands that show counters. */
#pragma once

#include "client.h"
#include "output.h"

/* Prints the result of a command or, if the arguments contain "rate", the change of its counters per second. Prints one
 * sample or, with "watch", one sample after another until the user interrupts. In JSON each sample is one line. Returns
 * false on failure, after it has printed the error. */
bool repeat_command(struct output *output, struct client *client, enum command command, const json_t *arguments);
