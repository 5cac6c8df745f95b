/* SPDX-License-Identifier: GPL-2.0 */
/* The command `explain`: shows how the balancer processes a SIP message or captured packets. The command reads the
 * pinned maps and does not need the daemon. */
#pragma once

#include "output.h"

/* Receives the explanation of a packet (core/view/explanation.h), and in "packet" the number of the packet, counted
 * from 1. */
typedef void explain_show(struct output *output, const json_t *explained, void *data);

/* Explains all packets of the file "path". `arguments`: the arguments of the command line. Returns false after an
 * error, which this function has printed. */
bool explain_file(
	struct output *output, const char *pin_directory, const json_t *arguments, explain_show *show, void *data);

/* The same for SIP messages. NULL ends their list. */
bool explain_messages(struct output *output, const char *pin_directory, const json_t *arguments,
	const char *const *messages, explain_show *show, void *data);

/* explain_file(), and prints the explanations. */
bool explain_run(struct output *output, const char *pin_directory, const json_t *arguments);
