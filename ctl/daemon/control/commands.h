/* SPDX-License-Identifier: GPL-2.0 */
/* Carries out each command of sipxdp-ctl and returns the reply as JSON. */
#pragma once

#include "control.h"

/* A control_answer whose data is a struct daemon. */
json_t *commands_run(const struct request *request, void *daemon);
