/* SPDX-License-Identifier: GPL-2.0 */
/* A child process of the daemon. It creates the network namespaces of probe sockets, runs in the newest namespace, and
 * opens sockets there for the daemon. The daemon itself needs no CAP_SYS_ADMIN and never leaves its own namespace. */
#pragma once

#include <stdint.h>

struct probe_namespace;

/* Starts the process. Call it before the daemon starts threads and before it drops its privileges: without
 * CAP_SYS_ADMIN the process needs a user namespace, which some systems do not allow. 0 or -errno. */
int probe_namespace_start(struct probe_namespace **out);

/* Stops the process. Sockets that it has opened remain usable. */
void probe_namespace_end(struct probe_namespace *space);

/* Returns a descriptor that becomes readable when the process has exited. The other functions then fail with -EPIPE
 * or -ECONNRESET. */
int probe_namespace_fd(const struct probe_namespace *space);

/* Creates a new namespace with one TUN device, and stores the descriptor and the index of the device. The previous
 * namespace exists until its last socket is closed. Returns 0 or -errno: -ENOENT without /dev/net/tun, -EPERM if the
 * process may not create namespaces. */
int probe_namespace_renew(struct probe_namespace *space, int *device, uint32_t *ifindex);

/* Like socket(2), in the newest namespace. A descriptor or -errno. */
int probe_namespace_socket(struct probe_namespace *space, int family, int type, int protocol);
