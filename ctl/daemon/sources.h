/* SPDX-License-Identifier: GPL-2.0 */
/* The heaviest sources and Call-IDs of the last second (bpf/heavy.h, core/observe/heaviest.h). The kernel counts them
 * only while sipxdp-ctl requests them or floods.c searches for the source of a flood. */
#pragma once

#include "daemon.h"
#include "bpf/abi_observe.h"
#include "core/observe/heaviest.h"

struct sources *sources_new(void);

/* Stops the counting. Call this before observers_free(). */
void sources_free(struct sources *sources, struct daemon *daemon);

/* Call this every second, in the event loop. It ends an interval and begins the next one, and starts or stops the
 * counting. */
void sources_update(struct sources *sources, struct daemon *daemon);

/* Returns the reply to `top sources`: the last interval (core/view/sources.h). The counting continues for a few more
 * seconds. Call this only in the event loop. */
json_t *sources_answer(struct sources *sources, struct daemon *daemon);

/* Counts the packets that the filter selects as suspects, from the next interval until sources_end_suspects(). Only one
 * filter can be active at a time. */
void sources_begin_suspects(struct sources *sources, const struct observer *filter);
void sources_end_suspects(struct sources *sources);

/* An interval in which all suspects were counted. */
struct sources_suspects {
	const struct heaviest *sources, *call_ids; /* valid until the next interval ends */
	double seconds;
};

/* Returns true if the suspects were counted during the whole last interval. */
bool sources_suspects(const struct sources *sources, struct sources_suspects *out);
