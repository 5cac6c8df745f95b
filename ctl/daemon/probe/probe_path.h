/* SPDX-License-Identifier: GPL-2.0 */
/* Sends probes to a VIP on one particular backend, on the same path as calls. The VIP belongs to this machine or to
 * many machines, so an ordinary socket cannot reach it on a backend. The sockets of this file are in a separate
 * network namespace, whose only exit is a TUN device. The daemon reads their packets from the device and sends them
 * to the backend in the same way as calls: by MAC address or in a tunnel. The XDP program passes packets whose
 * source is a VIP and whose destination is the probe's address to the daemon (map punt_probes), which writes them to
 * the device. UDP, TCP and ICMP sockets, and TLS on them, work as usual. */
#pragma once

#include <systemd/sd-event.h>
#include "bpf/abi.h"
#include "probe_namespace.h"

struct probe_path;

/* Creates the namespace and the device, and starts to forward packets. 0 or -errno: -ENOENT without /dev/net/tun,
 * -EPERM without CAP_NET_ADMIN and CAP_NET_RAW, or if `space` may not create namespaces. Only one path may exist at a
 * time, because the ring buffer of the replies has one reader. If the process of `space` exits, the event loop ends. */
int probe_path_new(struct probe_path **out, sd_event *event, struct probe_namespace *space, const char *pin_directory);
void probe_path_free(struct probe_path *path);

/* Opens a non-blocking socket like socket(2) (SOCK_DGRAM, SOCK_STREAM; also IPPROTO_ICMP and IPPROTO_ICMPV6), and binds
 * it to an address of this machine of the VIP's family. The caller connects the socket to `vip`. All packets of the
 * socket then go to the backend, which cannot forward them any further. Returns a descriptor or -errno; -EADDRNOTAVAIL
 * if this machine has no suitable address of that family. About 500 simultaneous replies are buffered; therefore the
 * caller must spread the probes over time. */
int probe_path_socket(
	struct probe_path *path, int type, int protocol, const struct address *vip, const struct backend *route);

/* Was the last packet of such a socket sent on the wire? 0 or -errno. */
int probe_path_sent(struct probe_path *path, int fd);

/* Closes such a socket. Pending packets, such as the end of a connection, are still sent. */
void probe_path_close(struct probe_path *path, int fd);
