/* SPDX-License-Identifier: GPL-2.0 */
/* Converts the options of `trace` to the filter of an observer. */
#pragma once

#include "bpf/abi_observe.h"
#include "ctl/daemon/daemon.h"

/* Returns 0, or -EINVAL with the reason. Does not set `out->wants`, which stays 0. Without --verdict the filter
 * excludes packets that are not addressed to a service or a VIP. */
int trace_filter(const struct daemon *daemon, const struct request *request, struct observer *out,
	char error[PROTOCOL_ERROR_SIZE]);
