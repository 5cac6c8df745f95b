/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the facts about an interface for core/net/xdp_check.h. Makes no changes. */
#pragma once

#include "core/net/xdp_check.h"

/* Facts that the kernel does not report are zero. The caller sets `program_is_own` and `program_is_unknown`. Returns 0,
 * or -1 if there is no such interface. */
int facts_read(const char *name, struct xdp_facts *out);
