/* SPDX-License-Identifier: GPL-2.0 */
/* Reinjects a punted frame: runs the XDP program on the frame as if the frame had just arrived, and carries out the
 * program's decision. Thus one program processes all frames. The frame is sent through a packet socket, which works on
 * every interface, regardless of its driver and XDP mode. */
#pragma once

#include <stdint.h>
#include "bpf/abi_punt.h"

struct reinject;

/* Opens the balancer that is pinned under `directory`. 0 or -errno. */
int reinject_new(struct reinject **out, const char *directory);
void reinject_free(struct reinject *reinject);

/* Runs the program for a frame of at most PUNT_FRAME_SIZE bytes and sends the result. `owner` is the entry of its
 * datagram. A frame to a backend leaves through the interface of that backend, even if it arrived on another interface.
 * The kernel routes a packet that NAT has translated for a client. 0: sent; -EAGAIN: the program has punted it again;
 * other -errno: lost. */
int reinject_frame(const struct reinject *reinject, const void *frame, uint32_t length, uint32_t ifindex,
	const struct fragment *owner);

/* Sends the IP packet of a frame; the kernel routes it. 0 or -errno. */
int reinject_route(const struct reinject *reinject, const void *frame, uint32_t length);

/* Sends a frame unchanged. 0 or -errno. */
int reinject_send(const struct reinject *reinject, const void *frame, uint32_t length, uint32_t ifindex);
