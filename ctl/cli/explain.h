/* SPDX-License-Identifier: GPL-2.0 */
/* The command `explain`: shows how the balancer processes a SIP message or captured packets. The command reads the
 * pinned maps and needs no daemon. */
#pragma once

#include "output.h"

/* `arguments`: the arguments of the command line. Returns false after an error, which this function has printed. */
bool explain_run(struct output *output, const char *pin_directory, const json_t *arguments);
