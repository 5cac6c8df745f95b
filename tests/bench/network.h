/* SPDX-License-Identifier: GPL-2.0 */
/* A network namespace with a route to all clients, for programs that ask the kernel for the next hop. */
#pragma once

#include <stdint.h>

/* Makes the namespace once, and moves this process there. Sets `ifindex` to the interface towards the clients.
 * 0 or -errno. */
int network_enter(uint32_t *ifindex);
