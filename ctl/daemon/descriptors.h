/* SPDX-License-Identifier: GPL-2.0 */
/* The limit of open files, and a reserve of descriptors for the operator: sipxdp-ctl and a reload work even
 * when probes and clients have used all other descriptors. */
#pragma once

#include <stdbool.h>

/* Opens /dev/null in place of standard input, output and error, where they are closed. Otherwise the next socket
 * would become standard error, and would send the log. To be called first. */
void descriptors_open_standard(void);

/* Raises the soft limit to the hard limit. */
void descriptors_raise_limit(void);

/* Does this descriptor belong to the reserve? If so, the caller closes it and treats that like EMFILE. The
 * kernel assigns the lowest free number, so a high number means that few descriptors are free. */
bool descriptors_is_reserved(int fd);
