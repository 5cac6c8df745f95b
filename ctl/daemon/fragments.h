/* SPDX-License-Identifier: GPL-2.0 */
/* Owns the ring buffer of fragments that have overtaken their first one: holds each for
 * a moment, and puts it through the program again when the first has come, so that the
 * kernel's one path forwards it. Bounded in number and in time. */
#pragma once

#include <systemd/sd-event.h>
#include "../../bpf/abi.h"

struct fragments;

/* What became of the fragments that were held. */
struct fragments_counts {
	uint64_t held;
	uint64_t sent_on;
	uint64_t given_up; /* the first fragment never came, or there was no room: dropped */
};

/* Takes the balancer that is pinned under `directory` and joins the loop. 0 or -errno. */
int fragments_new(struct fragments **out, sd_event *event, const char *directory);
void fragments_free(struct fragments *fragments);

struct fragments_counts fragments_counts(const struct fragments *fragments);
