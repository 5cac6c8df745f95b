/* SPDX-License-Identifier: GPL-2.0 */
/* Executes the commands of sipxdp-ctl and returns their replies as JSON. */
#pragma once

#include "control.h"

/* A control_answer whose data is a struct daemon. */
json_t *commands_run(const struct request *request, void *daemon);
