/* SPDX-License-Identifier: GPL-2.0 */
/* The JSON of an observed packet. */
#pragma once

#include "ctl/daemon/daemon.h"

/* With `with_frame`, includes the received frame and the offset of the message in it. */
json_t *trace_record(const struct daemon *daemon, const struct observed *packet, bool with_frame);
