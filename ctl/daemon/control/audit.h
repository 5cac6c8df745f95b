/* SPDX-License-Identifier: GPL-2.0 */
/* The audit log: one line for each change that a client of the control socket requests, including refused ones. The
 * daemon writes these lines at every log level. */
#pragma once

#include "core/control/protocol.h"

/* Writes the login name of the user or, without a name, the number of the user. Returns `text`. */
const char *audit_user_name(uid_t uid, char *text, size_t size);

/* The same for the user who has sent a request, here or at a different member of the group of balancers. */
const char *audit_requester(const struct request *request, char *text, size_t size);

/* Logs who requested the change, the command and its effect. The caller must not hold the worker's lock, because
 * the look-up of the user name may take long. */
void audit_log(const struct request *request, const json_t *reply);
