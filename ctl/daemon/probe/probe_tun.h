/* SPDX-License-Identifier: GPL-2.0 */
/* Owns the network namespace that sockets of probes live in, and its one way out, a TUN
 * device. Neither has a name outside: both end with the process, however it ends. */
#pragma once

#include "bpf/abi.h"

struct probe_tun;

/* 0 or -errno: -ENOENT where there is no /dev/net/tun, -EPERM without CAP_SYS_ADMIN and
 * CAP_NET_ADMIN. */
int probe_tun_new(struct probe_tun **out);
void probe_tun_free(struct probe_tun *tun);

/* The device: each read gives an IP packet that a socket has sent, with its checksums, and
 * never waits; each write is a packet that arrives. */
int probe_tun_fd(const struct probe_tun *tun);

/* As socket(2), non-blocking, in the namespace. A descriptor or -errno. */
int probe_tun_socket(const struct probe_tun *tun, int family, int type, int protocol);

/* Sockets there can be bound to the address with IP_FREEBIND, and reach everything from
 * it; or no longer. It is a route and no address on the device, because IPv6 lets some ms
 * pass before it takes what comes to a new address. 0 or -errno. */
int probe_tun_add_address(struct probe_tun *tun, const struct address *address);
int probe_tun_remove_address(struct probe_tun *tun, const struct address *address);

/* What sockets send is from now on no longer than this, bytes of an IP packet. No less
 * than PROBE_TUN_MIN_MTU, which IPv6 needs. 0 or -errno. */
#define PROBE_TUN_MIN_MTU 1280
int probe_tun_limit(struct probe_tun *tun, uint16_t mtu);
