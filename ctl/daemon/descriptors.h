/* SPDX-License-Identifier: GPL-2.0 */
/* The limit of open files, and the descriptors that are kept back from it: when probes and clients
 * have taken all others, sipxdp-ctl and a reload still get through. */
#pragma once

#include <stdbool.h>

/* Raises the limit to what is allowed. */
void descriptors_raise_limit(void);

/* Is this one of the last, which are kept for the operator? To be closed then, as if it were
 * EMFILE. The kernel gives out the lowest number that is free, so that a high one says that few
 * are left. */
bool descriptors_is_reserved(int fd);
