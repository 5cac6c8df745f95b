/* SPDX-License-Identifier: GPL-2.0 */
/* Owns the ring buffers of frames that the program could not deal with by itself: fragments
 * that have overtaken their first one, which wait until that is announced, and packets that do
 * not fit the way to their backend, which are cut up or answered by an ICMP error. Whatever goes
 * on goes through the program again (reinject.h). Bounded in number and in time. */
#pragma once

#include <systemd/sd-event.h>
#include "bpf/abi.h"

struct punt_handler;

/* What became of the frames that came. All but the first two and `cut` and `told` were dropped. */
struct punt_counts {
	uint64_t held; /* fragments */
	uint64_t sent;
	uint64_t timed_out;      /* the first fragment never came */
	uint64_t displaced;      /* made room for younger ones */
	uint64_t duplicates;     /* of one that waited */
	uint64_t late_fragments; /* older than PUNT_NSEC when the daemon read them */
	uint64_t late_oversize;
	uint64_t fragmented; /* packets that did not fit, sent on in pieces */
	uint64_t answered;   /* packets that did not fit, answered by an ICMP error */
	uint64_t refused;    /* neither was possible, or there were too many to tell */
	uint64_t unsent;     /* fragments that the interface did not take */
};

/* Takes the balancer that is pinned under `directory` and joins the loop. 0 or -errno. */
int punt_handler_new(struct punt_handler **out, sd_event *event, const char *directory);
void punt_handler_free(struct punt_handler *handler);

/* All zero for NULL. */
struct punt_counts punt_counts(const struct punt_handler *handler);
