/* SPDX-License-Identifier: GPL-2.0 */
/* The command `guard test`: shows how the guard would judge a message, captured packets, or the messages of a source.
 * Like `explain`, it reads the pinned maps, needs no daemon, and takes no tokens. */
#pragma once

#include "output.h"

/* `arguments`: the arguments of the command line. Returns false after an error, which this function has printed. */
bool guard_test_run(struct output *output, const char *pin_directory, const json_t *arguments);
