/* SPDX-License-Identifier: GPL-2.0 */
/* The way of a probe that goes where calls go: to a VIP, on one backend. The VIP is an
 * address of this machine (or of many), so no ordinary socket can reach it there. Sockets
 * of this file live in a network namespace of their own, whose only way out is a TUN
 * device: what they send is read from it and put on the wire to the backend, by MAC
 * address or in IP-in-IP as calls are; what comes back from a VIP to us is handed over by
 * the balancer's program (map punt_probes) and written into the device. UDP, TCP and
 * ICMP sockets, and TLS on them, behave as anywhere. */
#pragma once

#include <systemd/sd-event.h>
#include "bpf/abi.h"

struct probe_path;

/* How packets get to one backend: what struct backend says of it. */
struct probe_route {
	enum forward_method forward;
	struct address address; /* the backend's own */
	struct address source;  /* of the outer header, FORWARD_IPIP only */
	struct mac next_hop;
	uint32_t ifindex;
	uint16_t mtu;
};

/* Makes the namespace and the device and begins to carry packets. 0 or -errno: -ENOENT
 * without /dev/net/tun, -EPERM without CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW. One
 * path at a time: answers go to one reader. */
int probe_path_new(struct probe_path **out, sd_event *event, const char *pin_directory);
void probe_path_free(struct probe_path *path);

/* A socket as socket(2) makes it (SOCK_DGRAM, SOCK_STREAM; IPPROTO_ICMP and IPPROTO_ICMPV6
 * too), non-blocking, bound to an address of ours of the VIP's family, to be connected to
 * `vip`: all it sends goes to the backend, and no hop further. A descriptor, or -errno;
 * -EADDRNOTAVAIL when this machine has no address of that family that probes could come
 * from. Of answers that come at once some 500 are held: spread what asks for more. */
int probe_path_socket(
	struct probe_path *path, int type, int protocol, const struct address *vip, const struct probe_route *route);

/* Did the last packet that such a socket sent reach the wire? 0, or -errno. */
int probe_path_sent(struct probe_path *path, int fd);

/* Closes such a socket; what it has begun to say, a connection's end too, still goes out. */
void probe_path_close(struct probe_path *path, int fd);
