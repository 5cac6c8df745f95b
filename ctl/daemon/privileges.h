/* SPDX-License-Identifier: GPL-2.0 */
/* The capabilities of the calling process. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PRIVILEGE(capability) (UINT64_C(1) << (capability))

bool privileges_have(int capability);

/* Drops all capabilities outside this set of PRIVILEGE()s, and sets no_new_privs, so that the process cannot regain
 * them. Capabilities belong to a thread, so call this function before other threads start. 0 or -errno. */
int privileges_keep(uint64_t kept);

/* Drops the privileges that the daemon needs only at its start. If permitted, the process first joins the group of the
 * control socket: a member can give its files to this group without CAP_CHOWN. 0 or -errno. */
int privileges_drop(void);
