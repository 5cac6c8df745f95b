/* SPDX-License-Identifier: GPL-2.0 */
/* Describes an observed packet as JSON. */
#pragma once

#include "bpf/abi_observe.h"
#include "ctl/daemon/daemon.h"

/* `with_frame` adds the received frame and the offset of the message in the frame. */
json_t *trace_record(const struct daemon *daemon, const struct observed *packet, bool with_frame);
