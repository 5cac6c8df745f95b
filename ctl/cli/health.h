/* SPDX-License-Identifier: GPL-2.0 */
/* The command `health`: can the balancer serve calls? It reads the pinned maps and does not need the daemon. */
#pragma once

#include "output.h"

enum health_result {
	HEALTH_READY,
	HEALTH_NOT_READY,    /* the reasons have been printed */
	HEALTH_UNDETERMINED, /* an error has been printed */
};

/* `arguments`: the arguments of the command line. */
enum health_result health_run(struct output *output, const char *pin_directory, const json_t *arguments);
