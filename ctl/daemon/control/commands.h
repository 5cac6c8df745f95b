/* SPDX-License-Identifier: GPL-2.0 */
/* What sipxdpd says to each command of sipxdp-ctl, as JSON. */
#pragma once

#include "control.h"

/* A control_answer whose data is a struct daemon. */
json_t *commands_run(const struct request *request, void *daemon);
