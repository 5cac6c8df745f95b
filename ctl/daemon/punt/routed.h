/* SPDX-License-Identifier: GPL-2.0 */
/* Sends IP packets that are complete, with any source address: the kernel chooses the route and resolves the next hop.
 */
#pragma once

#include <stdint.h>

/* Raw sockets; -1: closed. */
struct routed {
	int ipv4;
	int ipv6;
};

/* 0 or -errno. */
int routed_open(struct routed *routed);
void routed_close(const struct routed *routed);

/* Sends the IP packet in an Ethernet frame. 0 or -errno: -EINVAL if the frame contains no complete IP packet. */
int routed_send(const struct routed *routed, const void *frame, uint32_t length);
