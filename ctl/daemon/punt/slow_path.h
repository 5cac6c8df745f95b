/* SPDX-License-Identifier: GPL-2.0 */
/* Owns the ring buffers of frames that the program could not deal with by itself: fragments
 * that have overtaken their first one, which wait until that is announced, and packets that do
 * not fit the way to their backend, which are cut up or answered by an ICMP error. Whatever goes
 * on goes through the program again (resend.h). Bounded in number and in time. */
#pragma once

#include <systemd/sd-event.h>
#include "bpf/abi.h"

struct slow_path;

/* What became of the frames that came. All but the first two and `cut` and `told` were dropped. */
struct slow_path_counts {
	uint64_t held; /* fragments */
	uint64_t sent_on;
	uint64_t given_up;       /* the first fragment never came */
	uint64_t displaced;      /* made room for younger ones */
	uint64_t duplicates;     /* of one that waited */
	uint64_t late_fragments; /* older than PUNT_NSEC when the daemon read them */
	uint64_t late_oversize;
	uint64_t cut;     /* packets that did not fit, sent on in pieces */
	uint64_t told;    /* packets that did not fit, answered by an ICMP error */
	uint64_t refused; /* neither was possible, or there were too many to tell */
	uint64_t unsent;  /* fragments that the interface did not take */
};

/* Takes the balancer that is pinned under `directory` and joins the loop. 0 or -errno. */
int slow_path_new(struct slow_path **out, sd_event *event, const char *directory);
void slow_path_free(struct slow_path *path);

/* All zero for NULL. */
struct slow_path_counts slow_path_counts(const struct slow_path *path);
