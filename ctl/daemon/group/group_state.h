/* SPDX-License-Identifier: GPL-2.0 */
/* The state that the members of a group share: how the backends differ from the file, and the prefixes that are
 * blocked or trusted at run time. Only the worker calls these functions. */
#pragma once

#include "ctl/daemon/daemon.h"

/* The state as text, which the caller must free. Releases the lock. */
char *group_state_write(struct daemon *daemon);

/* Makes the state equal to a text from the member with this name. Releases the lock. */
void group_state_adopt(struct daemon *daemon, const char *node, const void *bytes, size_t length);
