/* SPDX-License-Identifier: GPL-2.0 */
/* Owns the TUN device that is the only exit of the network namespace of probe sockets. Neither the device nor the
 * namespace has a name outside the processes of the daemon, so the kernel removes both, even if the daemon is
 * killed. */
#pragma once

#include "bpf/abi.h"
#include "probe_namespace.h"

struct probe_tun;

/* Creates a new namespace with the device. Returns 0, or the -errno of probe_namespace_renew(); also -EPERM without
 * CAP_NET_ADMIN. */
int probe_tun_new(struct probe_tun **out, struct probe_namespace *space);
void probe_tun_free(struct probe_tun *tun);

/* The device. A read returns one IP packet sent by a socket, with its checksums, and never blocks. A
 * write delivers one packet. */
int probe_tun_fd(const struct probe_tun *tun);

/* Like socket(2), non-blocking, in the namespace. A descriptor or -errno. */
int probe_tun_socket(const struct probe_tun *tun, int family, int type, int protocol);

/* Makes an address usable in the namespace, or removes it. Sockets can bind to the address with IP_FREEBIND, and can
 * send from it to every destination. The address is a local route, not an address on the device: IPv6 accepts packets
 * to a new device address only after some ms. 0 or -errno. */
int probe_tun_add_address(struct probe_tun *tun, const struct address *address);
int probe_tun_remove_address(struct probe_tun *tun, const struct address *address);

/* Lowers the size of the largest IP packet that sockets send, in bytes, but not below
 * PROBE_TUN_MIN_MTU, which IPv6 requires. 0 or -errno. */
#define PROBE_TUN_MIN_MTU 1280
int probe_tun_limit(struct probe_tun *tun, uint16_t mtu);
