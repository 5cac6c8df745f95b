/* SPDX-License-Identifier: GPL-2.0 */
/* Executes the commands of sipxdp-ctl and returns their replies as JSON. */
#pragma once

#include "control.h"

/* A control_answer whose data is a struct daemon. */
json_t *commands_run(const struct request *request, void *daemon);

/* Is this a change that all members of a group of balancers apply? */
bool commands_is_shared(const struct request *request);

/* Applies a change and logs it. Only the worker calls this. Releases the lock. */
struct daemon;
json_t *commands_apply(struct daemon *daemon, const struct request *request);
