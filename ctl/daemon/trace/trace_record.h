/* SPDX-License-Identifier: GPL-2.0 */
/* The JSON of an observed packet. */
#pragma once

#include "ctl/daemon/daemon.h"

/* `with_frame`: also the frame as it arrived, and the place of the message in it. */
json_t *trace_record(const struct daemon *daemon, const struct observed *packet, bool with_frame);
