/* SPDX-License-Identifier: GPL-2.0 */
/* Owns how a frame that the daemon was given goes on: through the program, as if it had just
 * arrived, and then where the program says. The program's one path thus decides for all frames. The
 * frame leaves by a packet socket, which every interface has, whatever its driver and mode. */
#pragma once

#include <stdint.h>

struct reinject;

/* Takes the balancer that is pinned under `directory`. 0 or -errno. */
int reinject_new(struct reinject **out, const char *directory);
void reinject_free(struct reinject *reinject);

/* Puts a frame of at most PUNT_FRAME_SIZE bytes through the program. `backend`: id of the one that
 * is to have it; the frame leaves by the interface of that one, also if it came by another. 0 when it is
 * on its way; -EAGAIN when the program has given it to the daemon once more; other -errno: lost. */
int reinject_frame(
	const struct reinject *reinject, const void *frame, uint32_t length, uint32_t ifindex, uint32_t backend);

/* Sends a frame as it is. 0 or -errno. */
int reinject_send(const struct reinject *reinject, const void *frame, uint32_t length, uint32_t ifindex);
