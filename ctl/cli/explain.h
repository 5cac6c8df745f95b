/* SPDX-License-Identifier: GPL-2.0 */
/* The command `explain`: what the balancer makes of a SIP message or of captured packets. Reads the pinned maps;
 * needs no daemon. */
#pragma once

#include "output.h"

/* `arguments` are those of the command line. False after it has printed an error. */
bool explain_run(struct output *output, const char *pin_directory, const json_t *arguments);
