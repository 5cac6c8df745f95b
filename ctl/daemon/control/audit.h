/* SPDX-License-Identifier: GPL-2.0 */
/* The audit: one log line for each change that a client of the control socket requests, also if it is refused.
 * No log level hides it. */
#pragma once

#include "core/control/protocol.h"

/* Logs who requested the change, the command and its effect. Call it without the worker's lock: the look-up of
 * the user's name may take long. */
void audit_log(const struct request *request, const json_t *reply);
