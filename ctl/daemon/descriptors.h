/* SPDX-License-Identifier: GPL-2.0 */
/* The limit of open files, and a reserve of descriptors for the operator: sipxdp-ctl and a reload work even
 * when probes and clients have used all other descriptors. */
#pragma once

#include <stdbool.h>

/* Opens /dev/null for each of standard input, output and error that is closed. If descriptor 2 stayed closed, a new
 * socket could get it, and log lines would be sent over that socket. Call this first. */
void descriptors_open_standard(void);

/* Raises the soft limit to the hard limit. */
void descriptors_raise_limit(void);

/* Does this descriptor belong to the reserve? If so, the caller must close it and proceed as after EMFILE. The
 * kernel assigns the lowest free number, so a high number means that few descriptors are free. */
bool descriptors_is_reserved(int fd);
